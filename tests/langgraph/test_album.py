"""The album graph: each wish becomes one song, the songs run at the same time, and each is paid for once."""

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ConfigurationError, ProducerClient, RateLimitError, Task, TaskBatch
from producer_tools.langgraph import Song, SongRequest, album_graph, vary
from producer_tools.langgraph.album import BUSY_SERVICE
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.runner import (
    AUDIOS,
    SQLITE_MODES,
    MakeAlbum,
    Runner,
    charged_prompts,
    error_codes,
    every_checkpointer,
    fast_client,
    is_json,
    open_runner,
    paid_task_ids,
    request,
    sync_and_async,
)
from tests.raw_server import answering, http
from tests.saved_files import saved_files

WISHES = ["a waltz", "a tango", "a polka"]


@every_checkpointer
async def test_each_wish_becomes_a_song(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox, directory: Path
) -> None:
    """If this fails, songs are lost, out of order or paid for twice, or a checkpointer restores another state."""
    state = await run(album(), {"wishes": WISHES})
    assert [(song["number"], song["wish"]) for song in state["songs"]] == list(enumerate(WISHES, start=1))
    assert error_codes(state) == [None] * 3
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)
    charged = {charge.request["prompt"]: charge.task_id for charge in sandbox.charges}
    assert [song["task"]["task_id"] for song in state["songs"]] == [charged[wish] for wish in WISHES]
    saved = [file["path"] for song in state["songs"] for file in song["files"]]
    assert sorted(saved) == [str(path) for path in saved_files(directory)]
    assert is_json(state)
    assert await run.state(album()) == state


async def test_an_empty_list_of_wishes_makes_no_songs(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """An empty list must neither fail nor cost anything."""
    state = await run(album(), {"wishes": []})
    assert state["songs"] == []
    assert paid_task_ids(sandbox) == []


async def test_the_same_wish_twice_is_two_songs(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """If only the text identified a song, the second one would be lost."""
    state = await run(album(), {"wishes": ["a waltz", "a waltz"]})
    assert len({song["task"]["task_id"] for song in state["songs"]}) == len(sandbox.charges) == 2


@sync_and_async
async def test_twenty_songs_at_once(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """More songs than the service accepts at once, and more than there are threads: none is lost or paid for twice."""
    wishes = [f"song {number}" for number in range(20)]
    state = await run(album(), {"wishes": wishes})
    assert [song["wish"] for song in state["songs"]] == wishes
    assert error_codes(state) == [None] * 20
    assert charged_prompts(sandbox) == dict.fromkeys(wishes, 1)


async def test_a_failed_song_does_not_stop_the_others(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """One request is invalid, one is refused, one task fails: the fourth song must still be made."""

    def write(song: Song) -> SongRequest:
        return request("generate_music", prompt=song["wish"] if song["wish"] != "too long" else "x" * 201)

    sandbox.fail_next("forbidden", endpoint=AUDIOS)
    sandbox.spoil_next("api_error", "the singer has a cold")
    state = await run(album(write=write), {"wishes": ["too long", *WISHES]})
    assert error_codes(state)[0] == "bad_request"
    assert Counter(error_codes(state)) == Counter([None, "bad_request", "forbidden", "api_error"])
    assert len(paid_task_ids(sandbox)) == 1
    assert [bool(song.get("files")) for song in state["songs"]] == [code is None for code in error_codes(state)]


async def test_a_finished_task_without_results_is_an_error(run: Runner, directory: Path) -> None:
    """Without the error, the steps after it would look for a result that does not exist."""
    submitted = {"success": True, "task_id": "t1"}
    empty = {"id": "t1", "finished_at": 1_800_000_000, "response": {"success": True, "data": []}}
    async with answering(http(submitted), http({"items": [empty], "count": 1})) as server:
        async with ProducerClient("a token", server.base_url, clock=InstantClock()) as client:
            state = await run(album_graph(client, review=vary, download_dir=directory), {"wishes": ["a waltz"]})
    assert error_codes(state) == ["empty"]
    assert not state["songs"][0]["files"]


class BusyOnceClient(ProducerClient):
    """Raises once that the service is busy, for each kind of call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.busy_for = ["submit", "wait", "get_task"]
        self._lock = threading.Lock()

    def _raise_once(self, call: str) -> None:
        with self._lock:
            if call not in self.busy_for:
                return
            self.busy_for.remove(call)
        raise RateLimitError("too_many_requests", "for longer than a client waits")

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        self._raise_once("submit")
        return await super().submit(*args, **kwargs)

    async def wait(self, *args: Any, **kwargs: Any) -> TaskBatch:
        self._raise_once("wait")
        return await super().wait(*args, **kwargs)

    async def get_task(self, task_id: Task | str) -> Task:
        self._raise_once("get_task")
        return await super().get_task(task_id)


@sync_and_async
async def test_the_graph_retries_while_the_service_is_busy(
    run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """If the run ended instead, the other songs would be cut off while they are sent, with unknown outcomes."""
    without_delay = BUSY_SERVICE._replace(initial_interval=0, jitter=False)
    async with fast_client(sandbox, BusyOnceClient) as client:
        state = await run(album_graph(client, download_dir=directory, retry_policy=without_delay), {"wishes": WISHES})
        assert isinstance(client, BusyOnceClient)
        assert client.busy_for == []
    assert error_codes(state) == [None] * 3
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_an_album_started_twice_at_once_is_paid_for_once(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """A user who clicks twice, or two workers on one thread, would pay twice."""
    states = await asyncio.gather(*(run(album(), {"wishes": WISHES}) for _ in range(2)))
    assert [error_codes(state) for state in states] == [[None] * 3] * 2
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_each_thread_is_an_album_of_its_own(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """If threads shared keys, one user would get another user's song."""
    for thread in ("one", "two", None):
        assert error_codes(await run(album(), {"wishes": ["a waltz"]}, thread=thread)) == [None]
    assert charged_prompts(sandbox) == {"a waltz": 3}


@sync_and_async
async def test_streamed_updates_say_which_song_they_belong_to(run: Runner, album: MakeAlbum) -> None:
    """The updates of several songs arrive mixed; without number and wish, a client could not assign them."""
    events = run.events(album(), {"wishes": WISHES}, stream_mode=["updates", "custom"], subgraphs=True)
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


@pytest.mark.parametrize("mode", SQLITE_MODES)
async def test_no_checkpoint_contains_the_token(
    mode: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path, directory: Path
) -> None:
    """Checkpoints are copied, shown and kept for years, so the token would leak."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for
    sandbox.fail_next("invalid_token", f"{sandbox.api_token} is not known", endpoint=AUDIOS)
    sandbox.fail_next(Fault.HTML, endpoint=AUDIOS)
    async with open_runner(mode, tmp_path) as run:
        state = await run(album_graph(client, download_dir=directory), {"wishes": WISHES})
    assert set(error_codes(state)) == {"invalid_token", "unknown_outcome", None}
    assert sandbox.api_token not in str(state)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoints.sqlite*"))
    assert b"a waltz" in written
    assert sandbox.api_token.encode() not in written


@pytest.mark.parametrize("wishes", ["a slow waltz", None, 3])
async def test_wishes_that_are_not_a_list_are_refused(
    wishes: Any, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A single text would become a paid song for each of its letters."""
    async with fast_client(sandbox) as client:
        with pytest.raises(ConfigurationError, match="wishes must be a list of texts"):
            await run(album_graph(client, download_dir=directory), {"wishes": wishes})
    assert paid_task_ids(sandbox) == []
