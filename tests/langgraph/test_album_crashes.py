"""An album whose process dies, at each step and between any two: run again, no song is paid for twice."""

import threading
from contextlib import aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from producer_tools import MemoryLedger, ProducerClient, Task, TaskBatch
from producer_tools.langgraph import Song, SongRequest, album_graph, vary
from producer_tools.payment.ledger import Entry
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import ManualClock
from tests.langgraph.runs import WAYS, Builder, Runs, both_ways, client_of, codes, prompts, request

WISHES = ["a waltz", "a tango", "a polka"]


class Dead(Exception):  # noqa: N818 - nothing has gone wrong, it is over
    """What a process that is no more runs into."""


class Fate:
    """From one moment on, nothing that a process does comes to anything."""

    def __init__(self, moment: str) -> None:
        self._moment = moment
        self._is_over = False

    def at(self, moment: str) -> None:
        self._is_over = self._is_over or moment == self._moment
        if self._is_over:
            raise Dead


class MortalLedger(MemoryLedger):
    """A ledger that processes with a fate use one after the other."""

    fate = Fate("never")

    async def begin(self, key: str, wish: str) -> Entry | None:
        entry = await super().begin(key, wish)
        self.fate.at("after the wish is written down")
        return entry

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        self.fate.at("before the answer is written down")
        await super().finish(key, answer)


class MortalClient(ProducerClient):
    """A client in a process with a fate."""

    fate: Fate

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        self.fate.at("before the submit")
        task = await super().submit(*args, **kwargs)
        self.fate.at("after the submit")
        return task

    async def wait(self, *args: Any, **kwargs: Any) -> TaskBatch:
        self.fate.at("before the wait")
        batch = await super().wait(*args, **kwargs)
        self.fate.at("after the wait")
        return batch

    async def get_task(self, task_id: str) -> Task:
        self.fate.at("before the download")
        return await super().get_task(task_id)


def mortal(sandbox: ProducerSandbox, fate: Fate, **options: Any) -> ProducerClient:
    client = client_of(sandbox, MortalClient, **options)
    assert isinstance(client, MortalClient)
    client.fate = fate
    return client


DONE = (None, 1)
MOMENTS: dict[str, tuple[str | None, int]] = {
    "before the submit": DONE,
    "after the wish is written down": ("unknown_outcome", 0),
    "before the answer is written down": ("unknown_outcome", 1),
    "after the submit": DONE,
    "before the wait": DONE,
    "after the wait": DONE,
    "in the review": DONE,
    "before the download": DONE,
}
"""What becomes of a song whose process dies then, and how often it is paid for."""


@pytest.mark.parametrize(("runs", "durability"), [("invoke", "sync"), ("ainvoke", "async")], indirect=["runs"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_another_process_goes_on_where_one_has_died(
    moment: str, runs: Runs, durability: str, sandbox: ProducerSandbox, directory: Path
) -> None:
    """With nothing but checkpoints and ledger; only of what was being sent at that moment nobody knows."""

    def album(client: ProducerClient, fate: Fate) -> Builder:
        def write(song: Song) -> SongRequest:
            return request("generate_music", prompt=song["wish"])

        def review(_: Song) -> None:
            fate.at("in the review")

        return album_graph(client, write=write, review=review, download_dir=directory)

    ledger = MortalLedger()
    ledger.fate = fate = Fate(moment)
    async with mortal(sandbox, fate, ledger=ledger) as client:
        with pytest.raises(Dead):
            await runs(album(client, fate), {"wishes": ["a waltz"]}, durability=durability)
    ledger.fate = Fate("never")
    async with client_of(sandbox, ledger=ledger) as client:
        state = await runs(album(client, Fate("never")), None, durability=durability)
    assert (codes(state)[0], prompts(sandbox)["a waltz"]) == MOMENTS[moment]


@both_ways
@pytest.mark.parametrize("moment", ["after the submit", "before the wait"])
async def test_one_song_takes_the_others_down_with_it(
    moment: str, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Wherever the others were just then: each is paid for once, or is said to be unknown. The ledger is the store."""
    store = InMemoryStore()
    async with mortal(sandbox, Fate(moment)) as client:
        with pytest.raises(Dead):
            await runs(album_graph(client, download_dir=directory), {"wishes": WISHES}, store=store)
    async with client_of(sandbox) as client:
        state = await runs(album_graph(client, download_dir=directory), None, store=store)
    assert {None} <= set(codes(state)) <= {None, "unknown_outcome"}
    for song in state["songs"]:
        assert prompts(sandbox)[song["wish"]] in ({0, 1} if song["error"] else {1})


async def test_a_run_that_is_cancelled_goes_on(runs: Runs, directory: Path) -> None:
    """A user closes the page while the songs are made."""
    clock, under_way = ManualClock(), set()
    with ProducerSandbox(render_seconds=60, clock=clock) as sandbox:
        async with client_of(sandbox) as client:
            album = album_graph(client, download_dir=directory)
            events = runs.events(album, {"wishes": WISHES}, stream_mode="custom", subgraphs=True)
            async with aclosing(events):
                async for _, progress in events:
                    under_way.add(progress["task_id"])
                    if len(under_way) == len(WISHES):
                        break
            clock.advance(60)
            state = await runs(album, None)
        assert codes(state) == [None] * 3
        assert prompts(sandbox) == dict.fromkeys(WISHES, 1)


class Journal(InMemorySaver):
    """A checkpointer that remembers how it was after each of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._moments: list[Any] = []
        self._remember()

    @property
    def writes_so_far(self) -> int:
        return len(self._moments) - 1

    def put(self, *args: Any) -> RunnableConfig:
        with self._lock:
            config = super().put(*args)
            self._remember()
            return config

    def put_writes(self, *args: Any) -> None:
        with self._lock:
            super().put_writes(*args)
            self._remember()

    def after(self, writes: int) -> InMemorySaver:
        """What there would be, had the process died then."""
        saver = InMemorySaver()
        saver.storage, saver.writes, saver.blobs = deepcopy(self._moments[writes])
        return saver

    def _remember(self) -> None:
        self._moments.append(deepcopy((self.storage, self.writes, self.blobs)))


async def resumed(way: str, saver: InMemorySaver, album: Builder, wishes: dict[str, Any]) -> dict[str, Any]:
    """Go on with what a checkpointer has; with nothing, begin again."""
    given = None if list(saver.list(None)) else wishes
    return await Runs(way, saver)(album, given)


@pytest.mark.parametrize("way", WAYS)
async def test_whichever_checkpoint_is_the_last(way: str, sandbox: ProducerSandbox, directory: Path) -> None:
    """With ``durability="async"`` a process may have paid, saved its files and died before any of that was written.

    The keys of an album's calls do not depend on checkpoints, so even then nothing is paid for twice.
    """

    def review(song: Song) -> SongRequest | None:
        return vary(song, prompt="a slower waltz") if len(song["takes"]) == 1 else None

    ledger, journal, wishes = MemoryLedger(), Journal(), {"wishes": ["a waltz"]}

    def album(client: ProducerClient) -> Builder:
        return album_graph(client, review=review, download_dir=directory)

    async with client_of(sandbox, ledger=ledger) as client:
        done = await Runs(way, journal)(album(client), wishes, durability="async")
    assert journal.writes_so_far > 20
    async with client_of(sandbox, ledger=ledger) as client:
        for writes in range(journal.writes_so_far):
            state = await resumed(way, journal.after(writes), album(client), wishes)
            assert codes(state) == [None], writes
            assert state["songs"][0]["takes"] == done["songs"][0]["takes"], writes
    assert prompts(sandbox) == {"a waltz": 1, "a slower waltz": 1}


async def test_what_is_worded_anew_is_not_paid_for_anew(sandbox: ProducerSandbox, directory: Path) -> None:
    """The checkpoint with a model's words was lost, and it words the song otherwise: that song has been paid for."""
    words, journal, wishes = iter(["a slow waltz", "a sad waltz"]), Journal(), {"wishes": ["a waltz"]}
    async with client_of(sandbox) as client:
        album = album_graph(
            client, write=lambda _: request("generate_music", prompt=next(words)), download_dir=directory
        )
        await Runs("ainvoke", journal)(album, wishes)
        state = await resumed("ainvoke", journal.after(3), album, wishes)
    assert codes(state) == [None]
    assert prompts(sandbox) == {"a slow waltz": 1}
    assert state["songs"][0]["task"]["task_id"] == sandbox.charges[0].task_id
