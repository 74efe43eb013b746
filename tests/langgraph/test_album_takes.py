"""Further takes, and authors that fail: what was paid for reaches the album, and no song takes others along."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import ConfigurationError, MemoryLedger, ProducerClient
from producer_tools.langgraph import Song, SongRequest, album_graph, extend, vary
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.runs import AUDIOS, Builder, Runs, both_ways, client_of, codes, paid, prompts, request

WALTZ = {"wishes": ["a waltz"]}


def once_more(song: Song) -> SongRequest | None:
    return vary(song) if len(song["takes"]) == 1 else None


async def test_a_further_take_whose_outcome_is_unknown_is_not_lost(
    runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """It may have been paid for: the song waits for a person's word, and then has it."""

    def review(song: Song) -> SongRequest | None:
        if len(song["takes"]) == 1:
            sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
        return once_more(song)

    ledger = MemoryLedger()
    async with client_of(sandbox, ledger=ledger) as client:
        graph = album_graph(client, review=review, download_dir=directory)
        state = await runs(graph, WALTZ)
        assert codes(state) == ["unknown_outcome"]
        assert codes(await runs(graph, WALTZ)) == ["unknown_outcome"], "it is not sent again"
        await client.adopt(state["songs"][0]["error"]["key"], paid(sandbox)[1])
        state = await runs(graph, WALTZ)
    assert codes(state) == [None]
    assert [take["task_id"] for take in state["songs"][0]["takes"]] == paid(sandbox)
    assert len(paid(sandbox)) == 2


async def test_a_further_take_that_was_not_waited_for_is_not_lost(
    runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """It was paid for, and it will be finished some time."""

    def review(song: Song) -> SongRequest | None:
        sandbox.render_seconds = 10_000
        return once_more(song)

    async with client_of(sandbox, clock=InstantClock(), poll_interval=100) as client:
        state = await runs(album_graph(client, review=review, download_dir=directory), WALTZ)
        assert codes(state) == ["not_finished"]
        sandbox.finish_now()
        state = await runs(album_graph(client, review=review, download_dir=directory), WALTZ)
    assert codes(state) == [None]
    assert [take["task_id"] for take in state["songs"][0]["takes"]] == paid(sandbox)


@both_ways
async def test_an_author_who_fails_stops_no_other_song(runs: Runs, sandbox: ProducerSandbox, directory: Path) -> None:
    """Were the run to end, the songs beside it would be cut off while they are being paid for."""
    faults = [ValueError("the model is overloaded")]

    def write(song: Song) -> SongRequest:
        if song["wish"] == "a tango" and faults:
            raise faults.pop()
        return request("generate_music", prompt=song["wish"])

    wishes = {"wishes": ["a waltz", "a tango", "a polka"]}
    async with client_of(sandbox) as client:
        graph = album_graph(client, write=write, download_dir=directory)
        state = await runs(graph, wishes)
        assert codes(state) == [None, "not_written", None]
        assert state["songs"][1]["error"]["message"] == "ValueError: the model is overloaded"
        assert codes(await runs(graph, wishes)) == [None] * 3
    assert prompts(sandbox) == dict.fromkeys(wishes["wishes"], 1)


async def test_a_take_that_could_not_be_reviewed_is_kept(runs: Runs, sandbox: ProducerSandbox, directory: Path) -> None:
    """It was paid for, and it is a song."""

    def review(song: Song) -> SongRequest:
        del song["takes"][0]["results"][0]["duration_seconds"]
        return extend(song)

    async with client_of(sandbox) as client:
        state = await runs(album_graph(client, review=review, download_dir=directory), WALTZ)
    (song,) = state["songs"]
    assert (song["error"], song["take_error"]["code"]) == (None, "not_reviewed")
    assert "give continue_at" in song["take_error"]["message"]
    assert song["files"]
    assert len(paid(sandbox)) == 1


async def test_what_a_person_has_approved_is_not_swapped_for_another_song(
    runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """An album without a person takes the song that was paid for; one with a person tells of it."""
    ledger = MemoryLedger()
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=ledger) as client:
        first = await runs(album_graph(client, download_dir=directory), WALTZ)

        def reworded(_: Song) -> SongRequest:
            return request("generate_music", prompt="a slower waltz")

        for approve, code in ((False, None), (True, "key_reused")):
            graph = album_graph(client, write=reworded, approve=approve, download_dir=directory)
            state = await _from_the_start(graph)
            assert codes(state) == [code]
    assert first["songs"][0]["task"]["task_id"] == paid(sandbox)[0]
    assert len(paid(sandbox)) == 1


async def _from_the_start(builder: Builder) -> dict[str, Any]:
    """Run it on a thread that the ledger knows and no checkpointer does."""
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "a thread"}}
    state: dict[str, Any] = await graph.ainvoke(WALTZ, config)
    if "__interrupt__" in state:
        state = await graph.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    return state


@pytest.mark.parametrize("nonsense", ["keep", ["vary"], True, {"a": 1}])
async def test_an_author_who_answers_nonsense_is_told_so(
    nonsense: Any, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A word is what one would return who has read "keep, vary, extend"; the take has been paid for by then."""
    async with client_of(sandbox) as client:
        reviewed = await runs(album_graph(client, review=lambda _: nonsense, download_dir=directory), WALTZ)
        (song,) = reviewed["songs"]
        assert song["files"]
        assert song["take_error"]["code"] == "not_reviewed"
        assert repr(nonsense) in song["take_error"]["message"]
        written = await runs(album_graph(client, write=lambda _: nonsense), WALTZ, thread="another")
        assert codes(written) == ["not_written"]
    assert len(paid(sandbox)) == 1


@pytest.mark.parametrize("wishes", ["a slow waltz", None, 3])
async def test_wishes_that_are_no_list_are_refused(
    wishes: Any, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A text would be a song for each of its letters."""
    async with client_of(sandbox) as client:
        with pytest.raises(ConfigurationError, match="wishes must be a list of texts"):
            await runs(album_graph(client, download_dir=directory), {"wishes": wishes})
    assert paid(sandbox) == []
