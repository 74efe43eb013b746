"""An album: a song to each wish, each on its own way, and nothing paid for twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from producer_tools import ProducerClient, RateLimitError, Task, TaskBatch
from producer_tools.langgraph import Song, SongRequest, album_graph, extend, keep, review_with, vary, write_with
from producer_tools.langgraph.album import BUSY_SERVICE
from producer_tools.sandbox import Fault, ProducerSandbox, ScriptedChatModel, files
from tests.clocks import InstantClock, ManualClock
from tests.langgraph.models import FakeModel, calling
from tests.langgraph.runs import (
    AUDIOS,
    ON_DISK,
    Builder,
    Runs,
    both_ways,
    client_of,
    codes,
    everywhere,
    gone,
    is_plain,
    paid,
    prompts,
    request,
    running,
)
from tests.raw_server import answering, http

Album = Callable[..., Builder]
WISHES = ["a waltz", "a tango", "a polka"]


@pytest.fixture
def album(client: ProducerClient, directory: Path) -> Album:
    """Builds the graph of an album."""
    return lambda **options: album_graph(client, download_dir=directory, **options)


def actions(sandbox: ProducerSandbox) -> list[str | None]:
    return [charge.action for charge in sandbox.charges]


@everywhere
async def test_each_wish_becomes_a_song(runs: Runs, album: Album, sandbox: ProducerSandbox, directory: Path) -> None:
    """In the order of the wishes, whichever is done first; in a state that is plain, and kept."""
    state = await runs(album(), {"wishes": WISHES})
    assert [(song["number"], song["wish"]) for song in state["songs"]] == list(enumerate(WISHES, start=1))
    assert codes(state) == [None] * 3
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)
    charged = {charge.request["prompt"]: charge.task_id for charge in sandbox.charges}
    assert [song["task"]["task_id"] for song in state["songs"]] == [charged[wish] for wish in WISHES]
    saved = [file["path"] for song in state["songs"] for file in song["files"]]
    assert sorted(saved) == sorted(str(path) for path in directory.iterdir())
    assert is_plain(state)
    assert await runs.state(album()) == state


async def test_no_wishes_make_no_album(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    state = await runs(album(), {"wishes": []})
    assert state["songs"] == []
    assert paid(sandbox) == []


async def test_the_same_wish_twice_is_two_songs(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """They have places of their own on the album."""
    state = await runs(album(), {"wishes": ["a waltz", "a waltz"]})
    assert len({song["task"]["task_id"] for song in state["songs"]}) == len(sandbox.charges) == 2


@both_ways
async def test_twenty_wishes_at_once(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """More than the service takes at once, and more than there are threads: none is lost, none made twice."""
    wishes = [f"song {number}" for number in range(20)]
    state = await runs(album(), {"wishes": wishes})
    assert [song["wish"] for song in state["songs"]] == wishes
    assert codes(state) == [None] * 20
    assert prompts(sandbox) == dict.fromkeys(wishes, 1)


async def test_a_song_that_fails_stops_no_other(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """One is refused, one fails when it was made, one makes no sense: the fourth is a song all the same."""

    def write(song: Song) -> SongRequest:
        return request("generate_music", prompt=song["wish"] if song["wish"] != "nonsense" else "x" * 201)

    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    sandbox.spoil_next("api_error", "the singer has a cold")
    state = await runs(album(write=write), {"wishes": ["nonsense", *WISHES]})
    assert codes(state)[0] == "bad_request"
    assert Counter(codes(state)) == Counter([None, "bad_request", "forbidden", "api_error"])
    assert len(paid(sandbox)) == 1
    assert [bool(song.get("files")) for song in state["songs"]] == [code is None for code in codes(state)]


def once(ask: Callable[[Song], SongRequest]) -> Callable[[Song], SongRequest | None]:
    """A review that asks for one take more."""
    return lambda song: ask(song) if len(song["takes"]) == 1 else None


async def reviewed_later(song: Song) -> SongRequest | None:
    return once(vary)(song)


@pytest.mark.parametrize(
    ("review", "made"),
    [
        (keep, ["generate"]),
        (once(vary), ["generate", "variation"]),
        (once(extend), ["generate", "extend"]),
        (reviewed_later, ["generate", "variation"]),
        (RunnableLambda(once(extend)), ["generate", "extend"]),
        (vary, ["generate", "variation", "variation"]),
    ],
    ids=["keep", "vary", "extend", "async function", "runnable", "never content"],
)
async def test_a_review_asks_for_takes(
    review: Any, made: list[str], runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """Each take is made of the one before it, there are no more than three, and the newest is the song."""
    state = await runs(album(review=review), {"wishes": ["a waltz"]})
    (song,) = state["songs"]
    assert actions(sandbox) == made
    assert [take["task_id"] for take in song["takes"]] == paid(sandbox)
    assert song["task"] == song["takes"][-1]
    assert (song["error"], song["take_error"]) == (None, None)
    assert {file["audio_id"] for file in song["files"]} == {song["task"]["results"][0]["audio_id"]}
    for charge, before in zip(sandbox.charges[1:], song["takes"], strict=False):
        assert charge.request["audio_id"] == before["results"][0]["audio_id"]
        if charge.action == "extend":
            assert charge.request["continue_at"] == before["results"][0]["duration_seconds"]


async def test_a_review_words_what_it_asks_for(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """Where a song goes on, and how, is the review's to say."""

    def review(song: Song) -> SongRequest | None:
        first, second = {"prompt": "slower"}, {"continue_at": 4.5, "lyric": "[Outro]\nGood night"}
        return {1: vary(song, **first), 2: extend(song, **second)}.get(len(song["takes"]))

    await runs(album(review=review), {"wishes": ["a waltz"]})
    varied, extended = (charge.request for charge in sandbox.charges[1:])
    assert varied["prompt"] == "slower"
    assert (extended["continue_at"], extended["lyric"]) == (4.5, "[Outro]\nGood night")


@pytest.mark.parametrize("takes", [1, 2])
async def test_there_are_no_more_takes_than_allowed(
    takes: int, runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """A review that is never content would spend without end."""
    reviewed = []

    def review(song: Song) -> SongRequest:
        reviewed.append(len(song["takes"]))
        return vary(song)

    await runs(album(review=review, takes=takes), {"wishes": ["a waltz"]})
    assert len(sandbox.charges) == takes
    assert reviewed == list(range(1, takes)), "nobody need be asked what cannot be done"


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (lambda sandbox: sandbox.spoil_next("api_error"), "api_error"),
        (lambda sandbox: sandbox.fail_next("forbidden", endpoint=AUDIOS), "forbidden"),
        (None, "bad_request"),
    ],
    ids=["fails", "refused", "nonsense"],
)
async def test_a_further_take_that_comes_to_nothing_leaves_the_song_as_it_was(
    trouble: Any, code: str, runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """There is a song, and it was paid for."""

    def review(song: Song) -> SongRequest:
        if trouble is None:
            return vary(song, loudness=11)
        trouble(sandbox)
        return vary(song)

    graph = album(review=review)
    state = await runs(graph, {"wishes": ["a waltz"]})
    (song,) = state["songs"]
    assert (song["error"], song["take_error"]["code"]) == (None, code)
    assert song["task"]["task_id"] == sandbox.charges[0].task_id
    assert len(song["takes"]) == 1
    assert song["files"]
    charges = sandbox.charges
    assert await runs(graph, {"wishes": ["a waltz"]}) == state, "it is a song, so nothing is left to do"
    assert sandbox.charges == charges


async def test_what_came_of_a_take_is_still_told_after_the_download_is_repeated(
    runs: Runs, album: Album, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The song is not what the review wanted, however it got onto the disk."""

    def review(song: Song) -> SongRequest:
        sandbox.fail_next("forbidden", endpoint=AUDIOS)
        return vary(song)

    graph = album(review=review)
    with monkeypatch.context() as patch:
        patch.setitem(files._RENDERERS, ".wav", gone)
        state = await runs(graph, {"wishes": ["a waltz"]})
    assert codes(state) == ["download_failed"]
    state = await runs(graph, {"wishes": ["a waltz"]})
    assert codes(state) == [None]
    assert state["songs"][0]["take_error"]["code"] == "forbidden"


async def test_a_task_that_made_nothing_is_no_song(runs: Runs, directory: Path) -> None:
    """There is nothing to review or to save."""
    submitted = {"success": True, "task_id": "t1"}
    empty = {"id": "t1", "finished_at": 1_800_000_000, "response": {"success": True, "data": []}}
    async with answering(http(submitted), http({"items": [empty], "count": 1})) as server:
        async with ProducerClient("a token", server.base_url, clock=InstantClock()) as client:
            state = await runs(album_graph(client, review=vary, download_dir=directory), {"wishes": ["a waltz"]})
    assert codes(state) == ["empty"]
    assert not state["songs"][0]["files"]


class Hindered(ProducerClient):
    """Finds the service busy at the first of each thing that it does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hindrances = ["submit", "wait", "get_task"]

    def _meet(self, hindrance: str) -> None:
        if hindrance in self.hindrances:
            self.hindrances.remove(hindrance)
            raise RateLimitError("too_many_requests", "for longer than a client waits")

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        self._meet("submit")
        return await super().submit(*args, **kwargs)

    async def wait(self, *args: Any, **kwargs: Any) -> TaskBatch:
        self._meet("wait")
        return await super().wait(*args, **kwargs)

    async def get_task(self, task_id: str) -> Task:
        self._meet("get_task")
        return await super().get_task(task_id)


@both_ways
async def test_a_busy_service_only_takes_longer(runs: Runs, sandbox: ProducerSandbox, directory: Path) -> None:
    """Were the run to end, the other songs would be cut off while they are sent: nobody knows what came of them."""
    at_once = BUSY_SERVICE._replace(initial_interval=0, jitter=False)
    async with client_of(sandbox, Hindered) as client:
        state = await runs(album_graph(client, download_dir=directory, retry_policy=at_once), {"wishes": WISHES})
        assert isinstance(client, Hindered)
        assert client.hindrances == []
    assert codes(state) == [None] * 3
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_what_is_not_written_is_not_sent(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """And is written when the album is gone on with."""
    written: list[SongRequest | None] = [None, request("generate_music", prompt="a march")]
    graph = album(write=lambda _: written.pop(0))
    state = await runs(graph, {"wishes": ["a waltz"]})
    assert codes(state) == ["not_written"]
    assert not state["songs"][0].get("files")
    assert paid(sandbox) == []
    assert codes(await runs(graph, {"wishes": ["a waltz"]})) == [None]
    assert prompts(sandbox) == {"a march": 1}


@both_ways
async def test_a_writer_of_lyrics(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    async def write(song: Song) -> SongRequest:
        return request("generate_custom_music", lyric=f"[Verse]\nOh {song['wish']}", title=song["wish"], prompt="slow")

    state = await runs(album(write=write), {"wishes": ["a waltz"]})
    asked = sandbox.charges[0].request
    assert (asked["lyric"], asked["title"], asked["custom"]) == ("[Verse]\nOh a waltz", "a waltz", True)
    assert state["songs"][0]["task"]["results"][0]["title"] == "a waltz"


async def test_a_scripted_model_writes_and_reviews(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    model = ScriptedChatModel()
    state = await runs(album(write=write_with(model), review=review_with(model)), {"wishes": ["a waltz"]})
    assert codes(state) == [None]
    assert prompts(sandbox) == {"a waltz": 1}


async def test_a_model_writes_and_reviews_by_calling_tools(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """It is told the wish and the song, and its first call is what is submitted."""
    writer = FakeModel(answers=[lambda wish: calling("generate_custom_music", lyric=f"[Verse]\n{wish}", title="One")])
    reviewer = FakeModel(
        answers=[
            lambda told: calling("variation_music", audio_id=json.loads(told)["song"]["audio_id"], prompt="slower"),
            lambda told: calling("extend_music", audio_id=json.loads(told)["song"]["audio_id"], continue_at=3),
        ]
    )
    state = await runs(album(write=write_with(writer), review=review_with(reviewer)), {"wishes": ["a waltz"]})
    assert writer.tools == ["producer_generate_music", "producer_generate_custom_music"]
    assert reviewer.tools == ["producer_variation_music", "producer_extend_music"]
    assert actions(sandbox) == ["generate", "variation", "extend"]
    assert (sandbox.charges[0].request["lyric"], sandbox.charges[1].request["prompt"]) == ("[Verse]\na waltz", "slower")
    (song,) = state["songs"]
    assert (song["error"], song["take_error"], len(song["takes"])) == (None, None, 3)
    told = [json.loads(question) for question in reviewer.asked]
    assert [(each["wish"], each["earlier_takes"]) for each in told] == [("a waltz", 0), ("a waltz", 1)]
    shown = [(each["song"]["audio_id"], each["song"]["title"]) for each in told]
    results = [take["results"][0] for take in song["takes"]]
    assert shown == [(result["audio_id"], result["title"]) for result in results[:2]]


async def test_a_model_that_calls_nothing_keeps_the_take(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    reviewer = FakeModel(answers=[lambda _: AIMessage("Call producer_variation_music? No: keep.")])
    state = await runs(album(review=review_with(reviewer)), {"wishes": ["a waltz"]})
    assert codes(state) == [None]
    assert len(reviewer.asked) == len(sandbox.charges) == 1


FORGED = {"callback_url": "https://evil.example/", "async": False, "async_": False, "submission_key": "another's"}


async def test_a_model_cannot_set_what_it_cannot_see(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """A wish is a stranger's text: it must neither send results elsewhere nor take another wish's place."""
    writer = FakeModel(answers=[lambda wish: calling("generate_music", prompt=wish, **FORGED)])
    reviewer = FakeModel(
        answers=[lambda told: calling("variation_music", audio_id=json.loads(told)["song"]["audio_id"], **FORGED)]
    )
    state = await runs(album(write=write_with(writer), review=review_with(reviewer), takes=2), {"wishes": ["a waltz"]})
    assert codes(state) == [None]
    assert actions(sandbox) == ["generate", "variation"]
    for charge in sandbox.charges:
        assert not {"callback_url", "submission_key", "async_"} & charge.request.keys()
        assert charge.request["async"] is True


@pytest.mark.parametrize("name", ["compose_opera", "get_task", "upload_audio"])
async def test_a_model_cannot_call_what_it_was_not_given(
    name: str, runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """A tool that it has made up, or was talked into by a wish, is neither a crash nor paid for."""

    def wrong(_: str) -> AIMessage:
        args = {"audio_url": "https://audio.example/a.mp3"} if name == "upload_audio" else {"task_id": "x"}
        return calling(name, **args)

    writer = FakeModel(answers=[wrong, lambda wish: calling("generate_music", prompt=wish)])
    graph = album(write=write_with(writer), review=review_with(FakeModel(answers=[wrong])))
    assert codes(await runs(graph, {"wishes": ["a waltz"]})) == ["not_written"]
    assert paid(sandbox) == []
    assert codes(await runs(graph, {"wishes": ["a waltz"]})) == [None]
    assert prompts(sandbox) == {"a waltz": 1}


@both_ways
async def test_only_the_song_that_was_refused_is_gone_on_with(
    runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """The others are done; the one is written anew, for its words were refused, and nothing is paid twice."""
    written = []

    def write(song: Song) -> SongRequest:
        written.append(song["wish"])
        return request("generate_music", prompt=song["wish"])

    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    graph = album(write=write)
    first = await runs(graph, {"wishes": WISHES})
    (failed,) = [song for song in first["songs"] if song["error"]]
    second = await runs(graph, {"wishes": WISHES})
    assert codes(second) == [None] * 3
    assert [song for song in second["songs"] if song["wish"] != failed["wish"]] == [
        song for song in first["songs"] if not song["error"]
    ]
    assert sorted(written) == sorted([*WISHES, failed["wish"]])
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)
    assert await runs(graph, {"wishes": WISHES}) == second, "all are done, so nothing happens"
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_a_song_whose_task_failed_is_made_anew(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """A task that failed was not charged and stays failed: under the same key it would come back for ever."""
    sandbox.spoil_next()
    sandbox.spoil_next()
    graph = album()
    states = [await runs(graph, {"wishes": ["a waltz"]}) for _ in range(4)]
    assert [codes(state) for state in states] == [["api_error"], ["api_error"], [None], [None]]
    assert paid(sandbox) == [states[-1]["songs"][0]["task"]["task_id"]]


@pytest.mark.parametrize("before", ["nothing", "a task that failed"])
async def test_a_song_with_an_unknown_outcome_is_not_sent_again(
    before: str, runs: Runs, album: Album, sandbox: ProducerSandbox, client: ProducerClient
) -> None:
    """However often the album is gone on with, and whatever came before: it may have been paid for already."""
    graph = album()
    if before == "a task that failed":
        sandbox.spoil_next()
        assert codes(await runs(graph, {"wishes": ["a waltz"]})) == ["api_error"]
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    for _ in range(3):
        state = await runs(graph, {"wishes": ["a waltz"]})
        assert codes(state) == ["unknown_outcome"]
    (charge,) = sandbox.charges
    await client.adopt(state["songs"][0]["error"]["key"], charge.task_id)
    state = await runs(graph, {"wishes": ["a waltz"]})
    assert codes(state) == [None]
    assert state["songs"][0]["task"]["task_id"] == charge.task_id
    assert len(paid(sandbox)) == 1


async def test_a_song_with_an_unknown_outcome_is_sent_again_if_a_person_says_so(
    runs: Runs, album: Album, sandbox: ProducerSandbox, client: ProducerClient
) -> None:
    graph = album()
    sandbox.fail_next(Fault.ERROR_BEFORE_WORK, endpoint=AUDIOS)
    state = await runs(graph, {"wishes": ["a waltz"]})
    await client.release(state["songs"][0]["error"]["key"])
    assert codes(await runs(graph, {"wishes": ["a waltz"]})) == [None]
    assert len(paid(sandbox)) == 1


async def test_only_the_download_is_repeated(
    runs: Runs, album: Album, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A song that was made, and reviewed, is not submitted because its file broke off."""
    reviewed = []

    def review(song: Song) -> SongRequest | None:
        reviewed.append(song["number"])
        return once(vary)(song)

    graph = album(review=review)
    with monkeypatch.context() as patch:
        patch.setitem(files._RENDERERS, ".wav", gone)
        broken = await runs(graph, {"wishes": ["a waltz"]})
    assert codes(broken) == ["download_failed"]
    events = runs.events(graph, {"wishes": ["a waltz"]}, stream_mode="updates", subgraphs=True)
    assert [next(iter(update)) async for _, update in events] == ["write", "download", "song"]
    state = await runs.state(graph)
    assert codes(state) == [None]
    assert state["songs"][0]["task"] == broken["songs"][0]["task"]
    assert {file["kind"] for file in state["songs"][0]["files"]} == {"audio", "cover"}
    assert reviewed == [1, 1]
    assert len(paid(sandbox)) == 2


@pytest.mark.parametrize("way", ON_DISK)
async def test_a_song_that_was_not_waited_for_is_waited_for_by_another_process(
    way: str, tmp_path: Path, directory: Path
) -> None:
    """The checkpoint has its task, so it need not be submitted: this process's ledger, in memory, knows nothing."""
    clock = ManualClock()
    codes_and_ids = []
    with ProducerSandbox(render_seconds=60, clock=clock) as sandbox:
        for _ in range(2):
            async with (
                client_of(sandbox, clock=InstantClock()) as client,
                running(way, tmp_path) as runs,
            ):
                graph = album_graph(client, download_dir=directory)
                state = await runs(graph, {"wishes": ["a waltz"]})
                codes_and_ids.append((codes(state), state["songs"][0]["task"]["task_id"]))
            clock.advance(60)
        (charge,) = sandbox.charges
    assert codes_and_ids == [(["not_finished"], charge.task_id), ([None], charge.task_id)]


async def test_another_wish_at_the_same_place_is_a_new_song(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    first = await runs(album(), {"wishes": WISHES})
    second = await runs(album(), {"wishes": ["a waltz", "a march", "a polka"]})
    assert [song["wish"] for song in second["songs"]] == ["a waltz", "a march", "a polka"]
    assert [second["songs"][0], second["songs"][2]] == [first["songs"][0], first["songs"][2]]
    assert prompts(sandbox) == dict.fromkeys([*WISHES, "a march"], 1)


async def test_an_album_that_is_started_twice_at_once_is_paid_for_once(
    runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """By an impatient user, or by two workers."""
    states = await asyncio.gather(*(runs(album(), {"wishes": WISHES}) for _ in range(2)))
    assert [codes(state) for state in states] == [[None] * 3] * 2
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_other_threads_are_other_albums(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    for thread in ("one", "two", None):
        assert codes(await runs(album(), {"wishes": ["a waltz"]}, thread=thread)) == [None]
    assert prompts(sandbox) == {"a waltz": 3}


@both_ways
async def test_a_stream_of_updates_tells_which_song_it_is_about(runs: Runs, album: Album) -> None:
    """The steps of several songs come mixed; without number and wish, nobody could tell them apart."""
    events = runs.events(album(), {"wishes": WISHES}, stream_mode=["updates", "custom"], subgraphs=True)
    songs: dict[Any, Any] = {}
    steps: dict[Any, list[str]] = {}
    async for namespace, mode, event in events:
        if namespace and mode == "updates":
            ((step, update),) = event.items()
            steps.setdefault(namespace, []).append(step)
            if step == "write":
                songs[namespace] = update["number"], update["wish"]
        elif mode == "custom":
            assert namespace in songs
            assert event["type"] == "producer_progress"
    assert sorted(songs.values()) == list(enumerate(WISHES, start=1))
    assert list(steps.values()) == [["write", "submit", "wait", "review", "download"]] * 3


@pytest.mark.parametrize("way", ON_DISK)
async def test_the_token_gets_into_no_checkpoint(
    way: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path, directory: Path
) -> None:
    """Checkpoints are copied, shown and kept for years."""
    sandbox.fail_next("invalid_token", f"{sandbox.api_token} is not known", endpoint=AUDIOS)
    sandbox.fail_next(Fault.HTML, endpoint=AUDIOS)
    async with running(way, tmp_path) as runs:
        state = await runs(album_graph(client, download_dir=directory), {"wishes": WISHES})
    assert set(codes(state)) == {"invalid_token", "unknown_outcome", None}
    assert sandbox.api_token not in str(state)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoints.sqlite*"))
    assert b"a waltz" in written
    assert sandbox.api_token.encode() not in written
