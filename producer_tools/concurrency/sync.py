"""The one bridge from sync code to async: a background event loop that all sync calls of the process share."""

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")
Self_ = TypeVar("Self_")
P = ParamSpec("P")

_lock = threading.Lock()
_running = ExitStack()
_portal: "BlockingPortal | None" = None


def run_sync(call: Callable[[], Awaitable[T]]) -> T:
    """Run ``call`` in the background loop, and return or raise what it returns or raises.

    It works from any thread, also while an event loop is running in it (a notebook). That loop then stands still until
    the call returns, so the call must not wait for a task of that loop. The call sees the caller's context variables.
    If the waiting thread is interrupted, the call is cancelled.

    Raises:
        RuntimeError: it was called from the background loop itself (an async callback), where it would wait forever.
    """
    future = _background().start_task_soon(call)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


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


def _background() -> "BlockingPortal":
    global _portal  # noqa: PLW0603 - one loop for the whole process, made when it is first needed
    with _lock:
        if _portal is None:
            from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - only sync calls need it

            # The portal's thread is a daemon thread, so it does not keep the process alive.
            _portal = _running.enter_context(start_blocking_portal("asyncio"))
        return _portal


def _stop() -> None:
    """Shut the loop down when the process ends: running calls are cancelled and sessions are closed."""
    global _portal
    with _lock:
        portal, _portal = _portal, None
        if portal is not None:
            portal.call(portal.stop, True)  # noqa: FBT003 - anyio takes it by position only here
        _running.close()


def _reset_after_fork() -> None:
    """Start afresh in a forked child, which has the parent's variables but not its threads."""
    global _portal, _running
    # Keep the parent's objects referenced: collecting them would close the parent's sockets from the child.
    _of_the_parent.append((_portal, _running))
    _portal, _running = None, ExitStack()
    _lock.release()


_of_the_parent: list[object] = []
atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    # The lock is held during a fork, so that no child starts with a loop that its parent is just making.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_reset_after_fork)
