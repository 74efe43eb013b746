"""Time that passes only when a test says so."""

import asyncio
import threading


class ManualClock:
    """A clock for a server in another thread: every method may be called from any thread and event loop."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        while self._now < until:
            woken = asyncio.Event()
            with self._changed:
                self._sleepers[woken] = asyncio.get_running_loop()
                self._changed.notify_all()
            try:
                await woken.wait()
            finally:
                with self._changed:
                    del self._sleepers[woken]

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, and wake everybody who may be through with sleeping."""
        with self._changed:
            self._now += seconds
            for woken, loop in self._sleepers.items():
                loop.call_soon_threadsafe(woken.set)

    def wait_for_sleepers(self, count: int) -> None:
        """Return once ``count`` sleepers are asleep."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sleepers) == count, timeout=10)
