"""An album that is run again: only what is missing is done, and nothing is paid for twice."""

from asyncio import StreamWriter
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ProducerClient
from producer_tools.langgraph import Song, SongRequest, album_graph, vary
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.runner import (
    AUDIOS,
    SQLITE_MODES,
    MakeAlbum,
    Runner,
    charged_prompts,
    error_codes,
    fast_client,
    open_runner,
    paid_task_ids,
    request,
    sync_and_async,
)
from tests.raw_server import answering, http

WALTZ = {"wishes": ["a waltz"]}
WISHES = ["a waltz", "a tango", "a polka"]


@sync_and_async
async def test_only_the_refused_song_is_written_and_submitted_again(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """Finished songs must not be paid for again, and the refused words would be refused again."""
    written = []

    def write(song: Song) -> SongRequest:
        written.append(song["wish"])
        return request("generate_music", prompt=song["wish"])

    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    graph = album(write=write)
    first = await run(graph, {"wishes": WISHES})
    (failed,) = [song for song in first["songs"] if song["error"]]
    second = await run(graph, {"wishes": WISHES})
    assert error_codes(second) == [None] * 3
    assert [song for song in second["songs"] if song["wish"] != failed["wish"]] == [
        song for song in first["songs"] if not song["error"]
    ]
    assert sorted(written) == sorted([*WISHES, failed["wish"]])
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)
    assert await run(graph, {"wishes": WISHES}) == second, "all songs are finished, so nothing is left to do"
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_a_failed_task_is_submitted_under_a_new_key(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """Under the same key, the ledger would return the failed task every time."""
    sandbox.spoil_next()
    sandbox.spoil_next()
    graph = album()
    states = [await run(graph, WALTZ) for _ in range(4)]
    assert [error_codes(state) for state in states] == [["api_error"], ["api_error"], [None], [None]]
    assert paid_task_ids(sandbox) == [states[-1]["songs"][0]["task"]["task_id"]]


@pytest.mark.parametrize("before", ["nothing", "a failed task"])
async def test_an_unknown_outcome_is_not_sent_again(
    before: str, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox, client: ProducerClient
) -> None:
    """It may have been paid for already, however often the album is run again."""
    graph = album()
    if before == "a failed task":
        sandbox.spoil_next()
        assert error_codes(await run(graph, WALTZ)) == ["api_error"]
    sandbox.listing.answer = "forbidden"  # else the task would be found
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    for _ in range(3):
        state = await run(graph, WALTZ)
        assert error_codes(state) == ["unknown_outcome"]
    (charge,) = sandbox.charges
    await client.adopt(state["songs"][0]["error"]["key"], charge.task_id)
    state = await run(graph, WALTZ)
    assert error_codes(state) == [None]
    assert state["songs"][0]["task"]["task_id"] == charge.task_id
    assert len(paid_task_ids(sandbox)) == 1


async def test_an_unknown_outcome_is_sent_again_after_release(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox, client: ProducerClient
) -> None:
    """A person who sees in the account that nothing was made could otherwise never get the song."""
    graph = album()
    sandbox.listing.answer = "forbidden"  # else the task would be looked for
    sandbox.fail_next(Fault.ERROR_BEFORE_WORK, endpoint=AUDIOS)
    state = await run(graph, WALTZ)
    await client.release(state["songs"][0]["error"]["key"])
    assert error_codes(await run(graph, WALTZ)) == [None]
    assert len(paid_task_ids(sandbox)) == 1


async def test_only_the_download_is_repeated(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """A file that could not be saved must cause neither another submit nor another review."""
    reviewed = []

    def review(song: Song) -> SongRequest | None:
        reviewed.append(song["number"])
        return vary(song) if len(song["takes"]) == 1 else None

    graph = album(review=review)
    with sandbox.missing_files("audio"):
        broken = await run(graph, WALTZ)
    assert error_codes(broken) == ["download_failed"]
    events = run.events(graph, WALTZ, stream_mode="updates", subgraphs=True)
    assert [next(iter(update)) async for _, update in events] == ["write", "download", "song"]
    state = await run.state(graph)
    assert error_codes(state) == [None]
    assert state["songs"][0]["task"] == broken["songs"][0]["task"]
    assert {file["kind"] for file in state["songs"][0]["files"]} == {"audio", "cover"}
    assert reviewed == [1, 1]
    assert len(paid_task_ids(sandbox)) == 2


@pytest.mark.parametrize("mode", SQLITE_MODES)
async def test_another_process_waits_for_a_song_that_timed_out(mode: str, tmp_path: Path, directory: Path) -> None:
    """The ledger of the first process is lost: if the task id in the checkpoint were not used, it would pay again."""
    codes_and_ids = []
    with ProducerSandbox(render_seconds=3600, silent=True) as sandbox:
        for _ in range(2):
            async with fast_client(sandbox, clock=InstantClock()) as client, open_runner(mode, tmp_path) as run:
                state = await run(album_graph(client, download_dir=directory), WALTZ)
                codes_and_ids.append((error_codes(state), state["songs"][0]["task"]["task_id"]))
            sandbox.finish_now()
        (charge,) = sandbox.charges
    assert codes_and_ids == [(["not_finished"], charge.task_id), ([None], charge.task_id)]


async def test_another_wish_at_the_same_place_is_a_new_song(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """The changed wish must be made, and the finished songs beside it must stay as they are."""
    first = await run(album(), {"wishes": WISHES})
    second = await run(album(), {"wishes": ["a waltz", "a march", "a polka"]})
    assert [song["wish"] for song in second["songs"]] == ["a waltz", "a march", "a polka"]
    assert [second["songs"][0], second["songs"][2]] == [first["songs"][0], first["songs"][2]]
    assert charged_prompts(sandbox) == dict.fromkeys([*WISHES, "a march"], 1)


async def test_a_stuck_task_is_looked_up_again_and_not_submitted_again(run: Runner, directory: Path) -> None:
    """It may have finished after all, and a new submit would then be a second payment."""
    stuck = {"id": "t1", "created_at": 1, "response": {"success": False, "error": "temporary"}}
    done = {"id": "t1", "finished_at": 9, "response": {"data": [{"id": "a1", "state": "succeeded"}]}}

    async def show(writer: StreamWriter) -> None:
        """The record is the same for all look-ups of a run: a wait may send one more, and not read its answer."""
        record = done if len(states) == 2 else stuck
        writer.write(http({"items": [record]} if b"retrieve_batch" in server.requests[-1] else record))
        await writer.drain()

    async with answering(http({"task_id": "t1"}), show) as server:
        async with ProducerClient("a token", server.base_url, clock=InstantClock()) as client:
            graph, states = album_graph(client, download_dir=directory), list[Any]()
            for _ in range(3):
                states.append(await run(graph, WALTZ))
    assert [error_codes(state) for state in states[:2]] == [["stuck"], ["stuck"]]
    assert states[-1]["songs"][0]["task"]["state"] == "complete"
    assert sum(AUDIOS.encode() in each for each in server.requests) == 1
