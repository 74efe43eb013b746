"""A clock whose time passes only while somebody sleeps, so that a busy machine lets no timeout pass too early."""

import asyncio
import threading
import time

# How many seconds pass in one of the machine's, for sleeps up to this length. Long sleeps are timeouts: they should end
# because shorter ones, such as the pauses between look-ups, have made up their time.
_SPEEDS = ((1.0, 100), (30.0, 5), (float("inf"), 1))
_SECONDS_BETWEEN_LOOKS = 0.005


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

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        speed = next(speed for longest, speed in _SPEEDS if seconds <= longest)
        ends = time.monotonic() + seconds / speed
        while self._now < until and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SECONDS_BETWEEN_LOOKS))
        await asyncio.sleep(0)
        with self._lock:
            self._now = max(self._now, until)
