"""What keeps a client within the API's limits, across its event loops and threads."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Collection
from concurrent.futures import Future
from contextlib import asynccontextmanager

from producer_tools.clock import Clock

LOOKUPS_PER_SECOND = 60
"""Look-ups of tasks a second and token (faq)."""


class Slots:
    """At most ``limit`` holders at once, whichever loop they run in; the others wait in the order they came."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold one slot for the block."""
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
                self._release()  # the turn came together with the cancellation
            raise

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._free += 1


class Rate:
    """At most ``count`` turns in any second."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._starts: deque[float] = deque(maxlen=count)

    async def turn(self) -> None:
        """Return when the next turn may start."""
        with self._lock:
            now = self._clock.now()
            full = len(self._starts) == self._starts.maxlen
            start = max(now, self._starts[0] + 1.0) if full else now
            self._starts.append(start)
        if start > now:
            await self._clock.sleep(start - now)


class Pace:
    """Keeps two looks at one unfinished task ``interval`` seconds apart."""

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._next_look: dict[str, float] = {}

    async def turn(self, task_ids: Collection[str]) -> None:
        """Return when all of these tasks may be looked at, and count that as a look."""
        with self._lock:
            now = self._clock.now()
            self._next_look = {task_id: at for task_id, at in self._next_look.items() if at > now}
            start = max((self._next_look.get(task_id, now) for task_id in task_ids), default=now)
            self._next_look.update(dict.fromkeys(task_ids, start + self._interval))
        if start > now:
            await self._clock.sleep(start - now)

    def release(self, task_ids: Collection[str]) -> None:
        """Forget tasks that are final: looking at them again need not wait."""
        with self._lock:
            for task_id in task_ids:
                self._next_look.pop(task_id, None)
