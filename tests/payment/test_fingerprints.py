"""What a request is recognised by when it is sent again: what was asked, and not what was filled in."""

import hashlib
import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from producer_tools import Ledger, MemoryLedger, ProducerClient, ProducerGenerateMusic
from producer_tools.langgraph import SongState, SubmitNode
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import fingerprint
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from producer_tools.tools.output import Output
from tests.payment.calls import Account
from tests.payment.test_tool_call_keys import CONFIG, calling, tool_graph


async def by_tool(client: ProducerClient) -> str:
    tool = ProducerGenerateMusic(client=client)
    call = {"prompt": "a waltz", "submission_key": "k"}
    message = await tool.ainvoke({"type": "tool_call", "id": "1", "name": tool.name, "args": {"prompt": "other"}})
    assert message.status == "success"
    return str(await tool.ainvoke(call))


async def by_tool_node(client: ProducerClient) -> str:
    state = await tool_graph(client).ainvoke({"messages": [calling(message_id="m")]}, CONFIG)
    return str(state["messages"][-1].artifact["task_id"])


async def by_submit_node(client: ProducerClient) -> str:
    builder: Any = StateGraph(SongState)
    graph = builder.add_node("submit", SubmitNode(client)).add_edge(START, "submit").compile()
    song = {"request": {"name": "producer_generate_music", "args": {"prompt": "a waltz"}}, "key": "k"}
    return str((await graph.ainvoke(song, CONFIG))["task"]["task_id"])


@pytest.mark.parametrize("submit", [by_tool, by_tool_node, by_submit_node])
async def test_a_call_gets_its_task_after_the_default_model_changed(
    submit: Any, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run would fail because its key seems to belong to another request."""
    sandbox: ProducerSandbox = account.sandbox
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=MemoryLedger()) as client:
        first = await submit(client)
        monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-1.0")
        assert await submit(client) == first
    songs = [charge.request["prompt"] for charge in account.new_charges()]
    assert songs.count("a waltz") == 1


class FailingOnce(ProducerGenerateMusic):
    """Submits, and then crashes the first time."""

    has_failed: bool = False

    async def answer(self, request: Any) -> Output:
        output = await super().answer(request)
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("crash")
        return output


def of_first_version(entry: Entry) -> Entry:
    """The entry as the first version wrote it: without an account, and with a hash of the whole body."""
    body = {name: value for name, value in entry.request.items() if name not in {"async", "callback_url"}}
    hashed = hashlib.sha256(f"{entry.endpoint} {json.dumps(body, sort_keys=True)}".encode()).hexdigest()
    thread, *_, call_id = entry.key.partition("/")[2].split("/")
    return Entry(key=f"{thread}/{call_id}", fingerprint=hashed, answer=entry.answer)


@pytest.mark.parametrize("version", ["this", "the first"])
async def test_a_resumed_agent_gets_its_task_after_the_default_model_changed(
    version: str, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model would be told of a conflict, and to make the call again under a new key: it would be paid twice."""
    written, saver = MemoryLedger(), InMemorySaver()
    url, token = account.sandbox.base_url, account.sandbox.api_token

    async def run(ledger: Ledger, tool: ProducerGenerateMusic, given: Any) -> Any:
        async with ProducerClient(token, url, ledger=ledger) as client:
            tool.client = client
            return await create_agent(ScriptedChatModel(), [tool], checkpointer=saver).ainvoke(given, CONFIG)

    with pytest.raises(RuntimeError, match="crash"):
        await run(written, FailingOnce(), {"messages": [HumanMessage("a waltz")]})
    (entry,) = await written.entries()
    found = MemoryLedger()
    await found.begin(entry if version == "this" else of_first_version(entry))
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-1.0")
    state = await run(found, ProducerGenerateMusic(), None)
    (message,) = (each for each in state["messages"] if isinstance(each, ToolMessage))
    assert message.status == "success"
    assert [message.artifact["task_id"]] == [charge.task_id for charge in account.new_charges()]


def test_only_what_was_asked_makes_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fingerprint(GenerateMusic(prompt="x"))

    class LaterVersion(GenerateMusic):
        tempo: int = 100

    assert fingerprint(LaterVersion(prompt="x")) == asked
    assert fingerprint(GenerateMusic(prompt="x", instrumental=False, seed="", callback_url="http://x.example")) == asked
    assert fingerprint(GenerateMusic(prompt="x", weirdness=0)) != asked
    named = fingerprint(GenerateMusic(prompt="x", model="FUZZ-2.0"))
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-1.0")
    assert fingerprint(GenerateMusic(prompt="x", model="FUZZ-2.0")) == named
