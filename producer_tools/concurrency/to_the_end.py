"""Waiting for work that must not be lost when the task that waits for it is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SECONDS_TO_FINISH = 30.0
"""How long work goes on at most after its task was cancelled. A shutdown takes no longer than that."""


async def to_the_end(start: Callable[[], Awaitable[T]], *, is_cancelled: bool = False) -> T:
    """Wait until work has ended, even if this task is cancelled in the meantime.

    An event loop that shuts down cancels all its tasks, once. The work may have been one of them: then it is started
    again. So ``start`` must either be safe to repeat, or return the same future each time.

    Args:
        start: starts the work.
        is_cancelled: whether this task was cancelled before. Then the work has 30 seconds, as after a cancellation now.

    Raises:
        asyncio.CancelledError: this task was cancelled, and the work did not end within 30 seconds of that.
    """
    clock = asyncio.get_running_loop().time
    work = asyncio.ensure_future(start())
    cancelled = asyncio.CancelledError() if is_cancelled else None
    until = clock() + SECONDS_TO_FINISH
    starts = 1
    while True:
        try:
            await asyncio.wait([work], timeout=None if cancelled is None else max(0.0, until - clock()))
        except asyncio.CancelledError as error:
            if cancelled is None:
                cancelled, until = error, clock() + SECONDS_TO_FINISH
            continue
        if not work.done() and cancelled is not None:
            work.cancel()
            raise cancelled
        if work.cancelled() and cancelled is not None and starts == 1:
            starts, work = 2, asyncio.ensure_future(start())
            continue
        return work.result()
