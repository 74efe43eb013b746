"""The clock that all waiting uses, so that a test can replace it."""

import asyncio
import time
from typing import Any, Protocol

_EPOCH = time.time() - time.monotonic()


class Clock(Protocol):
    """What the client and the sandbox need to know about time."""

    def now(self) -> float:
        """Unix time in seconds. It never runs backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` have passed; at once for zero or less."""


class SystemClock:
    """The machine's clock: the wall time at the start of the process, plus the monotonic time since then."""

    def now(self) -> float:
        """Unix time in seconds. Changing the machine's clock does not change it."""
        return _EPOCH + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(max(0.0, seconds))


async def finishes_in_time(work: "asyncio.Future[Any]", timeout: float, clock: Clock) -> bool:
    """Wait for ``work`` for at most ``timeout`` seconds of ``clock``, and cancel it if it is not done by then.

    Returns:
        Whether it was done in time. Its result or exception is not looked at.
    """
    passing = asyncio.ensure_future(clock.sleep(timeout))
    try:
        await asyncio.wait((work, passing), return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        work.cancel()
        passing.cancel()
        await asyncio.gather(work, passing, return_exceptions=True)
