"""Sends paid requests: each idempotency key once, within the budgets, a few at a time."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import uniform
from typing import Any, NamedTuple

from producer_tools.concurrency.clock import Clock, finishes_in_time
from producer_tools.concurrency.limits import KeyLocks, Semaphore
from producer_tools.errors import OutcomeKnownError, ProducerError, SubmissionConflictError, SubmissionUnknownError
from producer_tools.http.callbacks import CallbackReceiver, ExpectedCallback
from producer_tools.http.faults import unreadable
from producer_tools.http.retries import with_retries
from producer_tools.http.transport import Transport
from producer_tools.payment.budget import Budget, counted
from producer_tools.payment.keys import fingerprint
from producer_tools.payment.ledger import Ledger
from producer_tools.payment.prices import estimate
from producer_tools.requests import MusicRequest, PaidRequest
from producer_tools.tasks.records import read_answer, storable_answer
from producer_tools.tasks.task import Task

_logger = logging.getLogger("producer_tools")
# Another process may be waiting for the answer to the same request; an answer takes a second or two.
_OTHER_PROCESS_SECONDS = 5.0
_RECHECK_SECONDS = 0.25
# A song takes 20-50 s, and its callback comes when it is finished.
_CALLBACK_SECONDS = 300.0


@dataclass
class _Call:
    """A paid request that is ready to be sent.

    Attributes:
        request: what to make.
        body: the JSON body.
        fingerprint: the hash of the request.
        callback: the address that the first attempt makes, and all attempts use.
    """

    request: PaidRequest
    body: dict[str, Any]
    fingerprint: str
    callback: ExpectedCallback | None = None


class _Answer(NamedTuple):
    """What the service answered: as the ledger keeps it, and as a task."""

    stored: dict[str, Any]
    task: Task


class Submissions:
    """The paid calls of one client.

    Args:
        transport: sends the requests.
        clock: measures and waits.
        semaphore: limits how many requests are in flight at once.
        budget: what the client may spend.
        callbacks: recovers the task id of a submit whose answer was lost.
        on_submitted: called with each task that was submitted just now; not with one that the ledger knew.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        semaphore: Semaphore,
        budget: Budget | None,
        callbacks: CallbackReceiver | None,
        on_submitted: Callable[[Task], None],
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._semaphore = semaphore
        self._budget = budget
        self._callbacks = callbacks
        self._on_submitted = on_submitted
        self._in_progress = KeyLocks()

    async def submit(
        self,
        request: PaidRequest,
        key: str | None,
        ledger: Ledger,
        former_keys: Sequence[str] = (),  # noqa: ARG002 - not looked up yet
        *,
        was_sent: bool = False,
    ) -> Task:
        """Send a request once for each ``key``, and return its task."""
        body = request.body()
        call = _Call(request, body, fingerprint(request.endpoint, body))
        if key is None:
            async with self._semaphore.hold():
                return (await with_retries(partial(self._send, call), self._clock, paid=True)).task
        # The semaphore comes before the ledger: a request that is cancelled while it waits here leaves no entry.
        async with self._in_progress.hold(key), self._semaphore.hold():
            if was_sent and await ledger.begin(f"{key} released", "") is None:
                await ledger.forget(f"{key} released")
                await ledger.begin(key, call.fingerprint)  # a lost entry becomes one with an unknown outcome
            # No ledger entry is open while waiting to retry, so a crash then is not an unknown outcome.
            return await with_retries(partial(self._send_once, call, key, ledger), self._clock, paid=True)

    async def release(self, key: str, ledger: Ledger) -> None:
        """Let a request be sent again, and write down that it was released."""
        await ledger.forget(key)
        await ledger.begin(f"{key} released", "")

    async def _send_once(self, call: _Call, key: str, ledger: Ledger) -> Task:
        known = await self._claim(key, call.fingerprint, ledger)
        if known is not None:
            return known
        try:
            answer = await self._send(call)
        except SubmissionUnknownError:
            raise  # the entry stays, so that the next attempt knows that the outcome is unknown
        except ProducerError:
            with suppress(OutcomeKnownError):  # a person has adopted a task in the meantime
                await ledger.forget(key)
            raise
        try:
            await ledger.finish(key, answer.stored)
        except Exception:
            # The song is paid for, so its id must reach the caller. The ledger will report an unknown outcome.
            _logger.exception("Task %s was submitted, but the ledger could not record it.", answer.task.task_id)
        return answer.task

    async def _claim(self, key: str, asked: str, ledger: Ledger) -> Task | None:
        """Begin the ledger's entry, and return ``None``; or return the task if the request was answered before.

        Args:
            key: the idempotency key.
            asked: the fingerprint of the request.
            ledger: where it is written down.

        Raises:
            SubmissionConflictError: the key belongs to a request with another fingerprint.
            SubmissionUnknownError: the request was begun before and has no answer.
        """
        until = self._clock.now() + (_OTHER_PROCESS_SECONDS if ledger.is_shared else 0)
        while (entry := await ledger.begin(key, asked)) is not None:
            task = None if entry.answer is None else read_answer(entry.answer)
            if task is not None or self._clock.now() >= until:
                if entry.fingerprint != asked:
                    raise SubmissionConflictError(key, None if task is None else task.task_id)
                if task is not None:
                    return task
                raise SubmissionUnknownError(
                    "unknown_outcome", f"This call was sent before, or was about to be, under the key {key}."
                )
            # A random pause, so that two processes that withdrew their claims at the same moment do not collide again.
            await self._clock.sleep(_RECHECK_SECONDS * uniform(0.2, 1.8))  # noqa: S311 - not a secret
        return None

    async def _send(self, call: _Call) -> _Answer:
        usd = estimate(call.request)
        with counted(usd, self._budget):
            self._ask_for_callback(call)
            try:
                answer = self._read(call, await self._transport.post(call.request.endpoint, call.body, paid=True))
            except SubmissionUnknownError:
                if call.callback is None:
                    raise
                # If the service did get the request, its callback brings the id that the answer should have brought.
                arriving = asyncio.shield(asyncio.wrap_future(call.callback.task_id))
                if not await finishes_in_time(arriving, _CALLBACK_SECONDS, self._clock):
                    raise
                return self._read(call, {"task_id": arriving.result()})
            self._on_submitted(answer.task)
            return answer

    def _ask_for_callback(self, call: _Call) -> None:
        """Add a callback address to a song's request, unless it has one."""
        request = call.request
        if self._callbacks is None or call.callback is not None or not isinstance(request, MusicRequest):
            return
        if request.callback_url is None:
            call.callback = self._callbacks.expect()
            call.body = request.model_copy(update={"callback_url": call.callback.url}).body()

    @staticmethod
    def _read(call: _Call, raw: Mapping[str, Any]) -> _Answer:
        task = read_answer(raw)
        if task.task_id is None and not task.results:
            raise unreadable(call.request.endpoint, "it has neither a task id nor a result", paid=True)
        return _Answer(storable_answer(task), task)
