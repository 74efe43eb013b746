"""Waiting for work that must not be lost when the task that waits for it is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from producer_tools.concurrency.waiting import wait_although_cancelled

T = TypeVar("T")

SECONDS_TO_FINISH = 30.0
"""How long work goes on at most after its task was cancelled. A shutdown takes no longer than that."""


async def to_the_end(start: Callable[[], Awaitable[T]], *, is_cancelled: bool = False) -> T:
    """Wait until work has ended, even if this task is cancelled in the meantime.

    An event loop that shuts down cancels all its tasks, once. The work may have been one of them, or a signal may have
    ended it: then it is started again. So ``start`` must either be safe to repeat, or return the same future each time.

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
            if cancelled is None:
                await asyncio.wait([work])
            else:
                await wait_although_cancelled(work, max(0.0, until - clock()))
        except asyncio.CancelledError as error:
            if cancelled is None:
                cancelled, until = error, clock() + SECONDS_TO_FINISH
            continue
        if not work.done() and cancelled is not None:
            work.cancel()
            raise cancelled
        if _was_ended(work) and cancelled is not None and starts == 1:
            starts, work = 2, asyncio.ensure_future(start())
            continue
        return result_of(work)


def result_of(work: "asyncio.Future[T]") -> T:
    """The result of a task that has ended, or its error.

    `SystemExit` and `KeyboardInterrupt` are raised wherever a signal meets the program, and the event loop passes on
    those that meet a task. Raised a second time, by those who wait for the task, they would stop the loop again, while
    it lets its tasks end.

    Raises:
        asyncio.CancelledError: the task was cancelled, or one of these two has ended it.
    """
    if _was_ended(work):
        raise asyncio.CancelledError
    return work.result()


def _was_ended(work: "asyncio.Future[T]") -> bool:
    """Whether something else than the work itself has ended it."""
    return work.cancelled() or isinstance(work.exception(), SystemExit | KeyboardInterrupt)
