"""Blocking calls, in threads of the package's own.

The threads of an event loop (its default executor) may all be taken by sync calls of this package: LangGraph runs sync
nodes there. Those may be waiting for an async call, which would then wait for one of their threads.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

from producer_tools.concurrency.waiting import wait_although_cancelled

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 32
_MOST_NAMES = 16
MOST_LARGE = 2
"""Calls of `in_large_thread` that run at the same time."""


class _Pools(NamedTuple):
    """The threads; each starts when it is first needed.

    Attributes:
        small: for `in_thread`.
        large: for `in_large_thread`.
        names: for `addresses_of`.
    """

    small: ThreadPoolExecutor
    large: ThreadPoolExecutor
    names: ThreadPoolExecutor


def _new_pools() -> _Pools:
    return _Pools(small=_pool(_MOST_THREADS), large=_pool(MOST_LARGE), names=_pool(_MOST_NAMES))


def _pool(most: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(most, thread_name_prefix="producer-tools")


pools = _new_pools()


class Address(NamedTuple):
    """An IP address, as the system's resolver returns it."""

    family: socket.AddressFamily
    protocol: int
    ip: str


async def in_thread(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread that has ended when this returns or raises.

    `asyncio.to_thread` returns at once when it is cancelled, and its thread goes on: a write that is then repeated may
    be carried out after the repeated one. This waits for the thread, and raises the cancellation after that.

    The call must not wait for another call of this function, as `run_sync` may: when all threads are taken by such
    calls, they wait for ever.
    """
    return await _in(pools.small, partial(call, *args, **kwargs))


async def in_large_thread(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `in_thread`, for a call that needs much memory. Few threads carry out all of them.

    The C library keeps what a thread has freed for that thread. With 32 threads, that would be 32 times as much.
    """
    return await _in(pools.large, partial(call, *args, **kwargs))


def wait_for_thread(seconds: float, call: Callable[[], T]) -> T:
    """Run a blocking call in a thread, and wait for it at most so long. A running event loop stands still meanwhile.

    It is for sync code that a library calls in an event loop. Elsewhere, `in_thread` lets the loop go on.

    Raises:
        concurrent.futures.TimeoutError: it took longer. It may go on in its thread.
    """
    return pools.small.submit(copy_context().run, call).result(seconds)


async def _in(threads: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    thread = asyncio.get_running_loop().run_in_executor(threads, partial(copy_context().run, call))
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await (asyncio.wait([thread]) if cancelled is None else wait_although_cancelled(thread))
        except asyncio.CancelledError as error:  # noqa: PERF203 - one turn takes as long as the call
            cancelled = error
    if cancelled is not None:
        thread.exception()  # nobody asks for it any more, and asyncio would report that
        raise cancelled
    return thread.result()


async def addresses_of(host: str, port: int, family: socket.AddressFamily) -> list[Address]:
    """The addresses of a host that has files.

    The event loop's own threads also look up the name of the API. A few names whose servers never answer would take all
    of those threads, and no call of anybody would reach the API. When this is cancelled, it ends at once.

    Raises:
        OSError: the name cannot be resolved.
    """

    def find() -> list[Address]:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        return [Address(kind, protocol, str(address[0])) for kind, _, protocol, _, address in found]

    return await asyncio.get_running_loop().run_in_executor(pools.names, find)


def _reset_after_fork() -> None:
    """Start afresh in a forked child, which has none of its parent's threads."""
    global pools  # noqa: PLW0603 - one set for the whole process
    pools = _new_pools()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
