"""Reviews and further takes: what was paid for is kept, and a review cannot spend without end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from producer_tools import ProducerClient
from producer_tools.langgraph import Song, SongRequest, album_graph, extend, keep, vary
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.runner import (
    AUDIOS,
    MakeAlbum,
    Runner,
    charged_actions,
    error_codes,
    fast_client,
    paid_task_ids,
)

WALTZ = {"wishes": ["a waltz"]}


def once(ask: Callable[[Song], SongRequest]) -> Callable[[Song], SongRequest | None]:
    """A review that asks for one further take."""
    return lambda song: ask(song) if len(song["takes"]) == 1 else None


async def async_review(song: Song) -> SongRequest | None:
    return once(vary)(song)


@pytest.mark.parametrize(
    ("review", "made"),
    [
        (keep, ["generate"]),
        (once(vary), ["generate", "variation"]),
        (once(extend), ["generate", "extend"]),
        (async_review, ["generate", "variation"]),
        (RunnableLambda(once(extend)), ["generate", "extend"]),
        (vary, ["generate", "variation", "variation"]),
    ],
    ids=["keep", "vary", "extend", "async function", "runnable", "never satisfied"],
)
async def test_a_review_can_ask_for_further_takes(
    review: Any, made: list[str], run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """Each take is made from the one before it, there are at most three, and the newest one is saved."""
    state = await run(album(review=review), WALTZ)
    (song,) = state["songs"]
    assert charged_actions(sandbox) == made
    assert [take["task_id"] for take in song["takes"]] == paid_task_ids(sandbox)
    assert song["task"] == song["takes"][-1]
    assert (song["error"], song["take_error"]) == (None, None)
    assert {file["audio_id"] for file in song["files"]} == {song["task"]["results"][0]["audio_id"]}
    for charge, before in zip(sandbox.charges[1:], song["takes"], strict=False):
        assert charge.request["audio_id"] == before["results"][0]["audio_id"]
        if charge.action == "extend":
            assert charge.request["continue_at"] == before["results"][0]["duration_seconds"]


async def test_a_review_sets_the_arguments_of_a_further_take(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """Otherwise a review could not say how, and from where, a song goes on."""

    def review(song: Song) -> SongRequest | None:
        first, second = {"prompt": "slower"}, {"continue_at": 4.5, "lyric": "[Outro]\nGood night"}
        return {1: vary(song, **first), 2: extend(song, **second)}.get(len(song["takes"]))

    await run(album(review=review), WALTZ)
    varied, extended = (charge.request for charge in sandbox.charges[1:])
    assert varied["prompt"] == "slower"
    assert (extended["continue_at"], extended["lyric"]) == (4.5, "[Outro]\nGood night")


@pytest.mark.parametrize("takes", [1, 2])
async def test_the_number_of_takes_is_limited(
    takes: int, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """A review that is never satisfied would spend money without end."""
    reviewed = []

    def review(song: Song) -> SongRequest:
        reviewed.append(len(song["takes"]))
        return vary(song)

    await run(album(review=review, takes=takes), WALTZ)
    assert len(sandbox.charges) == takes
    assert reviewed == list(range(1, takes)), "the last allowed take needs no review"


@pytest.mark.parametrize(
    ("cause_failure", "code"),
    [
        (lambda sandbox: sandbox.spoil_next("api_error"), "api_error"),
        (lambda sandbox: sandbox.fail_next("forbidden", endpoint=AUDIOS), "forbidden"),
        (None, "bad_request"),
    ],
    ids=["fails", "is refused", "is invalid"],
)
async def test_a_failed_further_take_leaves_the_song_as_it_was(
    cause_failure: Any, code: str, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """The take before it was paid for: it must be saved, and ``take_error`` must say why there is no other."""

    def review(song: Song) -> SongRequest:
        if cause_failure is None:
            return vary(song, loudness=11)
        cause_failure(sandbox)
        return vary(song)

    graph = album(review=review)
    state = await run(graph, WALTZ)
    (song,) = state["songs"]
    assert (song["error"], song["take_error"]["code"]) == (None, code)
    assert song["task"]["task_id"] == sandbox.charges[0].task_id
    assert len(song["takes"]) == 1
    assert song["files"]
    charges = sandbox.charges
    assert await run(graph, WALTZ) == state, "the song is finished, so nothing is left to do"
    assert sandbox.charges == charges


async def test_take_error_survives_a_repeated_download(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """Otherwise nobody would see that the review wanted another take and did not get it."""

    def review(song: Song) -> SongRequest:
        sandbox.fail_next("forbidden", endpoint=AUDIOS)
        return vary(song)

    graph = album(review=review)
    with sandbox.missing_files("audio"):
        state = await run(graph, WALTZ)
    assert error_codes(state) == ["download_failed"]
    state = await run(graph, WALTZ)
    assert error_codes(state) == [None]
    assert state["songs"][0]["take_error"]["code"] == "forbidden"


async def test_a_further_take_whose_outcome_is_unknown_is_not_lost(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox, client: ProducerClient
) -> None:
    """It may have been paid for: the song must wait until a person names the task, and then use it."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for

    def review(song: Song) -> SongRequest | None:
        if len(song["takes"]) == 1:
            sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
        return once(vary)(song)

    graph = album(review=review)
    state = await run(graph, WALTZ)
    assert error_codes(state) == ["unknown_outcome"]
    assert error_codes(await run(graph, WALTZ)) == ["unknown_outcome"], "it must not be sent again"
    await client.adopt(state["songs"][0]["error"]["key"], paid_task_ids(sandbox)[1])
    state = await run(graph, WALTZ)
    assert error_codes(state) == [None]
    assert [take["task_id"] for take in state["songs"][0]["takes"]] == paid_task_ids(sandbox)
    assert len(paid_task_ids(sandbox)) == 2


async def test_a_further_take_that_timed_out_is_not_lost(
    run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """It was paid for, so the next run must wait for it and use it."""

    def review(song: Song) -> SongRequest | None:
        sandbox.render_seconds = 10_000
        return once(vary)(song)

    async with fast_client(sandbox, clock=InstantClock(), poll_interval=100) as client:
        state = await run(album_graph(client, review=review, download_dir=directory), WALTZ)
        assert error_codes(state) == ["not_finished"]
        sandbox.finish_now()
        state = await run(album_graph(client, review=review, download_dir=directory), WALTZ)
    assert error_codes(state) == [None]
    assert [take["task_id"] for take in state["songs"][0]["takes"]] == paid_task_ids(sandbox)


async def test_a_take_that_could_not_be_reviewed_is_kept(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """It was paid for: an error in the review must not lose it."""

    def review(song: Song) -> SongRequest:
        del song["takes"][0]["results"][0]["duration_seconds"]
        return extend(song)

    state = await run(album(review=review), WALTZ)
    (song,) = state["songs"]
    assert (song["error"], song["take_error"]["code"]) == (None, "not_reviewed")
    assert "give continue_at" in song["take_error"]["message"]
    assert song["files"]
    assert len(paid_task_ids(sandbox)) == 1
