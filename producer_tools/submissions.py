"""Paid calls: each wish is sent once, within the budgets, and an outcome that nobody knows is called unknown."""

import asyncio
import logging
import threading
from concurrent.futures import Future
from functools import partial
from random import uniform
from typing import Any

from producer_tools.callbacks import CallbackReceiver, ExpectedCallback
from producer_tools.clock import Clock
from producer_tools.errors import ProducerError, SubmissionConflictError, SubmissionUnknownError
from producer_tools.ledger import Ledger, fingerprint
from producer_tools.prices import estimate
from producer_tools.requests import MusicRequest, Request
from producer_tools.retry import with_retries
from producer_tools.spending import Budget, counted
from producer_tools.task import read_answer
from producer_tools.throttle import Slots
from producer_tools.transport import Transport, unreadable
from producer_tools.waiting import in_time

_logger = logging.getLogger("producer_tools")
# Another process may be between sending and answer right now; a submit is answered within a second or two.
_OTHER_PROCESS_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.25
# A song takes 20-50 s, and its callback comes when it is done.
_CALLBACK_SECONDS = 300.0


class Submissions:
    """The paid calls of one client.

    Args:
        transport: sends them.
        clock: what time it is.
        limit: how many may be under way at once.
        budget: what the client may spend.
        callbacks: brings back the id of a submit whose answer was lost.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        limit: int,
        budget: Budget | None,
        callbacks: CallbackReceiver | None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._slots = Slots(limit)
        self._budget = budget
        self._callbacks = callbacks
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[None]] = {}

    async def submit(self, request: Request, key: str | None, ledger: Ledger) -> dict[str, Any]:
        """Have the service do what ``request`` asks, once for each ``key``, and return what it answered."""
        if key is None:
            async with self._slots.hold():
                return await with_retries(partial(self._send, request), self._clock, paid=True)
        wish = fingerprint(request.endpoint.path, request.body())
        while (other := self._begin(key)) is not None:
            await asyncio.wait([asyncio.wrap_future(other)])
        try:
            # The slot comes first: what is cancelled while it waits for one was never meant.
            async with self._slots.hold():
                # Between two tries nothing is meant: who is stopped there leaves nothing unknown behind.
                return await with_retries(partial(self._once, key, wish, ledger, request), self._clock, paid=True)
        finally:
            self._end(key)

    async def _once(self, key: str, wish: str, ledger: Ledger, request: Request) -> dict[str, Any]:
        until = self._clock.now() + (_OTHER_PROCESS_SECONDS if ledger.is_shared else 0)
        while (entry := await ledger.begin(key, wish)) is not None:
            if entry.answer is not None:
                if entry.wish != wish:
                    raise SubmissionConflictError(key, read_answer(entry.answer).task_id)
                return entry.answer
            if self._clock.now() >= until:
                if entry.wish != wish:
                    raise SubmissionConflictError(key)
                raise SubmissionUnknownError(
                    "unknown_outcome", f"This call was sent before, or was about to be, under the key {key}."
                )
            # By chance, so that two who both stepped back for each other do not do so again.
            await self._clock.sleep(_LOOK_AGAIN_SECONDS * uniform(0.2, 1.8))  # noqa: S311 - no secret
        try:
            answer = await self._send(request)
        except SubmissionUnknownError:
            raise  # the entry stands: that is how the next attempt knows
        except ProducerError:
            await ledger.forget(key)
            raise
        try:
            await ledger.finish(key, answer)
        except Exception:
            # The song is paid for: its id must reach the caller. Asked again, the ledger will say that it is unknown.
            _logger.exception("Task %s was submitted, but could not be written down.", answer.get("task_id"))
        return answer

    async def _send(self, request: Request) -> dict[str, Any]:
        with counted(estimate(request), self._budget, keep_after=(SubmissionUnknownError, asyncio.CancelledError)):
            if self._callbacks and isinstance(request, MusicRequest) and request.callback_url is None:
                return await self._send_with_callback(request, self._callbacks.expect())
            return await self._post(request)

    async def _send_with_callback(self, request: MusicRequest, expected: ExpectedCallback) -> dict[str, Any]:
        try:
            return await self._post(request.model_copy(update={"callback_url": expected.url}))
        except SubmissionUnknownError:
            # If the service did get it, the callback will bring the id that the answer should have brought.
            arriving = asyncio.shield(asyncio.wrap_future(expected.task_id))
            if not await in_time(arriving, _CALLBACK_SECONDS, self._clock):
                raise
            return {"task_id": arriving.result()}

    async def _post(self, request: Request) -> dict[str, Any]:
        answer = await self._transport.post(request.endpoint, request.body())
        task = read_answer(answer)
        if task.task_id is None and not task.results:
            raise unreadable(request.endpoint, "it has neither a task id nor a result")
        return answer

    def _begin(self, key: str) -> "Future[None] | None":
        """Say that this process works on ``key``; or return what is done when the one that does so is through."""
        with self._lock:
            if key in self._under_way:
                return self._under_way[key]
            self._under_way[key] = Future()
            return None

    def _end(self, key: str) -> None:
        with self._lock:
            done = self._under_way.pop(key)
        done.set_result(None)
