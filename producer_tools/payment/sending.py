"""Sends one paid request whose ledger entry was begun, and writes its outcome down."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from langchain_core.runnables import ensure_config

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.to_the_end import result_of
from producer_tools.errors import BeingSentError, LedgerError, ProducerError, SubmissionUnknownError
from producer_tools.http.callbacks import CallbackReceiver
from producer_tools.http.faults import unreadable
from producer_tools.http.transport import Transport
from producer_tools.payment.availability import Availability
from producer_tools.payment.entry import Entry, Limit, Source
from producer_tools.payment.graph_keys import thread_of
from producer_tools.payment.keys import fingerprint
from producer_tools.payment.ledger import Ledger, guarded, written
from producer_tools.payment.settling import GRACE_SECONDS, Finding, Settler
from producer_tools.payment.spending import Spending
from producer_tools.requests import MusicRequest, PaidRequest
from producer_tools.tasks.records import read_answer, storable_answer
from producer_tools.tasks.task import Task
from producer_tools.telemetry import logger

T = TypeVar("T")


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
        spending: estimates what a request costs, and counts it in its budgets.
        callbacks: gives each song's request a callback address.
        availability: knows whether the service works.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        settler: Settler,
        spending: Spending,
        callbacks: CallbackReceiver | None,
        availability: Availability,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._settler = settler
        self._spending = spending
        self._callbacks = callbacks
        self._availability = availability

    def new_entry(self, request: PaidRequest, key: str, account: str, owner: str) -> Entry:
        """The ledger entry of a request that is about to be sent.

        Args:
            request: what to make.
            key: the key that the entry is filed under.
            account: the hash of the token.
            owner: the id of the call.

        Raises:
            ConfigurationError: the client's prices failed.
        """
        now, price = self._clock.now(), self._spending.price(request)
        return Entry(
            key=key,
            fingerprint=fingerprint(request),
            account=account,
            endpoint=request.endpoint,
            request=self._with_callback(request, key).body(),
            begun_at=now,
            lease_until=now + _LEASE_SECONDS,
            usd=str(price.usd),
            credits=str(price.credits),
            scopes=self._spending.scopes(account),
            thread=thread_of(ensure_config()) or "",
            owner=owner,
        )

    def limits(self, entry: Entry) -> list[Limit]:
        """What a new entry must fit into, by the lasting budgets of this call."""
        return self._spending.limits(entry)

    async def check(self, request: PaidRequest, account: str, ledger: Ledger) -> None:
        """Check that a request would be sent now: the service is not down, and it fits into its budgets.

        Raises:
            ServiceUnavailableError, RetiredError, BudgetExceededError: it would not.
            ConfigurationError: the client's prices failed.
            LedgerError: the ledger cannot be read.
        """
        entry = self.new_entry(request, "", account, "")
        await self._availability.check(entry, ledger)
        await self._spending.check(entry, ledger)

    async def send(self, entry: Entry, ledger: Ledger) -> Task:
        """Send a request, and return its task.

        Args:
            entry: its entry, which this call has just begun.
            ledger: where the outcome is written down.

        Raises:
            SubmissionUnknownError: the outcome is unknown, and could not be found out.
            ServiceUnavailableError: the service is down, so nothing was sent; the entry is deleted.
            ProducerError: the service did no work; the entry is deleted.
        """
        record = _Record(entry, ledger, self._clock)
        is_sent = False

        async def exchange() -> _Answer:
            nonlocal is_sent
            # A process that was stopped meanwhile may have lost its lease: then another one may have sent the request.
            if record.entry.lease_until <= self._clock.now() and not await record.renew():
                raise BeingSentError(entry.key)
            is_sent = True
            return await self._exchange(entry)

        try:
            answer = await record.keep_during(partial(self._availability.attempt, entry, ledger, exchange))
        except SubmissionUnknownError as unknown:
            answer = await self._found(unknown, record)
        except ProducerError:
            await record.delete()
            raise
        except BaseException:
            # An event loop that ends may have cancelled the exchange before its first step.
            await (record.change(lease_until=self._clock.now()) if is_sent else record.delete())
            raise
        await record.write_down(answer)
        return answer.task

    async def withdraw(self, entry: Entry, ledger: Ledger) -> None:
        """Delete the entry of a request that was not sent, because its caller has been cancelled."""
        record = _Record(entry, ledger, self._clock)
        record.is_ending = True
        await record.delete()

    async def _exchange(self, entry: Entry) -> _Answer:
        with self._spending.counted(entry):
            task = read_answer(await self._transport.post(entry.endpoint, entry.request, paid=True))
            if task.task_id is None and not task.results:
                raise unreadable(entry.endpoint, "it has neither a task id nor a result", paid=True)
        return _Answer(storable_answer(task), task)

    async def _found(self, unknown: SubmissionUnknownError, record: "_Record") -> _Answer:
        """The task of a request whose answer was lost, if it can be found within a minute."""
        ended = self._clock.now()
        entry = record.entry.changed(lease_until=ended)
        try:
            search = partial(self._settler.search, entry, record.ledger, ended + GRACE_SECONDS)
            finding = await record.keep_during(search)
        except (ProducerError, asyncio.CancelledError):
            finding = Finding("unclear")
        if finding.state == "found":
            task = Task(task_id=finding.task_ids[0], state="pending")
            return _Answer({"task_id": task.task_id}, task, finding.source)
        await record.change(lease_until=ended, finding=finding._asdict())
        if record.is_ending:
            raise asyncio.CancelledError
        raise unknown.with_more(finding.in_words()) from unknown.__cause__

    def _with_callback(self, request: PaidRequest, key: str) -> PaidRequest:
        """The request with a callback address, unless it has one."""
        if self._callbacks is None or not isinstance(request, MusicRequest) or request.callback_url is not None:
            return request
        return request.model_copy(update={"callback_url": self._callbacks.address(key)})


class _Record:
    """The entry of a request that is being sent, and the ledger that holds it.

    Attributes:
        entry: the entry as this call has written it last.
        ledger: the ledger.
        is_ending: whether the event loop is ending. Then nothing may take longer than 30 seconds.
    """

    def __init__(self, entry: Entry, ledger: Ledger, clock: Clock) -> None:
        self.entry = entry
        self.ledger = ledger
        self.is_ending = False
        self._clock = clock

    async def keep_during(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call, during which the lease is renewed.

        A cancellation is ignored. It comes only from an event loop that ends, which cancels the call too: the call
        itself decides whether it ends then.
        """
        work = asyncio.ensure_future(_outcome(call))
        while not work.done():
            try:
                await asyncio.wait([work], timeout=_RENEWAL_SECONDS)
                if not work.done():  # a lease that cannot be renewed must not fail the call
                    await self.renew()
            except asyncio.CancelledError:  # noqa: PERF203 - one turn takes seconds
                self.is_ending = True
        outcome = result_of(work)
        if isinstance(outcome, ProducerError):
            raise outcome
        return outcome

    async def renew(self) -> bool:
        """Renew the lease; ``False`` if the entry belongs to another by now, or if the ledger failed."""
        return await self.change(lease_until=self._clock.now() + _LEASE_SECONDS)

    async def change(self, **changes: Any) -> bool:
        """Change the entry; ``False`` if others have changed it, or if the ledger failed."""
        changed = self.entry.changed(**changes)
        is_changed = await self._try_to_put(changed)
        if is_changed:
            self.entry = changed
        return is_changed

    async def delete(self) -> None:
        """Delete the entry, so that the request can be sent again."""
        await self._try_to_put(None)

    async def write_down(self, answer: _Answer) -> None:
        """Add the answer to the entry. The song is paid for, so its id must reach the caller whatever happens here."""
        task_id = answer.task.task_id
        answered = self.entry.changed(answer=answer.stored, source=answer.source, lease_until=0.0)
        try:
            if await self._try_to_put(answered):
                return
            # A person released it while it was being sent: it is filed again, unless another call has taken the key.
            known = await self._written(partial(begun, answered, self.ledger))
            if known is not None and known.owner == answered.owner and known.answer is None:
                await self._written(partial(_put, known, answered, self.ledger))
            elif known is not None and (known.answer or {}).get("task_id") != task_id:
                logger.error("Task %s was paid for, but its key now belongs to another.", task_id)
        except LedgerError as error:
            _log_failure(error, f"Task {task_id} was submitted, but the ledger could not record it.")
        except asyncio.CancelledError:
            logger.exception("Task %s was submitted, but the ledger did not record it in time.", task_id)
            raise

    async def _try_to_put(self, changed: Entry | None) -> bool:
        try:
            return await self._written(partial(_put, self.entry, changed, self.ledger))
        except LedgerError as error:
            _log_failure(error, f"The ledger could not record what became of the request under {self.entry.key!r}.")
            return False

    async def _written(self, write: Callable[[], Awaitable[T]]) -> T:
        return await written(self.ledger, write, is_cancelled=self.is_ending)


def _log_failure(error: LedgerError, what: str) -> None:
    """Log that the ledger failed after the request was sent: the error's own text says that nothing was sent."""
    logger.error("%s %s", what, error.message, exc_info=error.__cause__)


async def begun(
    entry: Entry, ledger: Ledger, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
) -> Entry | None:
    """Begin an entry: `Ledger.begin` as one coroutine, which leaves nothing behind if it is cancelled at once."""
    return await guarded(ledger.begin(entry, former_keys=former_keys, limits=limits))


async def _outcome(call: Callable[[], Awaitable[T]]) -> T | ProducerError:
    """The result of a call, or its error: an event loop that ends complains of tasks that raise after that."""
    try:
        return await call()
    except ProducerError as error:
        return error


async def _put(entry: Entry, changed: Entry | None, ledger: Ledger) -> bool:
    """Put ``changed`` in the place of ``entry``, which is of this call, or delete it. It can be repeated.

    Another process may have noted a finding in an entry whose lease had lapsed, and so may an earlier attempt of this
    call whose outcome was lost. That does not matter, unless the entry was answered or is of another call by now.
    """
    if await guarded(ledger.replace(entry, changed)):
        return True
    known = await guarded(ledger.get(entry.key))
    if known is not None and known.owner == entry.owner and known.answer is None:
        return await guarded(ledger.replace(known, changed))
    return known is changed if known is None or changed is None else known.revision == changed.revision
