"""Paths that stay the same when the process changes its current directory."""

import asyncio
import os
from pathlib import Path


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path. In a running event loop, a relative path is returned unchanged.

    Asking for the current directory is a blocking call, which ends a run on a LangGraph development server. There the
    code that uses the path makes it absolute in a thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return Path(path).absolute()
    return Path(path)
