"""Sends one paid request whose ledger entry was begun, and writes its outcome down."""

import asyncio
import logging
from functools import partial
from typing import Any, NamedTuple

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.to_the_end import to_the_end
from producer_tools.errors import LedgerError, ProducerError, SubmissionUnknownError
from producer_tools.http.callbacks import CallbackReceiver
from producer_tools.http.faults import unreadable
from producer_tools.http.transport import Transport
from producer_tools.payment.availability import Availability
from producer_tools.payment.budget import Budget, counted
from producer_tools.payment.entry import Entry, Source
from producer_tools.payment.keys import fingerprint
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.prices import estimate
from producer_tools.payment.settling import Settler
from producer_tools.requests import MusicRequest, PaidRequest
from producer_tools.tasks.records import read_answer, storable_answer
from producer_tools.tasks.task import Task

_logger = logging.getLogger("producer_tools")

_LEASE_SECONDS = 15.0
_RENEWAL_SECONDS = 5.0


class _Answer(NamedTuple):
    """What the service answered: as the ledger keeps it, as a task, and what brought it."""

    stored: dict[str, Any]
    task: Task
    source: Source = "answer"


class Sender:
    """Sends paid requests.

    Args:
        transport: sends the requests.
        clock: measures.
        settler: finds out what became of a request whose answer was lost.
        budget: what the client may spend.
        callbacks: gives each song's request a callback address.
        availability: knows whether the service works.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        settler: Settler,
        budget: Budget | None,
        callbacks: CallbackReceiver | None,
        availability: Availability,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._settler = settler
        self._budget = budget
        self._callbacks = callbacks
        self._availability = availability

    def new_entry(self, request: PaidRequest, key: str, account: str, owner: str) -> Entry:
        """The ledger entry of a request that is about to be sent.

        Args:
            request: what to make.
            key: the key that the entry is filed under.
            account: the hash of the token.
            owner: the id of the call.
        """
        now = self._clock.now()
        return Entry(
            key=key,
            fingerprint=fingerprint(request),
            account=account,
            endpoint=request.endpoint,
            request=self._with_callback(request, key).body(),
            begun_at=now,
            lease_until=now + _LEASE_SECONDS,
            usd=str(estimate(request)),
            owner=owner,
        )

    async def send(self, request: PaidRequest, entry: Entry, ledger: Ledger) -> Task:
        """Send a request, and return its task.

        Args:
            request: what to make.
            entry: its entry, which this call has just begun.
            ledger: where the outcome is written down.

        Raises:
            SubmissionUnknownError: the outcome is unknown, and could not be found out.
            ServiceUnavailableError: the service is down, so nothing was sent; the entry is deleted.
            ProducerError: the service did no work; the entry is deleted.
        """
        post = partial(self._answer, request, entry, ledger)
        sending = asyncio.ensure_future(self._availability.attempt(entry, ledger, post))
        while not await _is_done(sending, _RENEWAL_SECONDS):
            entry = await self._renewed(entry, ledger)
        try:
            answer = sending.result()
        except SubmissionUnknownError:
            await self._change(entry, entry.changed(lease_until=0.0), ledger)
            raise
        except ProducerError:
            await self._change(entry, None, ledger)
            raise
        await self._write_down(answer, entry, ledger)
        return answer.task

    async def _answer(self, request: PaidRequest, entry: Entry, ledger: Ledger) -> _Answer:
        try:
            with counted(estimate(request), self._budget):
                raw = await self._transport.post(entry.endpoint, entry.request, paid=True)
                task = read_answer(raw)
                if task.task_id is None and not task.results:
                    raise unreadable(entry.endpoint, "it has neither a task id nor a result", paid=True)
        except SubmissionUnknownError as unknown:
            finding = await self._settler.search(entry, ledger, patient=True)
            if finding.state != "found":
                raise unknown.with_more(finding.in_words()) from unknown.__cause__
            task = Task(task_id=finding.task_ids[0], state="pending")
            return _Answer({"task_id": task.task_id}, task, finding.source)
        return _Answer(storable_answer(task), task)

    async def _renewed(self, entry: Entry, ledger: Ledger) -> Entry:
        """The entry with a new lease; the same entry if it could not be renewed, which is not worth an error."""
        renewed = entry.changed(lease_until=self._clock.now() + _LEASE_SECONDS)
        return renewed if await self._change(entry, renewed, ledger) else entry

    async def _write_down(self, answer: _Answer, entry: Entry, ledger: Ledger) -> None:
        """Add the answer to the entry. The song is paid for, so its id must reach the caller whatever happens here."""
        answered = entry.changed(answer=answer.stored, source=answer.source, lease_until=0.0)
        if await self._change(entry, answered, ledger):
            return
        try:
            # A person released it while it was being sent: it is filed again, unless another call has taken the key.
            known = await to_the_end(lambda: guarded(ledger.begin(answered)))
            if known is not None and known.owner == entry.owner and known.answer is None:
                await guarded(ledger.replace(known, answered))
            elif known is not None and (known.answer or {}).get("task_id") != answer.task.task_id:
                _logger.error("Task %s was paid for, but its key now belongs to another.", answer.task.task_id)
        except LedgerError:
            _logger.exception("Task %s was submitted, but the ledger could not record it.", answer.task.task_id)

    @staticmethod
    async def _change(entry: Entry, changed: Entry | None, ledger: Ledger) -> bool:
        """Replace the entry; ``False`` if it was changed by others, or if the ledger failed."""
        try:
            return await to_the_end(lambda: guarded(ledger.replace(entry, changed)))
        except LedgerError:
            _logger.exception("The ledger could not record what became of the request under %s.", entry.key)
            return False

    def _with_callback(self, request: PaidRequest, key: str) -> PaidRequest:
        """The request with a callback address, unless it has one."""
        if self._callbacks is None or not isinstance(request, MusicRequest) or request.callback_url is not None:
            return request
        return request.model_copy(update={"callback_url": self._callbacks.address(key)})


async def _is_done(work: "asyncio.Future[Any]", seconds: float) -> bool:
    """Wait for work for so long. A cancellation is ignored: the work itself is bounded, and its outcome is needed."""
    try:
        await asyncio.wait([work], timeout=seconds)
    except asyncio.CancelledError:
        return False
    return work.done()
