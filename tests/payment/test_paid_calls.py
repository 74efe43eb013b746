"""`paid` and the tool that lists paid tasks: a paid song is found when the messages about it are gone."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Budget,
    Ledger,
    ProducerClient,
    ProducerGenerateMusic,
    ProducerListPaidTasks,
    SqliteLedger,
    StoreLedger,
    SubmissionUnknownError,
    api_token,
)
from producer_tools.payment.entry import Entry
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")


def in_thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def call(tool: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"type": "tool_call", "id": tool, "name": tool, "args": arguments}])


def agent(client: ProducerClient, store: Any = None) -> Any:
    """A graph that runs the tool calls of the last message."""
    builder: Any = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client), ProducerListPaidTasks(client=client)]))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=InMemorySaver(), store=store)


async def listed(graph: Any, thread: str) -> dict[str, Any]:
    """What the model is told after all messages of a thread were dropped."""
    messages = [RemoveMessage(REMOVE_ALL_MESSAGES), call("producer_list_paid_tasks")]
    state = await graph.ainvoke({"messages": messages}, in_thread(thread))
    told = state["messages"][-1]
    assert isinstance(told, ToolMessage)
    content: dict[str, Any] = json.loads(str(told.content))
    return content


@pytest.mark.parametrize("holder", ["client", "store"])
async def test_an_agent_finds_the_song_whose_message_was_dropped(
    holder: str, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """It would submit the song again, and the user would pay twice."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite") if holder == "client" else None
    store = None if holder == "client" else InMemoryStore()
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, poll_interval=0) as client:
        graph = agent(client, store)
        for thread, prompt in (("mine", "a waltz"), ("mine/other", "a tango")):
            message = call("producer_generate_music", prompt=prompt)
            await graph.ainvoke({"messages": [message]}, in_thread(thread))
        told = await listed(graph, "mine")
        where = StoreLedger(store) if store else None
        by_application = await client.paid("mine", ledger=where)
        assert {each.thread for each in await client.paid(ledger=where)} == {"mine", "mine/other"}
    waltz, tango = sandbox.charges
    assert [(each["task_id"], each["state"], each["title"]) for each in told["paid"]] == [
        (waltz.task_id, "complete", "a waltz")
    ]
    assert "Do not submit again" in told["next_step"]
    assert [(each.task_id, each.thread) for each in by_application] == [(waltz.task_id, "mine")]
    assert tango.task_id not in json.dumps(told)


async def test_a_thread_that_has_paid_for_nothing_says_so(sandbox: ProducerSandbox) -> None:
    """A model that reads an empty list without a word may think that the tool failed."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        told = await listed(agent(client, InMemoryStore()), "new")
    assert told == {"paid": [], "not_shown": 0, "next_step": "Nothing was submitted yet in this conversation."}


async def test_an_unknown_outcome_is_listed_as_one_to_tell_the_user(sandbox: ProducerSandbox) -> None:
    """A song that may have been charged would be missing, and be submitted again."""
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.RESET_BEFORE_WORK, endpoint=AUDIOS)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
        told = json.loads(await ProducerListPaidTasks(client=client).ainvoke({}))
    assert [(each["task_id"], each["state"]) for each in told["paid"]] == [(None, "unknown")]
    assert "may have been charged" in told["next_step"]


async def test_a_model_reads_the_newest_twenty(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """A long conversation would cost thousands of characters with each look."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        for number in range(22):
            await client.submit(GenerateMusic(prompt=f"song {number}"), key=str(number))
        message = await ProducerListPaidTasks(client=client).ainvoke(call("producer_list_paid_tasks").tool_calls[0])
    told = json.loads(message.content)
    assert [each["title"] for each in told["paid"]] == [f"song {number}" for number in range(21, 1, -1)]
    assert (told["not_shown"], len(message.artifact["paid"])) == (2, 22)


async def test_calls_are_found_by_user(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """One user would be shown the songs of another: of another token, or of another budget on a shared token."""
    sandbox.add_user("another-token")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        with Budget(max_calls=9, scope="user 42"):
            await client.submit(SONG, key="of 42")
        await client.submit(SONG, key="of nobody")
        with api_token("another-token"):
            await client.submit(SONG, key="of another account")
        assert [each.key for each in await client.paid(scope="user 42")] == ["of 42"]
        assert [each.key for each in await client.paid()] == ["of nobody", "of 42"]


async def test_entries_of_an_earlier_version_are_found_by_their_key(ledger: Ledger, client: ProducerClient) -> None:
    """The songs of a thread that began before an update would be missing."""
    await client.submit(SONG, key="mine/call 1", ledger=ledger)
    (known,) = await ledger.entries()
    assert isinstance(known, Entry)
    assert known.thread == ""
    assert [each.key for each in await client.paid("mine", ledger=ledger)] == ["mine/call 1"]
    assert await client.paid("min", ledger=ledger) == ()
