"""A clock that goes by itself: to the next moment somebody sleeps for, once nobody has anything else to do."""

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

# Rounds of the event loop after which whoever can go on has gone on.
_SETTLED = 20


class VirtualClock:
    """Time for one event loop. Real work that takes real time, such as HTTP, is done inside `working`."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._under_way = 0
        self._driver: asyncio.Task[None] | None = None

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + max(0.0, seconds), next(self._order), woken))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        await woken

    @contextmanager
    def working(self) -> Iterator[None]:
        """Time stands still during the block."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _drive(self) -> None:
        while self._sleepers:
            for _ in range(_SETTLED):
                await asyncio.sleep(0)
            if self._under_way:
                await asyncio.sleep(0.0005)
                continue
            at, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.time = at
                woken.set_result(None)
