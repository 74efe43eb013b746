"""An album whose process crashes, at each step and between any two: after a restart, no song is paid for twice."""

import threading
from contextlib import aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from producer_tools import LedgerError, MemoryLedger, ProducerClient, Task, TaskBatch
from producer_tools.langgraph import Song, SongRequest, album_graph, vary
from producer_tools.payment.entry import Entry
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import (
    MODES,
    Builder,
    MakeAlbum,
    Runner,
    charged_prompts,
    error_codes,
    fast_client,
    request,
    sync_and_async,
)

WISHES = ["a waltz", "a tango", "a polka"]


class CrashError(Exception):
    """Raised by everything that a crashed process tries to do."""


class Crash:
    """Crashes a process at one moment: from then on, every `at` raises.

    Args:
        moment: the moment of the crash; ``None`` for no crash.
    """

    def __init__(self, moment: str | None) -> None:
        self._moment = moment
        self._has_happened = False

    def at(self, moment: str) -> None:
        """Raise if the process crashes now, or has crashed before."""
        self._has_happened = self._has_happened or moment == self._moment
        if self._has_happened:
            raise CrashError


class CrashingLedger(MemoryLedger):
    """A ledger that outlives the processes. Set `crash` for each process that uses it."""

    crash = Crash(None)

    async def begin(self, entry: Entry, **options: Any) -> Entry | None:
        known = await super().begin(entry, **options)
        self.crash.at("after the entry is begun")
        return known

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        self.crash.at("before the entry is changed")
        return await super().replace(old, new)


class CrashingClient(ProducerClient):
    """A client in a process that crashes."""

    crash: Crash

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        self.crash.at("before the submit")
        task = await super().submit(*args, **kwargs)
        self.crash.at("after the submit")
        return task

    async def wait(self, *args: Any, **kwargs: Any) -> TaskBatch:
        self.crash.at("before the wait")
        batch = await super().wait(*args, **kwargs)
        self.crash.at("after the wait")
        return batch

    async def get_task(self, task_id: Task | str) -> Task:
        self.crash.at("before the download")
        return await super().get_task(task_id)


def crashing_client(sandbox: ProducerSandbox, crash: Crash, **options: Any) -> ProducerClient:
    client = fast_client(sandbox, CrashingClient, **options)
    assert isinstance(client, CrashingClient)
    client.crash = crash
    return client


DONE = (None, 1)
MOMENTS: dict[str, tuple[str | None, int]] = {
    "before the submit": DONE,
    "after the entry is begun": ("unknown_outcome", 0),
    "before the entry is changed": ("unknown_outcome", 1),
    "after the submit": DONE,
    "before the wait": DONE,
    "after the wait": DONE,
    "in the review": DONE,
    "before the download": DONE,
}
"""For a crash at each moment: the song's error code after the restart, and how often it was charged."""


@pytest.mark.parametrize(("run", "durability"), [("invoke", "sync"), ("ainvoke", "async")], indirect=["run"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_another_process_goes_on_after_a_crash(
    moment: str, run: Runner, durability: str, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Checkpoints and ledger are all that is left. Only a request that was being sent may have an unknown outcome."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for

    def album(client: ProducerClient, crash: Crash) -> Builder:
        def write(song: Song) -> SongRequest:
            return request("generate_music", prompt=song["wish"])

        def review(_: Song) -> None:
            crash.at("in the review")

        return album_graph(client, write=write, review=review, download_dir=directory)

    ledger = CrashingLedger()
    ledger.crash = crash = Crash(moment)
    async with crashing_client(sandbox, crash, ledger=ledger) as client:
        with pytest.raises((CrashError, LedgerError)):
            await run(album(client, crash), {"wishes": ["a waltz"]}, durability=durability)
    ledger.crash = Crash(None)
    async with fast_client(sandbox, ledger=ledger) as client:
        state = await run(album(client, Crash(None)), None, durability=durability)
    assert (error_codes(state)[0], charged_prompts(sandbox)["a waltz"]) == MOMENTS[moment]


@sync_and_async
@pytest.mark.parametrize("moment", ["after the submit", "before the wait"])
async def test_a_crash_while_several_songs_are_made(
    moment: str, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Wherever the other songs were at that moment: each is paid for once, or reported as unknown."""
    store = InMemoryStore()  # it holds the ledger
    async with crashing_client(sandbox, Crash(moment)) as client:
        with pytest.raises((CrashError, LedgerError)):
            await run(album_graph(client, download_dir=directory), {"wishes": WISHES}, store=store)
    async with fast_client(sandbox) as client:
        state = await run(album_graph(client, download_dir=directory), None, store=store)
    assert {None} <= set(error_codes(state)) <= {None, "unknown_outcome"}
    for song in state["songs"]:
        assert charged_prompts(sandbox)[song["wish"]] in ({0, 1} if song["error"] else {1})


async def test_a_cancelled_run_can_be_continued(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """A user who closes the page while the songs are made would lose them, or pay twice."""
    sandbox.render_seconds = 3600
    in_progress = set()
    events = run.events(album(), {"wishes": WISHES}, stream_mode="custom", subgraphs=True)
    async with aclosing(events):
        async for _, progress in events:
            in_progress.add(progress["task_id"])
            if len(in_progress) == len(WISHES):
                break
    sandbox.finish_now()
    state = await run(album(), None)
    assert error_codes(state) == [None] * 3
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


class RecordingSaver(InMemorySaver):
    """A checkpointer that keeps a copy of its content after each of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._copies: list[Any] = []
        self._copy()

    @property
    def writes_so_far(self) -> int:
        return len(self._copies) - 1

    def put(self, *args: Any) -> RunnableConfig:
        with self._lock:
            config = super().put(*args)
            self._copy()
            return config

    def put_writes(self, *args: Any) -> None:
        with self._lock:
            super().put_writes(*args)
            self._copy()

    def after(self, writes: int) -> InMemorySaver:
        """A checkpointer with the content after that many writes, as a crash would have left it."""
        saver = InMemorySaver()
        saver.storage, saver.writes, saver.blobs = deepcopy(self._copies[writes])
        return saver

    def _copy(self) -> None:
        self._copies.append(deepcopy((self.storage, self.writes, self.blobs)))


async def resumed(mode: str, saver: InMemorySaver, album: Builder, wishes: dict[str, Any]) -> dict[str, Any]:
    """Continue from the last checkpoint, or start anew if there is none."""
    given = None if list(saver.list(None)) else wishes
    return await Runner(mode, saver)(album, given)


@pytest.mark.parametrize("mode", MODES)
async def test_any_number_of_lost_checkpoints(mode: str, sandbox: ProducerSandbox, directory: Path) -> None:
    """With ``durability="async"``, a process can pay and save files, and crash before any checkpoint is written.

    If the keys of an album's requests depended on checkpoints, they would be paid for twice.
    """

    def review(song: Song) -> SongRequest | None:
        return vary(song, prompt="a slower waltz") if len(song["takes"]) == 1 else None

    ledger, saver, wishes = MemoryLedger(), RecordingSaver(), {"wishes": ["a waltz"]}

    def album(client: ProducerClient) -> Builder:
        return album_graph(client, review=review, download_dir=directory)

    async with fast_client(sandbox, ledger=ledger) as client:
        done = await Runner(mode, saver)(album(client), wishes, durability="async")
    assert saver.writes_so_far > 20
    async with fast_client(sandbox, ledger=ledger) as client:
        for writes in range(saver.writes_so_far):
            state = await resumed(mode, saver.after(writes), album(client), wishes)
            assert error_codes(state) == [None], writes
            assert state["songs"][0]["takes"] == done["songs"][0]["takes"], writes
    assert charged_prompts(sandbox) == {"a waltz": 1, "a slower waltz": 1}


async def test_a_song_that_is_written_again_in_other_words_is_not_paid_for_again(
    album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """If the checkpoint with a model's words is lost, the model chooses other words for a song that was paid for."""
    prompts, saver, wishes = iter(["a slow waltz", "a sad waltz"]), RecordingSaver(), {"wishes": ["a waltz"]}
    graph = album(write=lambda _: request("generate_music", prompt=next(prompts)))
    await Runner("ainvoke", saver)(graph, wishes)
    state = await resumed("ainvoke", saver.after(3), graph, wishes)
    assert error_codes(state) == [None]
    assert charged_prompts(sandbox) == {"a slow waltz": 1}
    assert state["songs"][0]["task"]["task_id"] == sandbox.charges[0].task_id
