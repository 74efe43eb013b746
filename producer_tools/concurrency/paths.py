"""Paths that the application gives, which mean the same wherever and however the process runs."""

import asyncio
import os
from pathlib import Path


def from_home(path: str | os.PathLike[str]) -> Path:
    """The path with the home directory for a ``~`` at its start. Python would make a directory of that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises an error where there is no such home


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path, from home. In a running event loop, a relative path is returned unchanged.

    Asking for the current directory is a blocking call, which ends a run on a LangGraph development server. There the
    code that uses the path makes it absolute in a thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return from_home(path).absolute()
    return from_home(path)
