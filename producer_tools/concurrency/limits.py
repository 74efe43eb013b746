"""Limits that hold across all event loops and threads of a process: a semaphore, locks by key, a rate limiter."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.shared_state import shared_state

# A loop that is closed tells nobody, so a waiter looks this often whether the loop of a holder is closed.
_SECONDS_BETWEEN_CHECKS = 1.0


@dataclass(eq=False)
class _Hold:
    """One holder of a semaphore, or one who waits for it.

    Attributes:
        turn: done when it holds the semaphore.
    """

    turn: "Future[None]" = field(default_factory=Future)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _process: int = field(default_factory=os.getpid)

    @property
    def is_alive(self) -> bool:
        """Whether its task can still run: not if its loop is closed, or if this is a fork of its process."""
        return not self._loop.is_closed() and self._process == os.getpid()


class Semaphore:
    """At most ``limit`` holders at once, in any event loop. Waiters are served in the order in which they came.

    ``asyncio.Semaphore`` belongs to one event loop; this one does not. A holder or waiter whose event loop is closed,
    or which belongs to the process that this one was forked from, no longer counts.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holding: list[_Hold] = []
        self._waiting: deque[_Hold] = deque()

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
                self._waiting.append(hold)
                self._hand_over()
            if not hold.turn.done():
                await self._wait(hold)
            yield
        finally:
            with shared_state:
                self._waiting = deque(other for other in self._waiting if other is not hold)
                self._holding = [other for other in self._holding if other is not hold]
                self._hand_over()

    async def _wait(self, hold: _Hold) -> None:
        turn = asyncio.wrap_future(hold.turn)
        while not (await asyncio.wait([turn], timeout=_SECONDS_BETWEEN_CHECKS))[0]:
            with shared_state:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give free places to those who wait longest."""
        self._holding = [hold for hold in self._holding if hold.is_alive]
        while self._waiting and len(self._holding) < self._limit:
            next_one = self._waiting.popleft()
            if next_one.is_alive:
                self._holding.append(next_one)
                next_one.turn.set_result(None)


class KeyLocks:
    """One lock for each key, in any event loop. Keys that nobody holds or waits for take no memory."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of ``key`` during the block."""
        with shared_state:
            lock = self._locks.setdefault(key, Semaphore(1))
        async with lock.hold():
            yield


class RateLimiter:
    """At most ``count`` calls in any second, across all event loops."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._starts: deque[float] = deque(maxlen=count)

    async def acquire(self) -> None:
        """Return when the next call may start."""
        with shared_state:
            now = self._clock.now()
            full = len(self._starts) == self._starts.maxlen
            start = max(now, self._starts[0] + 1.0) if full else now
            self._starts.append(start)
        if start > now:
            await self._clock.sleep(start - now)
