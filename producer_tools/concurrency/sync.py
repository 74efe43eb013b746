"""The background event loop of the process: it runs sync calls, and what must outlive the caller's own loop."""

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - its threads end after what is registered here
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from producer_tools.concurrency.exits import outcome_of, result_in
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.concurrency.threads import in_thread
from producer_tools.concurrency.to_the_end import SECONDS_TO_FINISH

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")
Self_ = TypeVar("Self_")
P = ParamSpec("P")


class _Background(NamedTuple):
    """The background loop, and the way into it from other threads."""

    portal: "BlockingPortal"
    loop: asyncio.AbstractEventLoop


_lock = threading.Lock()
_running = ExitStack()
_background: _Background | None = None
# What the end of the process waits for, and the loop in which it runs.
_unfinished: dict["Future[Any]", asyncio.AbstractEventLoop] = {}
_process_is_ending = False


def run_sync(call: Callable[[], Awaitable[T]]) -> T:
    """Run ``call`` in the background loop, and return or raise what it returns or raises.

    It works from any thread, also while an event loop is running in it (a notebook). That loop then stands still until
    the call returns, so the call must not wait for a task of that loop. The call sees the caller's context variables.
    If the waiting thread is interrupted, the call is cancelled.

    Raises:
        RuntimeError: it was called from the background loop itself (an async callback), where it would wait forever.
    """
    future = _started().portal.start_task_soon(outcome_of, call)
    try:
        outcome = future.result()
    except BaseException:
        future.cancel()
        raise
    return result_in(outcome)


async def start_background_loop() -> None:
    """Start the background loop in a thread, unless it runs already. Its start would block the caller's event loop."""
    if _background is None:
        await in_thread(_started)


def start_in_background(call: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
    """Start ``call`` in the background loop, where it goes on even if the caller's event loop ends.

    The call sees the caller's context variables. When the process ends, it has 30 more seconds. In an event loop, call
    `start_background_loop` first.
    """
    loop = _started().loop
    future = asyncio.run_coroutine_threadsafe(call(), loop)
    with shared_state:
        _unfinished[future] = loop
    future.add_done_callback(_forget)
    return future


@contextmanager
def unfinished_work() -> Iterator[bool]:
    """Let the process end only after the block has, or 30 seconds later.

    The block may run in any event loop. A loop in another thread than the main one may be stopped at the end of the
    process, and even if it is not, Python then starts no more threads, which write a ledger in a file.

    Yields:
        Whether the block may begin its work. When the process is ending, it may not.
    """
    work: Future[None] = Future()
    with shared_state:
        may_begin = not _process_is_ending
        if may_begin:
            _unfinished[work] = asyncio.get_running_loop()
    try:
        yield may_begin
    finally:
        _forget(work)
        work.set_result(None)


def sync_twin(
    method: Callable[Concatenate[Self_, P], Awaitable[T]],
) -> Callable[Concatenate[Self_, P], T]:
    """Make the sync version of an async method.

    In the body of a class: ``save_sync = sync_twin(save)``. If a subclass overrides ``save``, its ``save_sync`` runs
    that one.
    """

    @wraps(method)
    def twin(self: Self_, /, *args: P.args, **kwargs: P.kwargs) -> T:
        current: Callable[P, Awaitable[T]] = getattr(self, method.__name__)
        return run_sync(lambda: current(*args, **kwargs))

    twin.__name__ = f"{method.__name__}_sync"
    twin.__qualname__ = f"{method.__qualname__}_sync"
    twin.__doc__ = f"`{method.__name__}` for sync code. It takes, returns and raises the same."
    # Frameworks such as FastAPI follow `__wrapped__` to decide whether a function is async. This one is not.
    vars(twin)["__signature__"] = signature(method)
    del vars(twin)["__wrapped__"]
    return twin


def _started() -> _Background:
    global _background, _running  # noqa: PLW0603 - one loop for the whole process, made when it is first needed
    with _lock:
        if _background is None or _background.loop.is_closed():  # an exception that ends a process may have ended it
            from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - imported with the first call

            _running = ExitStack()

            # The portal's thread is a daemon thread, so it does not keep the process alive.
            portal = _running.enter_context(start_blocking_portal("asyncio"))
            _background = _Background(portal, portal.call(asyncio.get_running_loop))
        return _background


def _forget(work: "Future[Any]") -> None:
    with shared_state:
        _unfinished.pop(work, None)


def _wait_for_unfinished_work() -> None:
    global _process_is_ending  # noqa: PLW0603 - a process ends once
    with shared_state:
        _process_is_ending = True
        # A loop that was left without being closed does not run any more, so its work would never end.
        running = [work for work, loop in _unfinished.items() if loop.is_running()]
    wait(running, timeout=SECONDS_TO_FINISH)


def _stop() -> None:
    """Shut the loop down when the process ends: running calls are cancelled and sessions are closed."""
    global _background
    with _lock:
        stopped, _background = _background, None
        if stopped is not None and not stopped.loop.is_closed():
            stopped.portal.call(stopped.portal.stop, True)  # noqa: FBT003 - anyio takes it by position only here
            _running.close()


def _reset_after_fork() -> None:
    """Start afresh in a forked child, which has the parent's variables but not its threads."""
    global _background, _running, _unfinished, _process_is_ending
    # Keep the parent's objects referenced: collecting them would close the parent's sockets from the child.
    _of_the_parent.append((_background, _running, _unfinished))
    _background, _running, _unfinished, _process_is_ending = None, ExitStack(), {}, False
    _lock.release()


_of_the_parent: list[object] = []
atexit.register(_stop)
# A ledger in a file is written by threads, and when functions of `atexit` are called, Python starts no more threads.
# There is no public way to be called before that. Without the private one, an interrupted submit that ends with the
# process may leave an unknown outcome.
getattr(threading, "_register_atexit", atexit.register)(_wait_for_unfinished_work)
if hasattr(os, "register_at_fork"):
    # The lock is held during a fork, so that no child starts with a loop that its parent is just making.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_reset_after_fork)
