"""The one clock that everything waits by, so that a test can own time."""

import asyncio
import time
from typing import Protocol

_EPOCH = time.time() - time.monotonic()


class Clock(Protocol):
    """What the client and the sandbox ask of time."""

    def now(self) -> float:
        """Unix time in seconds; it never runs backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` have passed; at once for zero or less."""


class SystemClock:
    """The machine's clock: wall time when the process began, carried on monotonically."""

    def now(self) -> float:
        """Unix time in seconds; setting the machine's clock does not move it."""
        return _EPOCH + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(max(0.0, seconds))
