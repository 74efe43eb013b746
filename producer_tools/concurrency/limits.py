"""A semaphore and a rate limiter that hold across all event loops and threads of a process."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

from producer_tools.concurrency.clock import Clock


class Semaphore:
    """At most ``limit`` holders at once, in any event loop. Waiters are served in the order in which they came.

    ``asyncio.Semaphore`` belongs to one event loop; this one does not.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many more could hold it right now."""
        return self._free

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold the semaphore during the block."""
        await self._acquire()
        try:
            yield
        finally:
            self._release()

    async def _acquire(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # the semaphore was handed over at the moment of the cancellation
            raise

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._free += 1


class RateLimiter:
    """At most ``count`` calls in any second, across all event loops."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._starts: deque[float] = deque(maxlen=count)

    async def acquire(self) -> None:
        """Return when the next call may start."""
        with self._lock:
            now = self._clock.now()
            full = len(self._starts) == self._starts.maxlen
            start = max(now, self._starts[0] + 1.0) if full else now
            self._starts.append(start)
        if start > now:
            await self._clock.sleep(start - now)
