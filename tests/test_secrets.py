"""No token, neither the application's nor a user's, is left in anything that a run writes or raises."""

import base64
import copy
import json
import logging
import pickle
import sys
import traceback
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import producer_tools
from producer_tools import ProducerClient, ProducerError, ProducerToolkit, SqliteLedger
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.raw_server import RESET, answering, http

APPLICATION_TOKEN = "sk-client-4f9c1e7a55"
USER_TOKEN = "sk-tenant-b82d06c3d1"


class RecordingTracer(BaseTracer):
    """Keeps what a LangSmith tracer would send."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self.runs.append(repr(vars(run)))
        for child in run.child_runs:
            self._persist_run(child)


def assert_no_token(outputs: dict[str, object]) -> None:
    """Fail if an output has a token in it, plain or encoded.

    Args:
        outputs: what was written or raised, by a name for the message.
    """
    for name, output in outputs.items():
        raw = output if isinstance(output, bytes) else str(output).encode()
        for token in (APPLICATION_TOKEN, USER_TOKEN):
            plain = token.encode()
            # Base64 without its last group, which depends on what follows the token.
            encoded = (base64.b64encode(plain)[:-4], plain.hex().encode(), urllib.parse.quote(token, safe="").encode())
            assert not any(form in raw for form in (plain, *encoded)), f"the token is in the {name}"


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": f"call-{name}", "name": name, "args": arguments}


async def test_a_run_of_a_graph_leaves_no_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The graph submits, waits and saves with the application's token, and is refused with a user's."""
    caplog.set_level(logging.DEBUG)
    tracer = RecordingTracer()
    progress: list[object] = []
    streamed: list[str] = []
    with ProducerSandbox(render_seconds=0, api_token=APPLICATION_TOKEN, silent=True) as sandbox:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        client = ProducerClient(APPLICATION_TOKEN, sandbox.base_url, ledger=ledger, poll_interval=0)
        toolkit = ProducerToolkit(client=client, on_progress=progress.append, download_dir=tmp_path / "files")
        builder = StateGraph(MessagesState)
        builder.add_node("tools", ToolNode(toolkit.get_tools()))
        builder.add_edge(START, "tools")
        graph: Any = builder.compile(checkpointer=(saver := InMemorySaver()))
        config: Any = {"configurable": {"thread_id": "1"}, "callbacks": [tracer]}

        async def run(*calls: dict[str, Any]) -> Any:
            state = {"messages": [AIMessage("", tool_calls=list(calls))]}
            async for mode, event in graph.astream(state, config, stream_mode=["custom", "updates", "debug"]):
                streamed.append(repr((mode, event)))
            return (await graph.aget_state(config)).values["messages"][-1]

        submitted = json.loads((await run(call("producer_generate_music", prompt="x"))).text)
        await run(call("producer_wait_for_tasks", task_ids=[submitted["task_id"]]))
        await run(call("producer_download_results", task_id=submitted["task_id"]))
        with producer_tools.api_token(USER_TOKEN):
            refused = await run(call("producer_get_task", task_id="t"), call("producer_cover_music", audio_id="a"))
        assert refused.status == "error"
        await client.aclose()
    assert tracer.runs
    assert progress
    assert_no_token(
        {
            "log": caplog.text,
            "LangSmith run": tracer.runs,
            "progress events": progress,
            "stream": streamed,
            "checkpoint": repr(saver.storage),
            "ledger": b"".join(path.read_bytes() for path in tmp_path.glob("ledger*")),
            "files": b"".join(path.read_bytes() for path in (tmp_path / "files").iterdir()),
            "repr": [repr(client), str(client), repr(toolkit), repr(toolkit.get_tools())],
            "pickle": [pickle.dumps(thing) for thing in (client, toolkit, toolkit.get_tools())],
            "copy": repr(copy.deepcopy(toolkit)),
            "JSON": [toolkit.model_dump_json(), toolkit.model_dump()],
        }
    )


@pytest.mark.parametrize("token", [APPLICATION_TOKEN, USER_TOKEN], ids=["application", "user"])
async def test_no_error_and_no_traceback_has_the_token(token: str, caplog: pytest.LogCaptureFixture) -> None:
    """Some services show tracebacks with their local variables, so the token must not be in those either."""
    caplog.set_level(logging.DEBUG)
    quoting = {"error": {"code": f"bad {token}", "message": f"token {token}"}, "trace_id": token, "task_id": token}
    replies = [
        http(quoting, "401 Unauthorized"), http(quoting, "500 Internal Server Error"), RESET, http(b"<html>"),
        http(b"{", cut=5), b"no http\r\n\r\n",
    ]  # fmt: skip
    outputs: dict[str, object] = {}
    for number, reply in enumerate(replies):
        async with (
            answering(reply) as server,
            ProducerClient(APPLICATION_TOKEN, server.base_url, clock=InstantClock()) as client,
        ):
            with producer_tools.api_token(token):
                with pytest.raises(ProducerError) as submitting:
                    await client.submit(GenerateMusic(prompt="x"), key="k")
                with pytest.raises(ProducerError) as looking_up:
                    await client.get_task("t")
        for name, caught in (("submit", submitting), ("look-up", looking_up)):
            error = caught.value
            # Python 3.10 always links aiohttp's exception to our error, so there the variables are not checked.
            variables = sys.version_info >= (3, 11)
            printed = traceback.TracebackException.from_exception(error, capture_locals=variables)
            printed.stack[:] = [frame for frame in printed.stack if frame.filename != __file__]
            outputs[f"{name} {number}"] = ["".join(printed.format()), repr(error), str(error), vars(error)]
    assert len(outputs) == 2 * len(replies)
    assert_no_token({**outputs, "log": caplog.text})
