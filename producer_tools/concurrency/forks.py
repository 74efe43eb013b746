"""Work during which this process does not fork."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_may_begin = threading.Lock()  # held during a fork
_changed = threading.Condition()
_under_way = 0


@contextmanager
def no_fork() -> Iterator[None]:
    """Let no thread fork the process during the block: a fork waits until all such blocks have ended.

    Blocks may overlap. While a fork waits, no further block begins.
    """
    global _under_way  # noqa: PLW0603 - one count for the whole process
    with _may_begin, _changed:
        _under_way += 1
    try:
        yield
    finally:
        with _changed:
            _under_way -= 1
            _changed.notify_all()


def _wait_for_the_end() -> None:
    _may_begin.acquire()
    with _changed:
        _changed.wait_for(lambda: not _under_way)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_the_end, after_in_parent=_may_begin.release, after_in_child=_may_begin.release)
