"""What the nodes do when something fails: the state says what happened, and a later run can go on."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

import producer_tools
from producer_tools import (
    Budget,
    MissingTokenError,
    ProducerClient,
    RateLimitError,
    ServiceUnreachableError,
    SqliteLedger,
)
from producer_tools.langgraph import ApproveNode, DownloadNode, SongRequest, SongState, SubmitNode, WaitNode
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import FastClock, InstantClock
from tests.langgraph.runner import AUDIOS, MODES, Builder, Runner, fast_client, paid_task_ids, request, sync_and_async
from tests.langgraph.song_graphs import WALTZ, build_checked_graph, order
from tests.saved_files import saved_files

INVALID = {
    "an unknown tool": request("compose_opera", prompt="x"),
    "a free tool": request("get_task", task_id="x"),
    "a missing argument": request("generate_music"),
    "an unknown argument": request("generate_music", prompt="x", loudness=11),
    "an argument out of range": request("generate_music", prompt="x", weirdness=2),
    "a blank text": request("generate_music", prompt=" "),
    "a file, which only a tool with a folder takes": request("upload_audio", path="take.wav"),
}


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
async def test_an_invalid_request_is_an_error_and_sends_nothing(
    invalid: SongRequest, run: Runner, graph: Builder, sandbox: ProducerSandbox
) -> None:
    """The error must say that nothing was sent, and must go away with the next success."""
    state = await run(graph, order(invalid))
    assert state["error"]["code"] == "bad_request"
    assert "Nothing was sent" in state["error"]["message"]
    assert state["task"] == {}
    assert paid_task_ids(sandbox) == []
    assert (await run(graph, order()))["error"] is None


@pytest.mark.parametrize("code", ["forbidden", "used_up"])
async def test_a_refused_request_can_be_sent_again(
    code: str, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A refusal does no work, so its key must be free again: otherwise the song could never be made."""
    sandbox.fail_next(code, endpoint=AUDIOS)
    async with fast_client(sandbox, clock=InstantClock()) as client:
        graph = build_checked_graph(client, directory)
        refused = await run(graph, order(key="the waltz"))
        assert refused["error"]["code"] == code
        assert "Nothing was charged" in refused["error"]["message"]
        assert paid_task_ids(sandbox) == []
        done = await run(graph, order(key="the waltz"))
    assert paid_task_ids(sandbox) == [done["task"]["task_id"]]


@sync_and_async
@pytest.mark.parametrize("more", [{}, {"key": "the waltz"}], ids=["no key", "a key"])
async def test_a_failure_beside_a_submit_does_not_lose_its_task(
    more: dict[str, str], run: Runner, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """LangGraph cancels a step's other nodes when one fails. The song that one of them has asked for is paid for."""
    sandbox.listing.answer = "forbidden"  # else a task that was not written down would be found
    sandbox.fail_next(Fault.SLOW, endpoint=AUDIOS)
    failures = [LookupError("another node has failed")]

    def fail_once(_: SongState) -> dict[str, Any]:
        while not sandbox.requests:
            time.sleep(0.001)
        if failures:
            raise failures.pop()
        return {}

    def graph(client: ProducerClient) -> Builder:
        builder: Builder = StateGraph(SongState)
        for name, node in (("submit", SubmitNode(client)), ("fail once", fail_once)):
            builder.add_node(name, node)
            builder.add_edge(START, name)
        return builder

    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        with pytest.raises(LookupError):
            await run(graph(client), {"request": WALTZ, **more})
    (entry,) = await ledger.entries()
    assert [entry.answer and entry.answer["task_id"]] == paid_task_ids(sandbox)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        state = await run(graph(client), None)
    assert state["error"] is None
    assert paid_task_ids(sandbox) == [state["task"]["task_id"]]


async def test_a_busy_service_ends_the_run_and_the_next_run_goes_on(
    run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """If it were an error in the state, the graph would give up a song that only had to wait."""
    for _ in range(40):
        sandbox.fail_next("too_many_requests", endpoint=AUDIOS)
    async with fast_client(sandbox, clock=InstantClock()) as client:
        graph, state = build_checked_graph(client, directory), None
        while state is None:
            with suppress(RateLimitError):
                state = await run(graph, order(key="the waltz"))
    assert paid_task_ids(sandbox) == [state["task"]["task_id"]]


async def test_an_unreachable_service_ends_the_run(run: Runner, directory: Path) -> None:
    """If it were an error in the state, the graph would give up a song that can be sent later."""
    async with ProducerClient("a token", "http://127.0.0.1:9", clock=InstantClock()) as client:
        with pytest.raises(ServiceUnreachableError, match="Nothing was sent and nothing was charged"):
            await run(build_checked_graph(client, directory), order())


async def test_a_failed_task_is_an_error(
    run: Runner, graph: Builder, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The state must have the service's own message, and must not pass off a partial result as the song."""
    sandbox.spoil_next("api_error", "the singer has a cold")
    state = await run(graph, order())
    assert state["error"] == {"code": "api_error", "message": "the singer has a cold"}
    assert (state["task"]["success"], state["task"]["results"]) == (False, [])
    assert state["files"] == []
    assert not directory.exists()
    assert paid_task_ids(sandbox) == []


@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_task_is_an_error(mode: str, client: ProducerClient, directory: Path) -> None:
    """If it counted as unfinished, a graph would wait for it without end."""
    state = {"task": {"task_id": "no-such-task", "success": None}}
    for node in (WaitNode(client), DownloadNode(client, directory)):
        update = node.invoke(state) if mode == "invoke" else await node.ainvoke(state)
        assert update["error"]["code"] == "not_found"
        assert "no-such-task" in update["error"]["message"]


async def test_a_refused_look_up_can_be_repeated(run: Runner, graph: Builder, sandbox: ProducerSandbox) -> None:
    """The song is being made all the same: it must be neither lost nor paid for again."""
    sandbox.fail_next("token_expired", endpoint="/producer/tasks")
    refused = await run(graph, order(key="the waltz"))
    assert refused["error"]["code"] == "token_expired"
    done = await run(graph, order(key="the waltz"))
    assert done["error"] is None
    assert len(paid_task_ids(sandbox)) == 1


async def test_only_the_download_is_repeated(
    run: Runner, graph: Builder, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A file that could not be saved must not cause another submit, and the files beside it must stay."""
    with sandbox.missing_files("audio"):
        broken = await run(graph, order(key="the waltz"))
    assert broken["error"]["code"] == "download_failed"
    assert broken["error"]["message"].startswith("audio: The file is not there")
    assert [saved["kind"] for saved in broken["files"]] == ["cover"]
    (cover,) = saved_files(directory)
    saved_at = cover.stat().st_mtime_ns
    whole = await run(graph, order(key="the waltz"))
    assert whole["error"] is None
    assert [saved["kind"] for saved in whole["files"]] == ["audio", "cover"]
    assert cover.stat().st_mtime_ns == saved_at
    assert len(paid_task_ids(sandbox)) == 1


@sync_and_async
@pytest.mark.parametrize("limit", ["the client's", "the run's"])
async def test_a_budget_holds(limit: str, run: Runner, sandbox: ProducerSandbox, directory: Path) -> None:
    """Sync graphs run their nodes in other threads and event loops, where a budget could get lost."""
    own = Budget(max_calls=1) if limit == "the client's" else None
    async with fast_client(sandbox, budget=own) as client:
        graph = build_checked_graph(client, directory)
        with producer_tools.budget(max_calls=2 if own else 1):
            states = [await run(graph, order()), await run(graph, order())]
    assert [state["error"] and state["error"]["code"] for state in states] == [None, "budget_exceeded"]
    assert len(paid_task_ids(sandbox)) == 1


@sync_and_async
async def test_a_missing_token_ends_the_run_and_the_next_run_goes_on(
    run: Runner, sandbox: ProducerSandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it were an error in the state, the graph would give up a song because of a setting that can be corrected."""
    async with ProducerClient(base_url=sandbox.base_url, poll_interval=0, clock=FastClock(10)) as client:
        graph = build_checked_graph(client, directory)
        with pytest.raises(MissingTokenError):
            await run(graph, order())
        assert paid_task_ids(sandbox) == []
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
        state = await run(graph, None)
    assert state["thanks"] == "Ann, your song is complete"
    assert len(paid_task_ids(sandbox)) == 1


async def test_a_refused_song_does_not_keep_the_files_of_the_one_before(
    run: Runner, plain_graph: Builder, sandbox: ProducerSandbox
) -> None:
    """In one thread, the old task and files would look like those of the new song."""
    first = await run(plain_graph, {"request": WALTZ})
    assert first["files"]
    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    second = await run(plain_graph, {"request": request("generate_music", prompt="a tango")})
    assert second["error"]["code"] == "forbidden"
    assert (second["task"], second["files"]) == ({}, [])


async def test_a_partly_failed_song_is_saved_and_stays_an_error(
    run: Runner, plain_graph: Builder, sandbox: ProducerSandbox
) -> None:
    """Its files are worth saving, but they must not be taken for a finished song."""
    sandbox.spoil_next()
    state = await run(plain_graph, {"request": WALTZ})
    assert state["error"]["code"] == "api_error"
    assert state["task"]["success"] is False
    assert state["files"]


@pytest.mark.parametrize("value", ["a song", {"prompt": "a song"}, {"name": "producer_generate_music"}])
async def test_a_request_without_name_and_args_is_an_error(
    value: Any, run: Runner, plain_graph: Builder, sandbox: ProducerSandbox
) -> None:
    """A mistake in the user's own code must be named in the error, not crash the node."""
    state = await run(plain_graph, {"request": value})
    assert state["error"]["code"] == "bad_request"
    assert "a name and args" in state["error"]["message"]
    assert paid_task_ids(sandbox) == []


@pytest.mark.parametrize("node", [SubmitNode, ApproveNode, WaitNode, DownloadNode])
@pytest.mark.parametrize("state", [{}, {"request": None, "task": {}}], ids=["empty", "nothing"])
async def test_a_node_with_nothing_to_do_says_so(
    node: Any, state: dict[str, Any], client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A graph that was wired wrongly ended with ``KeyError: 'request'``, or in silence."""
    update = await node(client).ainvoke(state)
    assert update["error"]["code"] == "bad_request"
    assert "The state has no " in update["error"]["message"]
    earlier = {"code": "rejected", "message": "A person does not want it."}
    assert (await node(client).ainvoke({**state, "error": earlier}))["error"] == earlier
    assert paid_task_ids(sandbox) == []
