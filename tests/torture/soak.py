"""Thousands of calls from many threads and loops, while a share of the requests goes wrong: what was paid for?

Each wish is called for twice, from anywhere, at any time, under one key; and now and then somebody looks at tasks.
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
from tests.torture.service import Truth, serving

THREADS = 32
LOOPS = 8
TASKS_PER_LOOP = 4
FAULTS = 0.05
_CALLS_PER_LOOK = 20
_LOOK_AT = 20
_PATIENCE = 1.0


class Usage(NamedTuple):
    """What a process holds, by Linux's own figures."""

    megabytes: float
    descriptors: int
    sockets: int


_NOTHING = Usage(0, 0, 0)


@dataclass
class Soak:
    """What came of it.

    Attributes:
        calls: calls for songs.
        wishes: songs wished for: half as many, since each is called for twice.
        faults: requests that went wrong.
        once: wishes charged once, whose task both callers were given.
        unknown_charged: wishes reported as unknown, and charged once.
        unknown_not_charged: wishes reported as unknown, and not charged.
        looks: calls that look at tasks, beside them.
        failed_looks: looks that were told of a fault.
        warm: what this process held after the first fifth.
        end: what it held in the end.
        wrong: everything else, which must be nothing.
    """

    calls: int = 0
    wishes: int = 0
    faults: int = 0
    once: int = 0
    unknown_charged: int = 0
    unknown_not_charged: int = 0
    looks: int = 0
    failed_looks: int = 0
    warm: Usage = _NOTHING
    end: Usage = _NOTHING
    wrong: list[str] = field(default_factory=list)


class Crowd:
    """Those who call: each takes the next wish, as long as there are any.

    Args:
        client: what all of them share.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._submit = ProducerGenerateMusic(client=client)
        self._look = ProducerGetTasksBatch(client=client)
        self._wishes: SimpleQueue[str] = SimpleQueue()
        self._lock = threading.Lock()
        self.told: defaultdict[str, list[str]] = defaultdict(list)
        self.task_ids: list[str] = []
        self.looks = 0
        self.failed_looks = 0

    def call(self, wishes: list[str]) -> None:
        """Have all of these called for, and return when all have been answered."""
        for wish in wishes:
            self._wishes.put(wish)
        with ThreadPoolExecutor(THREADS + LOOPS) as threads:
            people = [threads.submit(self._in_thread) for _ in range(THREADS)]
            people += [threads.submit(lambda: asyncio.run(self._in_loop())) for _ in range(LOOPS)]
            for person in people:
                person.result()

    def _in_thread(self) -> None:
        while wish := self._next():
            self._note(wish, self._submit.invoke({"prompt": wish, "submission_key": wish}))
            if ids := self._worth_a_look():
                self._noted_look(self._look.invoke({"task_ids": ids}))

    async def _in_loop(self) -> None:
        await asyncio.gather(*(self._in_task() for _ in range(TASKS_PER_LOOP)))

    async def _in_task(self) -> None:
        while wish := self._next():
            self._note(wish, await self._submit.ainvoke({"prompt": wish, "submission_key": wish}))
            if ids := self._worth_a_look():
                self._noted_look(await self._look.ainvoke({"task_ids": ids}))

    def _next(self) -> str | None:
        try:
            return self._wishes.get_nowait()
        except Empty:
            return None

    def _note(self, wish: str, content: str) -> None:
        with self._lock:
            told = json.loads(content)["task_id"] if content.startswith("{") else content
            self.told[wish].append(told)
            if content.startswith("{"):
                self.task_ids.append(told)

    def _worth_a_look(self) -> list[str]:
        with self._lock:
            due = len(self.task_ids) // _CALLS_PER_LOOK > self.looks
            self.looks += due
            return self.task_ids[-_LOOK_AT:] if due else []

    def _noted_look(self, content: str) -> None:
        with self._lock:
            self.failed_looks += not content.startswith("{")


def soak(calls: int, directory: Path, seed: int) -> Soak:
    """Make ``calls`` calls, and then ask the service what it charged for."""
    random = Random(seed)
    wishes = [f"song {number}" for number in range(calls // 2)]
    found = Soak(wishes=len(wishes))
    with serving(render_seconds=0, fault_rate=FAULTS, seed=seed) as service:
        client = ProducerClient(
            service.api_token,
            service.base_url,
            request_timeout=_PATIENCE,
            poll_interval=0,
            ledger=SqliteLedger(directory / "ledger.sqlite"),
            clock=FastClock(),
        )
        with client:
            crowd, warm = Crowd(client), len(wishes) // 5
            crowd.call(_twice(wishes[:warm], random))
            found.warm = used()
            crowd.call(_twice(wishes[warm:], random))
            found.end = used()
        _judge(found, wishes, crowd, service.truth())
    return found


def used() -> Usage:
    """What this process holds now; zero where there is no ``/proc``."""
    gc.collect()
    if not Path("/proc/self/statm").exists():
        return _NOTHING
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    links = [_target(link) for link in Path("/proc/self/fd").iterdir()]
    return Usage(pages * 4096 / 2**20, len(links), sum(link.startswith("socket:") for link in links))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the directory's own descriptor, closed by now
        return ""


def _twice(wishes: list[str], random: Random) -> list[str]:
    mixed = [*wishes, *wishes]
    random.shuffle(mixed)
    return mixed


def _judge(found: Soak, wishes: list[str], crowd: Crowd, truth: Truth) -> None:
    charges = Counter(charge.request["prompt"] for charge in truth.charges)
    tasks = {charge.request["prompt"]: charge.task_id for charge in truth.charges}
    found.faults = truth.faults
    found.looks, found.failed_looks = crowd.looks, crowd.failed_looks
    found.calls = sum(map(len, crowd.told.values()))
    for wish in wishes:
        told = crowd.told[wish]
        unknown = len(told) == 2 and all("outcome of this paid call is unknown" in each for each in told)
        if unknown and charges[wish] == 1:
            found.unknown_charged += 1
        elif unknown and charges[wish] == 0:
            found.unknown_not_charged += 1
        elif charges[wish] == 1 and told == [tasks[wish]] * 2:
            found.once += 1
        else:
            found.wrong.append(f"{wish}: charged {charges[wish]} times, and told {told}")
