"""Sends results to the callback URLs that clients gave."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from producer_tools.sandbox.jobs import StoredTask

_logger = logging.getLogger("producer_tools.sandbox")
_TIMEOUT = ClientTimeout(total=10)


class Callbacks:
    """Posts each result once, when its task is finished, and ignores the answer.

    Args:
        wait_until_finished: Returns when a task is finished.
    """

    def __init__(self, wait_until_finished: Callable[[StoredTask], Awaitable[None]]) -> None:
        self._wait_until_finished = wait_until_finished
        self._session = ClientSession(timeout=_TIMEOUT)
        self._pending: set[asyncio.Task[None]] = set()

    def post(self, url: str, result: dict[str, Any], task: StoredTask) -> None:
        """Post ``result`` to ``url`` when ``task`` is finished; a failure is logged and not retried."""
        posting = asyncio.create_task(self._post(url, result, task))
        self._pending.add(posting)
        posting.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        """Cancel the callbacks that are still pending."""
        pending = list(self._pending)
        for posting in pending:
            posting.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self._session.close()

    async def _post(self, url: str, result: dict[str, Any], task: StoredTask) -> None:
        await self._wait_until_finished(task)
        try:
            # A redirect could lead to another machine, so it is not followed.
            async with self._session.post(url, json=result, allow_redirects=False):
                pass
        except (ClientError, asyncio.TimeoutError) as error:
            _logger.warning("the callback of task %s did not arrive: %r", task.id, error)
