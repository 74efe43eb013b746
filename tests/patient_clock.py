"""A clock whose time passes only while somebody sleeps, so that a busy machine lets no timeout pass too early."""

import asyncio
import threading
import time

# Longer sleeps are timeouts. They end when shorter ones, such as the pauses between look-ups, have made up their time.
_LONGEST_PAUSE = 30.0
_SECONDS_BETWEEN_LOOKS = 0.005


class PatientClock:
    """Sleeps are short, and the time is that of the latest sleep that has ended, in whichever thread and event loop.

    Work takes no time. On a clock that only runs faster than the machine's, a request that takes half a second takes
    a minute, and a wait of a minute has ended before its first look-up is answered.
    """

    def __init__(self) -> None:
        self._now = 1_790_000_000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        ends = time.monotonic() + seconds / (100 if seconds <= _LONGEST_PAUSE else 10)
        while self._now < until and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SECONDS_BETWEEN_LOOKS))
        await asyncio.sleep(0)
        with self._lock:
            self._now = max(self._now, until)
