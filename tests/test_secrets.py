"""The token, a tenant's as well, is looked for in everything that leaves a trace."""

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

CLIENTS = "sk-client-4f9c1e7a55"
TENANTS = "sk-tenant-b82d06c3d1"


class Remembering(BaseTracer):
    """Keeps what a LangSmith tracer would send."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self.runs.append(repr(vars(run)))
        for child in run.child_runs:
            self._persist_run(child)


def assert_absent(traces: dict[str, object]) -> None:
    for name, trace in traces.items():
        raw = trace if isinstance(trace, bytes) else str(trace).encode()
        for token in (CLIENTS, TENANTS):
            forms = (token.encode(), base64.b64encode(token.encode())[:-4], token.encode().hex().encode())
            quoted = urllib.parse.quote(token, safe="").encode()
            assert not any(form in raw for form in (*forms, quoted)), f"the token stands in the {name}"


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": f"call-{name}", "name": name, "args": arguments}


async def test_a_run_leaves_the_token_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A graph that submits, waits, saves, and fails, for the application and for a tenant."""
    caplog.set_level(logging.DEBUG)
    tracer = Remembering()
    progress: list[object] = []
    messages: list[str] = []
    with ProducerSandbox(render_seconds=0, api_token=CLIENTS) as sandbox:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        client = ProducerClient(CLIENTS, sandbox.base_url, ledger=ledger, poll_interval=0)
        toolkit = ProducerToolkit(client=client, on_progress=progress.append, download_dir=tmp_path / "files")
        builder = StateGraph(MessagesState)
        builder.add_node("tools", ToolNode(toolkit.get_tools()))
        builder.add_edge(START, "tools")
        graph: Any = builder.compile(checkpointer=(saver := InMemorySaver()))
        config: Any = {"configurable": {"thread_id": "1"}, "callbacks": [tracer]}

        async def run(*calls: dict[str, Any]) -> Any:
            given = {"messages": [AIMessage("", tool_calls=list(calls))]}
            async for mode, event in graph.astream(given, config, stream_mode=["custom", "updates", "debug"]):
                messages.append(repr((mode, event)))
            return (await graph.aget_state(config)).values["messages"][-1]

        submitted = json.loads((await run(call("producer_generate_music", prompt="x"))).text)
        await run(call("producer_wait_for_tasks", task_ids=[submitted["task_id"]]))
        await run(call("producer_download_results", task_id=submitted["task_id"]))
        with producer_tools.api_token(TENANTS):
            refused = await run(call("producer_get_task", task_id="t"), call("producer_cover_music", audio_id="a"))
        assert refused.status == "error"
        await client.aclose()
    assert tracer.runs
    assert progress
    assert_absent(
        {
            "log": caplog.text,
            "LangSmith run": tracer.runs,
            "progress events": progress,
            "stream": messages,
            "checkpoint": repr(saver.storage),
            "ledger": b"".join(path.read_bytes() for path in tmp_path.glob("ledger*")),
            "files": b"".join(path.read_bytes() for path in (tmp_path / "files").iterdir()),
            "repr": [repr(client), str(client), repr(toolkit), repr(toolkit.get_tools())],
            "pickle": [pickle.dumps(thing) for thing in (client, toolkit, toolkit.get_tools())],
            "copy": repr(copy.deepcopy(toolkit)),
            "JSON": [toolkit.model_dump_json(), toolkit.model_dump()],
        }
    )


@pytest.mark.parametrize("tenant", [False, True])
async def test_no_error_and_no_traceback_has_the_token(tenant: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Each way a call can fail; the service quotes the token; the traceback is printed with its local variables."""
    caplog.set_level(logging.DEBUG)
    token = TENANTS if tenant else CLIENTS
    quoting = {"error": {"code": f"bad {token}", "message": f"token {token}"}, "trace_id": token, "task_id": token}
    replies = [
        http(quoting, "401 Unauthorized"), http(quoting, "500 Internal Server Error"), RESET, http(b"<html>"),
        http(b"{", cut=5), b"no http\r\n\r\n",
    ]  # fmt: skip
    traces: dict[str, object] = {}
    for number, reply in enumerate(replies):
        async with answering(reply) as server, ProducerClient(CLIENTS, server.base_url, clock=InstantClock()) as client:
            with producer_tools.api_token(token):
                with pytest.raises(ProducerError) as submitting:
                    await client.submit(GenerateMusic(prompt="x"), key="k")
                with pytest.raises(ProducerError) as looking:
                    await client.get_task("t")
        for name, caught in (("submit", submitting), ("look", looking)):
            error = caught.value
            # What the service quotes may stand in a variable, and nothing of ours. Python 3.10 links aiohttp's fault to
            # our error however it is raised: there the traceback is looked at as it is printed, without variables.
            variables = token.encode() not in reply and sys.version_info >= (3, 11)
            shown = traceback.TracebackException.from_exception(error, capture_locals=variables)
            shown.stack[:] = [frame for frame in shown.stack if frame.filename != __file__]
            traces[f"{name} {number}"] = ["".join(shown.format()), repr(error), str(error), vars(error)]
    assert len(traces) == 2 * len(replies)
    assert_absent({**traces, "log": caplog.text})
