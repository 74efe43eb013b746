"""Sends paid requests: each idempotency key once, within the budgets, a few at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import uniform
from uuid import uuid4

from producer_tools import telemetry
from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.limits import KeyLocks, Semaphores
from producer_tools.concurrency.sync import unfinished_work
from producer_tools.concurrency.to_the_end import SECONDS_TO_FINISH
from producer_tools.errors import BeingSentError, ProducerError, SubmissionConflictError, SubmissionUnknownError
from producer_tools.http.retries import with_retries
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import is_same_request, ledger_key
from producer_tools.payment.ledger import Ledger, MemoryLedger, guarded, written
from producer_tools.payment.outcomes import Outcomes
from producer_tools.payment.sending import Sender, begun
from producer_tools.requests import MusicRequest, PaidRequest
from producer_tools.tasks.records import read_answer
from producer_tools.tasks.task import Task

_RECHECK_SECONDS = 0.25


@dataclass
class _Call:
    """A paid request that is on its way to its outcome.

    Attributes:
        request: what to make.
        key: the caller's idempotency key.
        account: the hash of the token.
        former_keys: further keys under which the same request may have been filed.
        ledger: where it is written down.
        was_sent: whether the caller knows that it was sent before, even if the ledger does not.
        refusal: why it must not be sent; ``None`` if it may be.
        owner: the id of this call in the ledger.
        is_being_sent: whether it may have been sent; then it goes on without its caller.
        is_abandoned: whether its caller has been cancelled.
    """

    request: PaidRequest
    key: str
    account: str
    former_keys: Sequence[str]
    ledger: Ledger
    was_sent: bool
    refusal: ProducerError | None
    owner: str = field(default_factory=lambda: uuid4().hex)
    is_being_sent: bool = False
    is_abandoned: bool = False

    @property
    def ledger_key(self) -> str:
        return ledger_key(self.key, self.account)

    @property
    def former_ledger_keys(self) -> list[str]:
        return [ledger_key(key, self.account) for key in self.former_keys] + list(self.former_keys)

    def is_of(self, known: Entry) -> bool:
        """Whether an entry is this request's. Under a former key, another one or another account's may be filed."""
        if known.key == self.ledger_key:
            return True
        is_same = known.key == self.key or is_same_request(self.request, known.fingerprint)
        return is_same and known.may_belong_to(self.account)

    @property
    def what(self) -> str:
        """The action, or the endpoint of a request without one."""
        return self.request.action if isinstance(self.request, MusicRequest) else self.request.endpoint


class Submissions:
    """The paid calls of one client.

    Args:
        transport: sends the requests.
        clock: measures and waits.
        semaphores: limits how many requests of each token are in flight at once; the keys are `token_id`s.
        sender: sends one request and writes its outcome down.
        outcomes: finds out what became of requests that an earlier process sent.
        on_submitted: called with each task that was submitted just now; not with one that the ledger knew.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        semaphores: Semaphores,
        sender: Sender,
        outcomes: Outcomes,
        on_submitted: Callable[[Task], None],
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._semaphores = semaphores
        self._sender = sender
        self._outcomes = outcomes
        self._on_submitted = on_submitted
        self._in_progress = KeyLocks()
        self._has_warned = False
        self._running: dict[asyncio.Task[Task], _Call] = {}

    async def submit(
        self,
        request: PaidRequest,
        key: str | None,
        ledger: Ledger,
        former_keys: Sequence[str] = (),
        *,
        was_sent: bool = False,
        refusal: ProducerError | None = None,
    ) -> Task:
        """Send a request once for each ``key``, and return its task; or raise ``refusal`` where it would be sent.

        If the caller is cancelled once the request may have been sent, sending it and writing down its outcome go on
        without the caller, and the next call with the key gets the task.
        """
        account = token_id(self._transport.token())
        await self._transport.prepare()
        # Without a key each call is a new request. It gets an entry too, so that it is accounted for.
        if key is not None:
            former_keys = [*former_keys, key]  # the first version filed requests under the key alone
        call = _Call(request, key or f"once {uuid4().hex}", account, former_keys, ledger, was_sent, refusal)
        work = asyncio.create_task(self._run(call))
        self._running[work] = call  # asyncio itself does not keep a reference
        work.add_done_callback(self._running.pop)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            call.is_abandoned = True
            if not call.is_being_sent:
                work.cancel()
                await asyncio.wait([work])
            raise

    async def finish(self) -> None:
        """Wait until each request of this event loop that may have been sent is written down, at most 30 seconds."""
        here = asyncio.get_running_loop()
        running = self._running.copy().items()  # other threads change it
        unfinished = [work for work, call in running if call.is_being_sent and work.get_loop() is here]
        if unfinished:
            await asyncio.wait(unfinished, timeout=SECONDS_TO_FINISH)

    async def _run(self, call: _Call) -> Task:
        try:
            with telemetry.operation("submit", action=call.what, key=call.key) as facts:
                task = await self._until_known(call)
                facts["task_id"] = task.task_id
                return replace(task, source_audio_id=getattr(call.request, "audio_id", None))
        except Exception as error:
            if isinstance(error, SubmissionUnknownError):
                error.key = call.key
                telemetry.unknown_outcome(call.what, call.key, error.code)
            if not call.is_abandoned:
                raise
            # No caller is left to handle the error, and asyncio would report it as never retrieved.
            telemetry.logger.warning(
                "The submit under the key %s, whose caller was cancelled, failed: %s", call.key, error
            )
            raise asyncio.CancelledError from None

    async def _until_known(self, call: _Call) -> Task:
        """Send the request, or wait until whoever is sending it knows the outcome."""
        while True:
            # The semaphore comes before the ledger: a request that is cancelled while it waits here leaves no entry.
            async with self._in_progress.hold(call.ledger_key), self._place(call):
                with suppress(BeingSentError):
                    # No ledger entry is open while waiting to retry, so a crash then is not an unknown outcome.
                    return await with_retries(
                        call.request.endpoint, partial(self._send_once, call), self._clock, paid=True
                    )
            # A random pause, so that two processes that withdrew their entries at the same moment do not collide again.
            await self._clock.sleep(_RECHECK_SECONDS * uniform(0.2, 1.8))  # noqa: S311 - not a secret

    @asynccontextmanager
    async def _place(self, call: _Call) -> AsyncIterator[None]:
        """Hold one of the places for paid requests during the block. A long wait for it is logged while it lasts."""
        warning = asyncio.get_running_loop().call_later(
            telemetry.SECONDS_OF_A_LONG_WAIT,
            telemetry.waits_for_a_place,
            call.what,
            call.key,
            self._semaphores.limit,
        )
        try:
            async with self._semaphores.hold(call.account):
                warning.cancel()
                yield
        finally:
            warning.cancel()

    async def _send_once(self, call: _Call) -> Task:
        with unfinished_work() as may_begin:
            if not may_begin:
                raise ProducerError(
                    "process_ending", "The process is ending, so this call was not sent and nothing was charged."
                )
            sent = await self._begin_and_send(call)
        if isinstance(sent, Entry):
            return await self._task_of(call, sent)
        self._on_submitted(sent)
        return sent

    async def _begin_and_send(self, call: _Call) -> Task | Entry:
        """The task of the request; or its entry, if it was sent before."""
        entry = self._sender.new_entry(call.request, call.ledger_key, call.account, call.owner)
        call.is_being_sent = True
        try:
            known = await (self._begin(call, entry) if call.refusal is None else self._sent_before(call))
            if known is None and call.refusal is not None:
                raise call.refusal
            if known is None and call.was_sent and not await self._outcomes.is_released(entry.key, call.ledger):
                known = await self._outcomes.record_as_unknown(entry, call.ledger)
            if known is None and call.is_abandoned:
                await self._sender.withdraw(entry, call.ledger)
            if call.is_abandoned:
                raise asyncio.CancelledError
            if known is None:
                if call.request.warning:
                    telemetry.logger.warning("%s", call.request.warning)
                task = await self._sender.send(entry, call.ledger)
                telemetry.submitted(call.what, task.task_id, call.key, entry.usd)
                return task
            return known
        finally:
            call.is_being_sent = False

    async def _begin(self, call: _Call, entry: Entry) -> Entry | None:
        """Begin the entry and return ``None``; or return the entry of the same request, sent before."""
        former_keys = call.former_ledger_keys
        limits = self._sender.limits(entry)
        if limits and type(call.ledger) is MemoryLedger and not self._has_warned:
            self._has_warned = True
            telemetry.logger.warning(
                "A budget with per or scope counts in the ledger, and this client's is in memory: each process begins "
                "from 0. Give the client one that lasts, such as ledger=SqliteLedger('songs.sqlite')."
            )
        while True:
            known = await written(call.ledger, partial(begun, entry, call.ledger, tuple(former_keys), limits))
            if known is None or known.owner == entry.owner:
                return None
            if call.is_of(known):
                return known
            former_keys = [key for key in former_keys if key != known.key]

    async def _sent_before(self, call: _Call) -> Entry | None:
        """The entry of the same request, sent before; ``None`` if there is none. Nothing is written."""
        for key in (call.ledger_key, *call.former_ledger_keys):
            known = await guarded(call.ledger.get(key))
            if known is not None and call.is_of(known):
                return known
        return None

    async def _task_of(self, call: _Call, known: Entry) -> Task:
        """The task of a request that was sent before.

        Raises:
            BeingSentError: its sender does not know the outcome yet.
            SubmissionConflictError: the key belongs to another request.
            SubmissionUnknownError: its outcome is unknown.
        """
        if known.is_being_sent(self._clock.now()):
            raise BeingSentError(call.key)
        task = None if known.answer is None else read_answer(known.answer)
        if not is_same_request(call.request, known.fingerprint):
            raise SubmissionConflictError(call.key, None if task is None else task.task_id)
        task = task or await self._outcomes.found(known, call.ledger)
        telemetry.reused(call.what, task.task_id, call.key)
        return task
