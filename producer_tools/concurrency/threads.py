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

P = ParamSpec("P")
T = TypeVar("T")

_MOST_THREADS = 32
_MOST_NAMES = 16


def _new_threads() -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    return (
        ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="producer-tools"),
        ThreadPoolExecutor(_MOST_NAMES, thread_name_prefix="producer-tools names"),
    )


_threads, _name_threads = _new_threads()  # each thread is started when it is first needed


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
    run = partial(copy_context().run, partial(call, *args, **kwargs))
    thread = asyncio.get_running_loop().run_in_executor(_threads, run)
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

    return await asyncio.get_running_loop().run_in_executor(_name_threads, find)


def _reset_after_fork() -> None:
    """Start afresh in a forked child, which has none of its parent's threads."""
    global _threads, _name_threads
    _threads, _name_threads = _new_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
