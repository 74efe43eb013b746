"""The one bridge from sync code to async: a background event loop that all sync calls of the process share."""

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")

_lock = threading.Lock()
_running = ExitStack()
_portal: BlockingPortal | None = None


def run_sync(call: Callable[[], Awaitable[T]]) -> T:
    """Run ``call`` in the background loop and return what it returns, or raise what it raises.

    It works from any thread, inside a running event loop too (a notebook); context variables come along. Should
    the waiting thread be interrupted, the call is cancelled.

    Raises:
        RuntimeError: called from the background loop itself (an async callback), where waiting would never end.
    """
    future = _background().start_task_soon(call)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _background() -> BlockingPortal:
    global _portal  # noqa: PLW0603 - one loop to a process, made when it is first needed
    with _lock:
        if _portal is None:
            # The thread is a daemon's, so it keeps no process alive.
            _portal = _running.enter_context(start_blocking_portal("asyncio"))
        return _portal


def _stop() -> None:
    """End the loop in order when the process ends: calls still under way are cancelled, sessions are closed."""
    global _portal
    with _lock:
        portal, _portal = _portal, None
        if portal is not None:
            portal.call(portal.stop, True)  # noqa: FBT003 - anyio takes it by position only here
        _running.close()


def _forget() -> None:
    """A forked child has the parent's variables, but not its threads: it starts a loop of its own when it needs one."""
    global _portal, _running, _lock
    # Kept, for if they were collected, closing their sockets in the child would reach into the parent's event loop.
    _of_the_parent.append((_portal, _running))
    _portal, _running, _lock = None, ExitStack(), threading.Lock()


_of_the_parent: list[object] = []
atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
