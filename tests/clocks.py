"""Clocks that tests use in place of the machine's, so that no test waits, or depends on how fast the machine is."""

import asyncio
import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

# When fast clocks began to be fast (Unix seconds): not in 1970, or they would show a year that no date can have.
_BEGAN = 1_790_000_000.0
# After this many turns of the event loop, every task that can go on has gone on.
_SETTLED = 20
# How many seconds pass in one of the machine's, for sleeps up to this length. Long sleeps are timeouts: they should end
# because shorter ones, such as the pauses between look-ups, have made up their time.
_SPEEDS = ((1.0, 100), (30.0, 25), (float("inf"), 2))
_SECONDS_BETWEEN_LOOKS = 0.005


class InstantClock:
    """Every sleep ends at once and is remembered. Time passes only in `sleep`."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class SameDayClock:
    """The machine's time, or an hour less if the day (UTC) would end soon: in no test does a day's budget begin anew.

    A copy in another process shows the same time.
    """

    def __init__(self) -> None:
        left = 86_400 - time.time() % 86_400
        self._behind = 3600.0 if left < 3600 else 0.0

    def now(self) -> float:
        return time.time() - self._behind

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class FastClock:
    """The machine's time, many times as fast. All clocks of one speed show the same time, in every process."""

    def __init__(self, speed: float = 100.0) -> None:
        self._speed = speed

    def now(self) -> float:
        return _BEGAN + (time.time() - _BEGAN) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)


class PatientClock:
    """Sleeps are short, and the time is that of the latest sleep that has ended, in whichever thread and event loop.

    Work takes no time. On a clock that only runs faster than the machine's, a request that takes half a second takes
    a minute, and a wait of a minute has ended before its first look-up is answered.
    """

    def __init__(self) -> None:
        self._now = time.time() + 24 * 3600  # later than the machine's, so that for its programs no time has passed
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        with self._lock:
            self._now += seconds

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        speed = next(speed for longest, speed in _SPEEDS if seconds <= longest)
        ends = time.monotonic() + seconds / speed
        while self._now < until and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SECONDS_BETWEEN_LOOKS))
        await asyncio.sleep(0)
        with self._lock:
            self._now = max(self._now, until)


class ManualClock:
    """Time passes only when a test calls `advance`. It may be called from any thread and event loop."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        while (woken := self._event_before(until)) is not None:
            try:
                await woken.wait()
            finally:
                with self._changed:
                    self._sleepers.pop(woken, None)
                    self._changed.notify_all()

    def _event_before(self, until: float) -> asyncio.Event | None:
        """What the next `advance` sets; ``None`` if the time has come.

        The lock is held for both: a sleep that began just after another thread's `advance` would never end.
        """
        with self._changed:
            if self._now >= until:
                return None
            woken = asyncio.Event()
            self._sleepers[woken] = asyncio.get_running_loop()
            self._changed.notify_all()
            return woken

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass and wake everyone who sleeps. Who then goes on sleeping is counted again."""
        with self._changed:
            self._now += seconds
            woken_ones, self._sleepers = self._sleepers, {}
            for woken, loop in woken_ones.items():
                loop.call_soon_threadsafe(woken.set)

    def wait_for_sleepers(self, number: int) -> None:
        """Return once exactly ``number`` sleeps are in progress."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sleepers) == number, timeout=50)


class VirtualClock:
    """Time of one event loop: when nothing else can happen, it jumps to the end of the next sleep.

    Real work that takes real time, such as HTTP, is done inside `working`.
    """

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._under_way = 0
        self._done = 0
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
        """Time does not pass during the block."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._done += 1

    async def _drive(self) -> None:
        while self._sleepers:
            done = self._done
            for _ in range(_SETTLED):
                await asyncio.sleep(0)
            if self._under_way or self._done > done:  # what came of work that is just done has not gone on yet
                await asyncio.sleep(0.0005)
                continue
            at, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.time = at
                woken.set_result(None)


class LoopTime:
    """Lets timeouts end at the moment that the test means, however slow the machine is.

    A timeout of a few tenths of a second can end too early on a busy machine. With this, it may have many seconds.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._of_the_machine = self._loop.time
        self._passed = 0.0
        self._loop.time = self._now  # type: ignore[method-assign]  # all timers of the loop ask it

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. What was to happen in them happens in the next turns of the loop."""
        self._passed += seconds

    def _now(self) -> float:
        return self._of_the_machine() + self._passed
