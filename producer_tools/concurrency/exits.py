"""Exceptions that are meant to end the process, such as `SystemExit`, on their way out of an event loop.

A task that raises one ends its event loop at once. The background loop must go on, since other threads use it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Exit(NamedTuple):
    """Such an exception, as the result of the task that it has ended."""

    reason: BaseException


async def outcome_of(call: Callable[[], Awaitable[T]]) -> T | Exit:
    """What a call returns, or the exit that it raises. Other exceptions are raised."""
    try:
        return await call()
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as reason:  # noqa: BLE001 - `result_in` raises it
        return Exit(reason)


def result_in(outcome: T | Exit) -> T:
    """What a call has returned.

    Raises:
        BaseException: it has raised an exit.
    """
    if isinstance(outcome, Exit):
        raise outcome.reason
    return outcome
