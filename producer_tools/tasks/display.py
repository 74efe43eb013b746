"""How values and lengths are displayed."""

import os
from datetime import datetime, timedelta, timezone
from functools import singledispatch
from pathlib import Path

_LONGEST_QUOTE = 60


@singledispatch
def html_of(value: object) -> str:
    """The HTML of a task, a batch or downloads. `producer_tools.notebook` registers an implementation for each.

    Raises:
        TypeError: none is registered for this type.
    """
    raise TypeError(f"No HTML is defined for {type(value).__name__}.")


def to_html(value: object) -> str:
    """The HTML of a task, a batch or downloads, for a notebook. It is a plain `str`: marimo shows no subclass of it.

    Raises:
        TypeError: no HTML is defined for this type.
    """
    return str(html_of(value))


@singledispatch
def write_html(
    value: object,
    path: str | os.PathLike[str],  # noqa: ARG001 - what is registered uses it
    title: str | None = None,  # noqa: ARG001 - the same
) -> Path:
    """Write a page that plays what was downloaded. `producer_tools.notebook` registers the implementation.

    Raises:
        TypeError: none is registered for this type.
    """
    raise TypeError(f"No page is defined for {type(value).__name__}.")


def minutes(seconds: float) -> str:
    """The length of a song as every player shows it: ``2:05``, rounded down to whole seconds."""
    whole, rest = divmod(seconds // 1, 60)
    return f"{whole:.0f}:{rest:02.0f}"


def iso_date(unix_seconds: float | None, days_later: int = 0) -> str | None:
    """The day in UTC, such as ``2027-02-27``; ``None`` for no time, or for one that no calendar has."""
    if unix_seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(unix_seconds, timezone.utc) + timedelta(days=days_later)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.date().isoformat()


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 song``, ``2 songs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quote(text: str) -> str:
    """Text of the service in quotes, on one line: escaped as Python does it, and cut at 60 characters."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…")
