"""Paths that stay where they are when the process changes its current directory."""

import asyncio
import os
from pathlib import Path


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path, taken now; but a relative path as it is where an event loop is running.

    Asking for the current directory counts as a blocking call there, and ends a run on a LangGraph development server.
    Then whoever uses the path makes it absolute in a thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return Path(path).absolute()
    return Path(path)
