"""Results posted to the address that a caller gave."""

import asyncio
import logging
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from producer_tools.concurrency.clock import Clock

_logger = logging.getLogger("producer_tools.sandbox")
_TIMEOUT = ClientTimeout(total=10)


class Callbacks:
    """Posts each result once, when its time has come, and takes no notice of the answer.

    Args:
        clock: When a result's time has come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session = ClientSession(timeout=_TIMEOUT)
        self._waiting: set[asyncio.Task[None]] = set()

    def post(self, url: str, result: dict[str, Any], at: float) -> None:
        """Post ``result`` to ``url`` at the Unix time ``at``; a fault is logged and forgotten."""
        task = asyncio.create_task(self._post(url, result, at))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Give up what has not been posted."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._session.close()

    async def _post(self, url: str, result: dict[str, Any], at: float) -> None:
        await self._clock.sleep(at - self._clock.now())
        try:
            # A redirect could lead away from this machine.
            async with self._session.post(url, json=result, allow_redirects=False):
                pass
        except (ClientError, asyncio.TimeoutError) as error:
            _logger.warning("the callback of task %s did not arrive: %r", result["task_id"], error)
