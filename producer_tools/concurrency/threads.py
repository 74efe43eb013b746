"""Blocking calls, in threads."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread that has ended when this returns or raises.

    `asyncio.to_thread` returns at once when it is cancelled, and its thread goes on: a write that is then repeated may
    be carried out after the repeated one. This waits for the thread, and raises the cancellation after that.
    """
    run = partial(copy_context().run, partial(call, *args, **kwargs))
    thread = asyncio.get_running_loop().run_in_executor(None, run)
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await asyncio.wait([thread])
        except asyncio.CancelledError as error:  # noqa: PERF203 - one turn takes as long as the call
            cancelled = error
    if cancelled is not None:
        thread.exception()  # nobody asks for it any more, and asyncio would report that
        raise cancelled
    return thread.result()
