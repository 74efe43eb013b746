"""Blocking calls in threads, and what becomes of them when their task is cancelled."""

import asyncio
import threading

import pytest

from producer_tools.concurrency.threads import in_thread


async def test_a_cancelled_call_ends_after_its_thread() -> None:
    """A write that is repeated could be overtaken by the first one: an entry would stand for what was never sent."""
    began, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def blocking() -> None:
        began.set()
        assert may_end.wait(10)
        has_ended.set()

    work = asyncio.create_task(in_thread(blocking))
    while not began.is_set():
        await asyncio.sleep(0)
    for _ in range(2):  # by its caller, and by the end of the event loop
        work.cancel()
        await asyncio.wait([work], timeout=0.01)
        assert not work.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert has_ended.is_set()


async def test_the_error_of_a_cancelled_call_is_not_reported_as_lost() -> None:
    """Each interrupted write to a full disk would print a traceback that nobody can act on."""
    began = threading.Event()

    def blocking() -> None:
        began.set()
        raise LookupError

    work = asyncio.create_task(in_thread(blocking))
    while not began.is_set():
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises((asyncio.CancelledError, LookupError)):
        await work
