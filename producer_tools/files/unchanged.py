"""Reads saved files, and only those: what has changed since, or is a link, is not read."""

import os
import stat

from producer_tools.files.saved import SavedFile


def why_unusable(file: SavedFile) -> str:
    """What the file is, if it is not the one that was saved: ``no longer there``, ``changed``, …; else empty.

    A link in its place could expose any file of the user's, and is never followed.
    """
    try:
        found = os.lstat(file.path)
    except FileNotFoundError:
        return "no longer there"
    except (OSError, ValueError):  # ValueError: no path at all
        return "unreadable"
    if stat.S_ISLNK(found.st_mode):
        return "a link, which is not followed"
    return "" if stat.S_ISREG(found.st_mode) and found.st_size == file.bytes else "changed"


def read(file: SavedFile) -> bytes | None:
    """The file's bytes; ``None`` if it is no longer the one that was saved, or cannot be read."""
    if why_unusable(file):
        return None
    try:
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - a path would be opened again, and may be a link by now
            data = opened.read(file.bytes + 1)
    except OSError:
        return None
    return data if len(data) == file.bytes else None
