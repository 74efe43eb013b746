"""Settles requests whose outcome is unknown: by a search of the account, or by what a person decides."""

from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import (
    BeingSentError,
    LedgerError,
    MissingTokenError,
    OutcomeKnownError,
    SubmissionUnknownError,
)
from producer_tools.http.safe_text import LONGEST_ID, safe_name
from producer_tools.http.tokens import NO_USER_TOKEN, token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry, Source
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.settling import GRACE_SECONDS, Finding, Settler, task_claim
from producer_tools.tasks.records import read_answer
from producer_tools.tasks.task import Task
from producer_tools.telemetry import logger


class Settled(NamedTuple):
    """What `settle` found out about one request.

    Attributes:
        key: the idempotency key, as the ledger names it.
        finding: what was found.
    """

    key: str
    finding: Finding


class Outcomes:
    """Decides about requests whose outcome is unknown.

    Args:
        transport: knows the token of the current call.
        clock: measures.
        settler: searches for the tasks of requests.
    """

    def __init__(self, transport: Transport, clock: Clock, settler: Settler) -> None:
        self._transport = transport
        self._clock = clock
        self._settler = settler

    async def found(self, entry: Entry, ledger: Ledger) -> Task:
        """The task of a request that an earlier call sent, if it can be found now.

        Raises:
            SubmissionUnknownError: it cannot.
        """
        finding = await self._settle(entry, ledger, entry.lease_until + GRACE_SECONDS)
        if finding.state == "found":
            return read_answer({"task_id": finding.task_ids[0]})
        raise SubmissionUnknownError(
            "unknown_outcome",
            f"This call was sent before, or its process ended just before that. {finding.in_words()}",
        )

    async def settle(self, ledger: Ledger) -> list[Settled]:
        """Search for the tasks of all requests of the current account whose outcome is unknown."""
        account, now = token_id(self._transport.token()), self._clock.now()
        unknown = await guarded(ledger.entries(account=account, unanswered=True))
        return [
            # All of them share the minute, so that a service that is down does not take a minute for each.
            Settled(entry.key, await self._settle(entry, ledger, now + GRACE_SECONDS))
            for entry in unknown
            if not entry.is_being_sent(now)
        ]

    async def adopt(self, key: str, task_id: str, ledger: Ledger) -> None:
        """Record which task a request became, as a person has seen it in the account."""
        task_id = task_id.strip()
        if not task_id or safe_name(task_id, LONGEST_ID) is None:
            # It could not be taken back: a request with an answer can be neither adopted nor released.
            raise ValueError(f"{task_id!r} is not a task id. Nothing was changed. Copy the id from the account.")
        while True:
            entry = await self._unknown(key, ledger)
            if await self._answer(entry, task_id, "person", ledger):
                break
        try:
            # The entry may not say when it was begun: then a search for an equal request does not see what it owns.
            await guarded(ledger.begin(task_claim(entry, task_id)))
        except LedgerError:  # what the person decided is written down
            logger.exception("The ledger could not record that task %s belongs to %r.", task_id, entry.key)

    async def release(self, key: str, ledger: Ledger) -> None:
        """Let a request be sent again. A copy of its entry stays under another key, because it may have been paid."""
        while True:
            entry = await self._unknown(key, ledger)
            kept = replace(
                entry, key=_released(entry.key), owner=uuid4().hex, answer={}, outcome="released", lease_until=0.0
            )
            if await guarded(ledger.begin(kept)) is not None:  # it was released before
                kept = replace(kept, key=f"{kept.key} {kept.owner}")
                await guarded(ledger.begin(kept))
            if await guarded(ledger.replace(entry, None)):
                return
            await guarded(ledger.replace(kept, None))

    @staticmethod
    async def is_released(key: str, ledger: Ledger) -> bool:
        """Whether a person has released the request under a key of the ledger."""
        return await guarded(ledger.get(_released(key))) is not None

    async def record_as_unknown(self, entry: Entry, ledger: Ledger) -> Entry:
        """Turn an entry that was just begun into one of a request that was sent before, with an unknown outcome."""
        unknown = entry.changed(begun_at=0.0, lease_until=self._clock.now())
        await guarded(ledger.replace(entry, unknown))
        return unknown

    async def _settle(self, entry: Entry, ledger: Ledger, until: float) -> Finding:
        if not entry.endpoint:  # written by the first version, which did not keep the request
            return Finding("not_listed")
        finding = await self._settler.search(entry, ledger, until)
        try:
            return await self._write_down(finding, entry, ledger)
        except LedgerError:  # what was found must reach the caller: an error would say that nothing was charged
            logger.exception("The ledger could not record what was found about the request under %r.", entry.key)
            return finding

    async def _write_down(self, finding: Finding, entry: Entry, ledger: Ledger) -> Finding:
        """Record what was found; return what is known if others have changed the entry meanwhile."""
        if finding == Finding("unclear") and entry.finding and entry.finding["state"] in ("not_found", "several"):
            return Finding(**entry.finding)  # the service could not answer now, so what was found before still holds
        if finding.state != "found":
            await guarded(ledger.replace(entry, entry.changed(finding=finding._asdict())))
            return finding
        while not await self._answer(entry, finding.task_ids[0], finding.source, ledger):
            known = await guarded(ledger.get(entry.key))
            if known is None or known.owner != entry.owner:
                return Finding("unclear", finding.task_ids)  # a person has released it meanwhile
            if known.answer is not None:
                return Finding("found", (str(known.answer.get("task_id")),), known.source or "answer")
            entry = known
        return finding

    async def _unknown(self, key: str, ledger: Ledger) -> Entry:
        """The entry of a request whose outcome is unknown.

        Args:
            key: the caller's key, or the key as the ledger names it.
            ledger: where it is written down.

        Raises:
            KeyError: there is none, or it is another account's.
            MissingTokenError: the call is for a user, and there is no user's token.
            OutcomeKnownError: it has a task.
            BeingSentError: it is being sent now.
        """
        account = self._account()
        keys = [key] if account is None else [ledger_key(key, account), key]
        entries = [entry for each in keys if (entry := await guarded(ledger.get(each))) is not None]
        found = [entry for entry in entries if account is None or entry.may_belong_to(account)]
        if not found:
            raise KeyError(key)
        entry = found[0]
        if entry.answer is not None:
            raise OutcomeKnownError(key, read_answer(entry.answer).task_id)
        if entry.is_being_sent(self._clock.now()):
            raise BeingSentError(key)
        return entry

    def _account(self) -> str | None:
        """The hash of this call's token; ``None`` if there is none, as in `producer-ledger`."""
        try:
            return token_id(self._transport.token())
        except MissingTokenError as missing:
            if missing.code == NO_USER_TOKEN:
                raise
            return None

    @staticmethod
    async def _answer(entry: Entry, task_id: str, source: Source, ledger: Ledger) -> bool:
        answered = entry.changed(answer={"task_id": task_id}, source=source, lease_until=0.0)
        return await guarded(ledger.replace(entry, answered))


def _released(key: str) -> str:
    """The key of the copy that stays in the ledger when a request is released."""
    return f"{key} released"
