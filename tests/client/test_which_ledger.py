"""Which ledger a call uses: its own argument, else the client's, else the graph's store, else memory."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Budget,
    Ledger,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
    SubmissionUnknownError,
)
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.payment.ledgers import keys

SONG = GenerateMusic(prompt="a song")
KEY = "key"


def client_of(sandbox: ProducerSandbox, ledger: Ledger | None) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=ledger)


async def has_entry(ledger: Ledger, key: str) -> bool:
    return key in await keys(ledger)


async def test_the_calls_ledger_wins_over_the_clients(sandbox: ProducerSandbox) -> None:
    """Written into the client's ledger instead, the request would not be found by those who share the call's."""
    clients, calls = MemoryLedger(), MemoryLedger()
    async with client_of(sandbox, clients) as client:
        first = await client.submit(SONG, key=KEY, ledger=calls)
        assert await client.submit(SONG, key=KEY, ledger=calls) == first
    assert len(sandbox.charges) == 1
    assert await has_entry(calls, KEY)
    assert not await has_entry(clients, KEY)


class FalseLedger(MemoryLedger):
    """A ledger that is false, as one of the application's own is that has a length and no entries yet."""

    def __bool__(self) -> bool:
        return False


@pytest.mark.parametrize("is_calls", [True, False])
async def test_a_ledger_that_is_false_is_used(is_calls: bool, sandbox: ProducerSandbox) -> None:
    """Its first request would be written down elsewhere, and paid for again when it is made the next time."""
    own = FalseLedger()
    for _ in range(2):
        async with client_of(sandbox, None if is_calls else own) as client:
            await client.submit(SONG, key=KEY, ledger=own if is_calls else None)
    assert len(sandbox.charges) == 1
    assert await has_entry(own, KEY)


@pytest.mark.parametrize("name", ["release", "adopt"])
async def test_an_unknown_outcome_is_resolved_in_the_calls_ledger(name: str, sandbox: ProducerSandbox) -> None:
    calls = MemoryLedger()
    async with client_of(sandbox, MemoryLedger()) as client:
        sandbox.listing.answer = "forbidden"
        sandbox.fail_next(Fault.RESET_AFTER_WORK)
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key=KEY, ledger=calls)
        arguments = [KEY, "t1"] if name == "adopt" else [KEY]
        with pytest.raises(KeyError):
            await getattr(client, name)(*arguments)
        await getattr(client, name)(*arguments, ledger=calls)
        assert (await client.submit(SONG, key=KEY, ledger=calls)).task_id
    assert len(sandbox.charges) == (1 if name == "adopt" else 2)


async def test_without_any_ledger_memory_is_used(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    assert await client.submit(SONG, key=KEY) == await client.submit(SONG, key=KEY)
    assert len(sandbox.charges) == 1
    assert client.graph_ledger(None) is None


async def test_a_lasting_budget_in_memory_is_warned_of(
    client: ProducerClient, tmp_path: Path, sandbox: ProducerSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that is started each hour would spend the budget of a day each hour, in silence."""

    def warnings() -> list[str]:
        return [message for message in caplog.messages if "begins from 0" in message]

    with Budget(max_calls=5, per="day"):
        async with client_of(sandbox, SqliteLedger(tmp_path / "ledger.sqlite")) as lasting:
            await lasting.submit(SONG)
        assert not warnings()
        for _ in range(2):
            await client.submit(SONG)
    with Budget(max_calls=5):
        await client.submit(SONG)
    assert len(warnings()) == 1


@pytest.mark.parametrize("own", [FalseLedger(), None], ids=["the client's", "the store's"])
async def test_in_a_graph_the_clients_ledger_wins_over_the_store(own: Ledger | None, sandbox: ProducerSandbox) -> None:
    store = InMemoryStore()
    async with client_of(sandbox, own) as client:
        builder = StateGraph(MessagesState)
        builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
        builder.add_edge(START, "tools")
        graph: Any = builder.compile(checkpointer=InMemorySaver(), store=store)
        call = {"type": "tool_call", "id": "call", "name": "producer_generate_music", "args": {"prompt": "a song"}}
        state = await graph.ainvoke(
            {"messages": [AIMessage("", id="message", tool_calls=[call])]}, {"configurable": {"thread_id": "thread"}}
        )
    assert json.loads(state["messages"][-1].text)["task_id"]
    assert await has_entry(StoreLedger(store), "thread/message/call") is (own is None)
    if own is not None:
        assert await has_entry(own, "thread/message/call")
