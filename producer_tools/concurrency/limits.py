"""Limits that hold across all event loops and threads of a process: semaphores, locks and rates, each by key."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.home_loop import HomeLoop
from producer_tools.concurrency.shared_state import shared_state

# A loop that is closed tells nobody, so a waiter looks this often whether the loop of a holder is closed.
_SECONDS_BETWEEN_CHECKS = 1.0


@dataclass(eq=False)
class _Hold:
    """One holder of a semaphore, or one who waits for it.

    Attributes:
        turn: done when it holds the semaphore.
        home: where its task runs.
    """

    turn: "Future[None]" = field(default_factory=Future)
    home: HomeLoop = field(default_factory=HomeLoop)


class Semaphore:
    """At most ``limit`` holders at once, in any event loop. Waiters are served in the order in which they came.

    ``asyncio.Semaphore`` belongs to one event loop; this one does not. A holder or waiter whose event loop is closed,
    or which belongs to the process that this one was forked from, no longer counts.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holding: list[_Hold] = []
        # Thousands may wait. The first one can be taken, and any other one removed, without a walk through all of them.
        self._waiting: OrderedDict[_Hold, None] = OrderedDict()

    @property
    def free(self) -> int:
        """How many more could hold it right now."""
        with shared_state:
            self._hand_over()
            return self._limit - len(self._holding)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold the semaphore during the block."""
        hold = _Hold()
        try:
            with shared_state:
                self._waiting[hold] = None
                self._hand_over()
            if not hold.turn.done():
                await self._wait(hold)
            yield
        finally:
            with shared_state:
                self._waiting.pop(hold, None)
                self._holding = [other for other in self._holding if other is not hold]
                self._hand_over()

    async def _wait(self, hold: _Hold) -> None:
        turn = asyncio.wrap_future(hold.turn)
        while not turn.done():
            # Each check serves all who wait, so the more there are, the less often each one looks.
            await asyncio.wait([turn], timeout=_SECONDS_BETWEEN_CHECKS * (1 + len(self._waiting) // 100))
            with shared_state:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give free places to those who wait longest."""
        self._holding = [hold for hold in self._holding if hold.home.is_alive]
        while self._waiting and len(self._holding) < self._limit:
            next_one, _ = self._waiting.popitem(last=False)
            if next_one.home.is_alive:
                self._holding.append(next_one)
                next_one.turn.set_result(None)


class Semaphores:
    """A `Semaphore` for each key, in any event loop. Keys that nobody holds or waits for take no memory.

    Args:
        limit: how many may hold the semaphore of one key at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._semaphores: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()

    @property
    def held(self) -> int:
        """How many hold one right now, of all keys together."""
        with shared_state:
            return sum(self.limit - semaphore.free for semaphore in list(self._semaphores.values()))

    def hold(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold the semaphore of ``key`` during the block."""
        with shared_state:
            return self._semaphores.setdefault(key, Semaphore(self.limit)).hold()


class KeyLocks(Semaphores):
    """One lock for each key."""

    def __init__(self) -> None:
        super().__init__(1)


class RateLimiter:
    """At most ``count`` calls of each key in any second, across all event loops.

    A key that was not used for a second takes no memory after the next call.
    """

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._starts: dict[str, deque[float]] = {}  # the key that was used last comes last

    async def acquire(self, key: str) -> None:
        """Return when the next call of ``key`` may start."""
        with shared_state:
            now = self._clock.now()
            starts = self._starts.pop(key, None) or deque(maxlen=self._count)
            start = max(now, starts[0] + 1.0) if len(starts) == self._count else now
            starts.append(start)
            self._starts[key] = starts
            self._drop_unused(now)
        if start > now:
            await self._clock.sleep(start - now)

    def _drop_unused(self, now: float) -> None:
        while self._starts and self._starts[oldest := next(iter(self._starts))][-1] + 1.0 <= now:
            del self._starts[oldest]
