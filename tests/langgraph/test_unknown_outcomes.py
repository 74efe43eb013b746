"""A state that says that an outcome is unknown: nothing is sent again until a person has settled it."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from producer_tools import MemoryLedger, ProducerClient
from producer_tools.langgraph import SongState, SubmitNode, album_graph
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.langgraph.runner import AUDIOS, Builder, MakeAlbum, Runner, error_codes, fast_client, paid_task_ids, request
from tests.langgraph.song_graphs import WALTZ

SONG: Any = {"request": WALTZ}
APPROVED: Any = Command(resume={"decisions": [{"type": "approve"}]})
ALBUM = {"wishes": ["a waltz"]}


async def lost(run: Runner, graph: Builder, sandbox: ProducerSandbox, given: Any = SONG) -> Any:
    """The state after a submit whose answer was lost."""
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    return await run(graph, given)


async def test_a_request_without_a_key_becomes_the_adopted_task(
    run: Runner, plain_graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Each run is a new request. But this one may have been paid for, so it must not be sent again as a new one."""
    error = (await lost(run, plain_graph, sandbox))["error"]
    again = await run(plain_graph, SONG)
    assert (again["error"]["code"], again["error"]["key"]) == ("unknown_outcome", error["key"])
    assert f"client.adopt({error['key']!r}, task_id)" in again["error"]["message"]
    assert f"client.release({error['key']!r})" in again["error"]["message"]
    (task_id,) = paid_task_ids(sandbox)
    await client.adopt(error["key"], task_id)
    found = await run(plain_graph, SONG)
    assert (found["error"], found["task"]["task_id"]) == (None, task_id)
    await run(plain_graph, SONG)
    assert len(paid_task_ids(sandbox)) == 2, "after that, each run is a new request again"


@pytest.mark.parametrize(
    "other",
    [
        {"request": request("generate_music", prompt="a tango")},
        {**SONG, "key": "another waltz"},
        {**SONG, "error": None},
    ],
    ids=["another request", "another key", "the error removed"],
)
async def test_another_request_is_sent(other: Any, run: Runner, plain_graph: Builder, sandbox: ProducerSandbox) -> None:
    """One unknown outcome would block its thread for ever."""
    await lost(run, plain_graph, sandbox)
    assert (await run(plain_graph, other))["error"] is None
    assert len(paid_task_ids(sandbox)) == 2


@pytest.mark.parametrize("settled_by", ["adopt", "release"])
@pytest.mark.parametrize("kind", ["node", "node with a key", "album", "album with approval"])
async def test_a_lost_ledger_does_not_pay_again(
    kind: str, settled_by: str, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The checkpoint outlives a ledger in memory. It still says unknown, and a person can still settle it."""
    sandbox.listing.answer = "forbidden"  # else the task would be found

    def graph(client: ProducerClient) -> Builder:
        if kind.startswith("album"):
            return album_graph(client, approve=kind.endswith("approval"), download_dir=directory)
        submit: Builder = StateGraph(SongState)
        submit.add_node("submit", SubmitNode(client))
        return submit.add_edge(START, "submit")

    def song_of(state: Any) -> Any:
        return state["songs"][0] if kind.startswith("album") else state

    given: Any = ALBUM if kind.startswith("album") else {**SONG, **({"key": "waltz"} if "key" in kind else {})}
    async with fast_client(sandbox) as client:
        state = await lost(run, graph(client), sandbox, given)
        if "__interrupt__" in state:
            state = await run(graph(client), APPROVED)
        key = song_of(state)["error"]["key"]
    async with fast_client(sandbox, ledger=MemoryLedger()) as client:
        for _ in range(2):
            state = await run(graph(client), given)
            assert song_of(state)["error"]["code"] == "unknown_outcome"
        (task_id,) = paid_task_ids(sandbox)
        await (client.adopt(key, task_id) if settled_by == "adopt" else client.release(key))
        state = await run(graph(client), given)
    assert song_of(state)["error"] is None
    assert song_of(state)["task"]["task_id"] == paid_task_ids(sandbox)[-1]
    assert len(paid_task_ids(sandbox)) == (1 if settled_by == "adopt" else 2)


async def test_a_state_of_an_earlier_version_is_not_sent_again(
    client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """It does not hold the request. If it was another one, the ledger says so."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for
    error = {"code": "unknown_outcome", "message": "…", "key": "t/1/__pregel_pull/submit"}
    state = await SubmitNode(client).ainvoke({**SONG, "error": error})
    assert (state["error"]["code"], state["error"]["key"]) == ("unknown_outcome", error["key"])
    assert paid_task_ids(sandbox) == []


@pytest.mark.parametrize(
    "spelt_out",
    [{"instrumental": False, "callback_url": "http://x.example"}, {"model": "FUZZ-2.0"}, {"seed": ""}],
    ids=lambda spelt_out: next(iter(spelt_out)),
)
async def test_equal_arguments_in_another_form_are_the_same_request(
    spelt_out: dict[str, Any], run: Runner, plain_graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A model that spells a default out would be paid for twice, at once or in the next run."""
    error = (await lost(run, plain_graph, sandbox))["error"]
    for _ in range(2):
        state = await run(plain_graph, {"request": request("generate_music", prompt="a waltz", **spelt_out)})
        assert (state["error"]["code"], state["error"]["key"]) == ("unknown_outcome", error["key"])
    (task_id,) = paid_task_ids(sandbox)
    await client.adopt(error["key"], task_id)
    assert (await run(plain_graph, SONG))["task"]["task_id"] == task_id


async def test_a_song_of_an_album_that_was_adopted_is_saved(
    run: Runner, album: MakeAlbum, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """The person who adopted it waits for its files."""
    state = await lost(run, album(), sandbox, ALBUM)
    await client.adopt(state["songs"][0]["error"]["key"], paid_task_ids(sandbox)[0])
    state = await run(album(), ALBUM)
    assert error_codes(state) == [None]
    assert state["songs"][0]["files"]
