"""Make thousands of calls from many threads and event loops, while a share of the requests fails; count the charges.

Each song is requested twice, from any thread or loop, at any time, under one submission key; and now and then a caller
looks tasks up.
"""

import asyncio
import gc
import json
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import NamedTuple

from producer_tools import ProducerClient, ProducerGenerateMusic, ProducerGetTasksBatch, SqliteLedger
from tests.clocks import FastClock
from tests.crash.torture.service import Truth, serving

THREADS = 32
LOOPS = 8
TASKS_PER_LOOP = 4
FAULTS = 0.05
_CALLS_PER_LOOK = 20
_LOOK_AT = 20
_REQUEST_TIMEOUT = 1.0


class Usage(NamedTuple):
    """What this process holds, by Linux's own figures."""

    megabytes: float
    descriptors: int
    sockets: int


_NOTHING = Usage(0, 0, 0)


@dataclass
class Soak:
    """The counts.

    Attributes:
        calls: Calls for songs.
        songs: Songs that were to be made: half as many, since each is requested twice.
        faults: Requests that met a fault.
        once: Songs charged once, whose task both callers got.
        unknown_charged: Songs reported as unknown to both, and charged once.
        unknown_not_charged: Songs reported as unknown to both, and not charged.
        looks: Look-ups of tasks.
        failed_looks: Look-ups that failed.
        warm: What this process held after the first fifth.
        end: What it held in the end.
        wrong: Everything else, a line each. It must be empty.
    """

    calls: int = 0
    songs: int = 0
    faults: int = 0
    once: int = 0
    unknown_charged: int = 0
    unknown_not_charged: int = 0
    looks: int = 0
    failed_looks: int = 0
    warm: Usage = _NOTHING
    end: Usage = _NOTHING
    wrong: list[str] = field(default_factory=list)


class Callers:
    """Threads and event loops that each request the next song of a queue, until it is empty.

    Args:
        client: The client that all of them share.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._submit = ProducerGenerateMusic(client=client)
        self._look = ProducerGetTasksBatch(client=client)
        self._queue: SimpleQueue[str] = SimpleQueue()
        self._lock = threading.Lock()
        self.answers: defaultdict[str, list[str]] = defaultdict(list)
        self.task_ids: list[str] = []
        self.looks = 0
        self.failed_looks = 0

    def call(self, songs: list[str]) -> None:
        """Request all of these, and return when all have been answered."""
        for song in songs:
            self._queue.put(song)
        with ThreadPoolExecutor(THREADS + LOOPS) as threads:
            callers = [threads.submit(self._in_thread) for _ in range(THREADS)]
            callers += [threads.submit(lambda: asyncio.run(self._in_loop())) for _ in range(LOOPS)]
            for caller in callers:
                caller.result()

    def _in_thread(self) -> None:
        while song := self._next():
            self._note(song, self._submit.invoke({"prompt": song, "submission_key": song}))
            if ids := self._due_look():
                self._note_look(self._look.invoke({"task_ids": ids}))

    async def _in_loop(self) -> None:
        await asyncio.gather(*(self._in_task() for _ in range(TASKS_PER_LOOP)))

    async def _in_task(self) -> None:
        while song := self._next():
            self._note(song, await self._submit.ainvoke({"prompt": song, "submission_key": song}))
            if ids := self._due_look():
                self._note_look(await self._look.ainvoke({"task_ids": ids}))

    def _next(self) -> str | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _note(self, song: str, content: str) -> None:
        """Keep the task id that a call returned, or else its error."""
        with self._lock:
            answer = json.loads(content)["task_id"] if content.startswith("{") else content
            self.answers[song].append(answer)
            if content.startswith("{"):
                self.task_ids.append(answer)

    def _due_look(self) -> list[str]:
        """The newest tasks, if it is time to look tasks up, else none."""
        with self._lock:
            due = len(self.task_ids) // _CALLS_PER_LOOK > self.looks
            self.looks += due
            return self.task_ids[-_LOOK_AT:] if due else []

    def _note_look(self, content: str) -> None:
        with self._lock:
            self.failed_looks += not content.startswith("{")


def soak(calls: int, directory: Path, seed: int) -> Soak:
    """Make ``calls`` calls, and compare their answers with what the service charged."""
    random = Random(seed)
    songs = [f"song {number}" for number in range(calls // 2)]
    found = Soak(songs=len(songs))
    with serving(render_seconds=0, fault_rate=FAULTS, seed=seed) as service:
        client = ProducerClient(
            service.api_token,
            service.base_url,
            request_timeout=_REQUEST_TIMEOUT,
            poll_interval=0,
            ledger=SqliteLedger(directory / "ledger.sqlite"),
            clock=FastClock(),
            failures_until_down=calls,  # the faults are random: they do not mean that the service is down
        )
        with client:
            callers, warm = Callers(client), len(songs) // 5
            callers.call(_twice(songs[:warm], random))
            found.warm = usage()
            callers.call(_twice(songs[warm:], random))
            found.end = usage()
        _compare(found, songs, callers, service.truth())
    return found


def usage() -> Usage:
    """What this process holds now; zeros where there is no ``/proc``."""
    gc.collect()
    if not Path("/proc/self/statm").exists():
        return _NOTHING
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    links = [_target(link) for link in Path("/proc/self/fd").iterdir()]
    return Usage(pages * 4096 / 2**20, len(links), sum(link.startswith("socket:") for link in links))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the listed directory's own descriptor, closed by now
        return ""


def _twice(songs: list[str], random: Random) -> list[str]:
    mixed = [*songs, *songs]
    random.shuffle(mixed)
    return mixed


def _compare(found: Soak, songs: list[str], callers: Callers, truth: Truth) -> None:
    """Count the songs, by what the callers got and what was charged."""
    charges = Counter(charge.request["prompt"] for charge in truth.charges)
    tasks = {charge.request["prompt"]: charge.task_id for charge in truth.charges}
    found.faults = truth.faults
    found.looks, found.failed_looks = callers.looks, callers.failed_looks
    found.calls = sum(map(len, callers.answers.values()))
    for song in songs:
        answers = callers.answers[song]
        unknown = len(answers) == 2 and all("outcome of this paid call is unknown" in answer for answer in answers)
        if unknown and charges[song] == 1:
            found.unknown_charged += 1
        elif unknown and charges[song] == 0:
            found.unknown_not_charged += 1
        elif charges[song] == 1 and answers == [tasks[song]] * 2:
            found.once += 1
        else:
            found.wrong.append(f"{song}: charged {charges[song]} times, and the callers got {answers}")
