"""Nodes joined by plain edges, run again by LangGraph itself: nothing is bought that was refused, and nothing twice."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy

from producer_tools import ProducerClient
from producer_tools.langgraph import ApproveNode, DownloadNode, SongState, SubmitNode, WaitNode
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runs import AUDIOS, Builder, Runs, both_ways, paid, request

WALTZ = {"request": request("generate_music", prompt="a waltz")}


@pytest.fixture
def line(client: ProducerClient, directory: Path) -> Builder:
    """One node behind the other, whatever comes of each."""
    builder: Builder = StateGraph(SongState)
    steps = [("submit", SubmitNode(client)), ("wait", WaitNode(client)), ("download", DownloadNode(client, directory))]
    builder.add_sequence(steps)
    builder.add_edge(START, "submit")
    return builder


@both_ways
async def test_what_a_person_rejects_is_not_bought(runs: Runs, client: ProducerClient, directory: Path) -> None:
    """The graph has no edge that asks for the answer, and the answer holds all the same."""
    builder: Builder = StateGraph(SongState)
    steps = [("approve", ApproveNode(client)), ("submit", SubmitNode(client)), ("wait", WaitNode(client))]
    builder.add_sequence([*steps, ("download", DownloadNode(client, directory))])
    builder.add_edge(START, "approve")
    await runs(builder, WALTZ)
    state = await runs(builder, Command(resume={"decisions": [{"type": "reject", "message": "No waltz."}]}))
    assert state["error"]["code"] == "rejected"
    assert (state["task"], state["files"]) == ({}, [])


@pytest.mark.parametrize(
    "nonsense", [True, {"decisions": []}, {"decisions": [{"type": "accept"}]}, {"decisions": [{"type": "edit"}]}]
)
async def test_an_answer_that_cannot_be_read_is_asked_for_again(
    nonsense: Any, runs: Runs, client: ProducerClient
) -> None:
    """LangGraph keeps what was answered: the thread would fail with each further answer, the right one too."""
    builder: Builder = StateGraph(SongState)
    builder.add_node("approve", ApproveNode(client))
    builder.add_edge(START, "approve")
    await runs(builder, WALTZ)
    state = await runs(builder, Command(resume=nonsense))
    assert state["__interrupt__"][0].value["action_requests"][0]["name"] == "producer_generate_music"
    state = await runs(builder, Command(resume={"decisions": [{"type": "approve"}]}))
    assert state["error"] is None


async def test_a_refused_song_does_not_come_with_the_files_of_the_one_before(
    runs: Runs, line: Builder, sandbox: ProducerSandbox
) -> None:
    first = await runs(line, WALTZ)
    assert first["files"]
    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    second = await runs(line, {"request": request("generate_music", prompt="a tango")})
    assert second["error"]["code"] == "forbidden"
    assert (second["task"], second["files"]) == ({}, [])


async def test_a_song_that_failed_in_part_stays_a_failure(runs: Runs, line: Builder, sandbox: ProducerSandbox) -> None:
    """What there is of it is saved, and nobody takes it for the song."""
    sandbox.spoil_next()
    state = await runs(line, WALTZ)
    assert state["error"]["code"] == "api_error"
    assert state["task"]["success"] is False
    assert state["files"]


@both_ways
async def test_a_retried_subgraph_does_not_pay_again(
    runs: Runs, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """The retry is the user's own, around the whole subgraph, for a fault behind the submit."""
    faults = [ConnectionError("passing")]

    def stumble(_: SongState) -> None:
        if faults:
            raise faults.pop()

    inner: Builder = StateGraph(SongState)
    inner.add_sequence([("submit", SubmitNode(client)), ("stumble", stumble)])
    inner.add_edge(START, "submit")
    outer: Builder = StateGraph(SongState)
    outer.add_node("song", inner.compile(), retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    outer.add_edge(START, "song")
    for thread in ("a thread", None):
        state = await runs(outer, WALTZ, thread=thread)
        assert state["task"]["task_id"] == paid(sandbox)[-1]
    assert len(paid(sandbox)) == 2, "once with a thread, once without"


@pytest.mark.parametrize(("key", "songs"), [("the waltz", 1), (None, 2)])
async def test_time_travel_is_another_wish_unless_there_is_a_key(
    key: str | None, songs: int, runs: Runs, line: Builder, sandbox: ProducerSandbox
) -> None:
    """Who goes back to an old checkpoint may want another song, or the same one: the key says which."""
    await runs(line, {**WALTZ, "key": key})
    graph, config = runs._compiled(line, "a thread")
    before = [state async for state in graph.aget_state_history(config) if state.next == ("submit",)]
    again = await graph.ainvoke(None, before[0].config)
    assert len(paid(sandbox)) == songs
    assert again["task"]["task_id"] == paid(sandbox)[-1]


@pytest.mark.parametrize("nonsense", ["a song", {"prompt": "a song"}, {"name": "producer_generate_music"}])
async def test_a_request_that_is_none_is_an_error(
    nonsense: Any, runs: Runs, line: Builder, sandbox: ProducerSandbox
) -> None:
    state = await runs(line, {"request": nonsense})
    assert state["error"]["code"] == "bad_request"
    assert "a name and args" in state["error"]["message"]
    assert paid(sandbox) == []
