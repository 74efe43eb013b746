"""Waiting for work that goes on although the task that waits for it was cancelled."""

import asyncio
from typing import Any


async def wait_although_cancelled(work: "asyncio.Future[Any]", timeout: float | None = None) -> None:
    """Wait for work in a task that was cancelled.

    A cancel scope of anyio, such as an MCP server has for each call, cancels a task again in each turn of the event
    loop. Without this shield, the wait might never come to its end, and would keep a processor core busy.

    Args:
        work: to wait for.
        timeout: seconds, after which this returns too.

    Raises:
        asyncio.CancelledError: the task was cancelled again, by something else than such a scope.
    """
    from anyio import CancelScope  # noqa: PLC0415 - imported when it is first needed

    with CancelScope(shield=True):
        await asyncio.wait([work], timeout=timeout)
