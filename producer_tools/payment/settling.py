"""Finds out what became of a request whose answer was lost."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import LedgerError, ProducerToolError
from producer_tools.http.callbacks import CallbackReceiver
from producer_tools.payment.entry import TASK_CLAIM, Entry, Source
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.tasks.listing import Listing
from producer_tools.tasks.sent_request import SentRequest
from producer_tools.telemetry import logger

GRACE_SECONDS = 60.0
"""How long the service may take to list a new task. Before that, a missing task proves nothing."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
# The service's clock may differ from this machine's.
_CLOCK_DIFFERENCE = 30.0
# Entries begun up to an hour before a request may own the same task, because an answer may come long after the request.
_SECONDS_OF_RECENT = 3600.0
_MOST_CANDIDATES = 10
# Seconds that the first search gets at least, even if the time of all searches is over, and those of a further one.
_SHORTEST_SEARCH = 5.0
_SHORTEST_FURTHER_SEARCH = 1.0

State = Literal["found", "not_found", "several", "not_listed", "unclear"]


class Finding(NamedTuple):
    """What a search found.

    Attributes:
        state: ``found``: the task was found. ``not_found``: a minute after the request, the account has no such
            task, so the service probably never began it. ``several``: more than one task may be it. ``not_listed``:
            the service does not list this account's tasks, so a search cannot help. ``unclear``: the service or the
            ledger could not answer, the minute has not passed, or there are tasks that may be it or another request's.
        task_ids: the task that was found, or the tasks that it may be.
        source: what brought the task.
    """

    state: State
    task_ids: tuple[str, ...] = ()
    source: Source = "listing"

    def in_words(self) -> str:
        """What the search found, for the error about the unknown outcome."""
        if self.state == "not_found":
            return "The account has no such task, so it was probably never begun. It was not sent again."
        return f"It may be one of the tasks {', '.join(self.task_ids)}." if self.task_ids else ""


class Settler:
    """Searches for the tasks of requests whose outcome is unknown. It never sends a paid request.

    Args:
        listing: lists the account's tasks.
        clock: measures and waits.
        callbacks: the ids that callbacks have brought.
    """

    def __init__(self, listing: Listing, clock: Clock, callbacks: CallbackReceiver | None) -> None:
        self._listing = listing
        self._clock = clock
        self._callbacks = callbacks

    async def search(self, entry: Entry, ledger: Ledger, until: float = 0.0) -> Finding:
        """Search for the task of an entry, with the token of its account.

        Args:
            entry: the entry, which has no answer and is not being sent any more.
            ledger: the ledger, whose other entries own tasks too.
            until: Unix seconds. It searches again until something is found, or until then.
        """
        pauses = iter(_PAUSES)
        shortest = _SHORTEST_SEARCH
        while True:
            finding = await self._search_in_time(entry, ledger, max(until - self._clock.now(), shortest))
            left = until - self._clock.now()
            if left <= 0 or finding.state in ("found", "several", "not_found") or self._is_hopeless(finding, entry):
                return finding
            await self._clock.sleep(min(next(pauses, left), left))
            shortest = _SHORTEST_FURTHER_SEARCH

    async def _search_in_time(self, entry: Entry, ledger: Ledger, seconds: float) -> Finding:
        """One search, which a slow listing does not hold up: by the machine's time, as every timeout of a request."""
        try:
            return await asyncio.wait_for(self._search_once(entry, ledger), seconds)
        except asyncio.TimeoutError:
            return Finding("unclear")
        except Exception:  # noqa: BLE001 - the request was sent: its error must say so, whatever breaks here
            logger.exception("The search for the request under %r failed.", entry.key)
            return Finding("unclear")

    def _is_hopeless(self, finding: Finding, entry: Entry) -> bool:
        """Whether searching again cannot help: tasks are not listed, and no callback is expected."""
        waits_for_callback = self._callbacks is not None and "callback_url" in entry.request
        return finding.state == "not_listed" and not waits_for_callback

    async def _search_once(self, entry: Entry, ledger: Ledger) -> Finding:
        sent = SentRequest(entry.endpoint, entry.request)
        finding = None
        # Errors of the service and the ledger leave the outcome unknown, since the request was sent. Whoever knows the
        # callback address can post ids that cause errors, so the list is read all the same.
        with suppress(ProducerToolError):
            finding = await self._called_back(entry, sent, ledger)
        if finding is None or finding.state != "found":
            with suppress(ProducerToolError):
                finding = await self._listed(entry, sent, ledger)
        return finding or Finding("unclear")

    async def _called_back(self, entry: Entry, sent: SentRequest, ledger: Ledger) -> Finding | None:
        """The task that a callback has brought; ``None`` if none has."""
        if not (arrived := self._arrived(entry)):
            return None
        owned = _owned(entry, await self._recent(entry, ledger))
        for task_id in arrived:
            if task_id not in owned and await self._listing.is_task_of(task_id, sent):
                return await self._claimed(entry, ledger, task_id, "callback")
        return None

    async def _listed(self, entry: Entry, sent: SentRequest, ledger: Ledger) -> Finding:
        """What the listing shows of an entry's task."""
        now = self._clock.now()
        # The request may have been sent as late as its lease ended, and be listed a minute later.
        latest = max(entry.begun_at, entry.lease_until) + GRACE_SECONDS
        since, until = max(0.0, entry.begun_at - _CLOCK_DIFFERENCE), min(now, latest) + _CLOCK_DIFFERENCE
        listed = await self._listing.find(entry.account, sent, since, until)
        # Read after the listing: by now each task of this ledger's users that is listed has an entry.
        recent = await self._recent(entry, ledger)
        owned = _owned(entry, recent)
        candidates = None
        if listed is not None:
            candidates = await self._own(entry, sent, [task_id for task_id in listed if task_id not in owned])
        if listed is None or candidates is None:
            if self._must_be_listed(entry, recent):
                self._listing.doubt(entry.account)
            is_unclear = now < latest and not self._listing.is_refused(entry.account)
            return Finding("unclear" if is_unclear else "not_listed")
        if candidates:
            # Of more than ten tasks, further ones may be this account's too.
            is_contested = len(listed.keys() - owned) > _MOST_CANDIDATES or any(
                self._is_contested(entry, recent, listed[task_id]) for task_id in candidates
            )
            if len(candidates) == 1 and not is_contested:
                return await self._claimed(entry, ledger, candidates[0], "listing")
            return Finding("several" if len(candidates) > 1 and not is_contested else "unclear", tuple(candidates))
        if now < latest:
            return Finding("unclear")
        possible = await self._listing.possible_tasks(entry.account, sent, since, until)
        if not await self._listing.lists_own(entry.account):
            return Finding("not_listed")
        free = await self._free(entry, sent, [task_id for task_id in possible if task_id not in owned], ledger)
        return Finding("unclear" if free else "not_found", free)

    @staticmethod
    async def _recent(entry: Entry, ledger: Ledger) -> list[Entry]:
        """The entries that may own a task of the entry's time."""
        return await guarded(ledger.entries(since=entry.begun_at - _SECONDS_OF_RECENT))

    async def _own(self, entry: Entry, sent: SentRequest, task_ids: Sequence[str]) -> list[str] | None:
        """Those of the tasks that are this account's; ``None`` if the listing shows others' tasks."""
        own: list[str] = []
        are_others = False
        for task_id in task_ids[:_MOST_CANDIDATES]:
            # The listing may show tasks of other accounts; a look-up shows only this account's.
            if is_own := await self._listing.is_own(entry.account, task_id, sent):
                own.append(task_id)
            are_others = are_others or is_own is None
        if are_others and not own:
            self._listing.doubt(entry.account)
            return None
        return own

    async def _free(self, entry: Entry, sent: SentRequest, task_ids: Sequence[str], ledger: Ledger) -> tuple[str, ...]:
        """Those of the tasks that this account has and no entry owns, however old it is; of many, the first ones."""
        if not task_ids:
            return ()  # the whole ledger may be large, so it is read only if need be
        owned = _owned(entry, await guarded(ledger.entries()))
        free = [task_id for task_id in task_ids if task_id not in owned]
        if len(free) > _MOST_CANDIDATES:  # too many to look up
            return tuple(free[:_MOST_CANDIDATES])
        return tuple([task_id for task_id in free if await self._listing.is_task_of(task_id, sent) is not None])

    def _must_be_listed(self, entry: Entry, recent: Sequence[Entry]) -> bool:
        """Whether the account has a task that is more than a minute old, which a listing of its tasks would show."""
        latest = self._clock.now() - GRACE_SECONDS
        return any(
            each.account == entry.account and each.answer and each.answer.get("task_id") and each.begun_at < latest
            for each in recent
        )

    def _arrived(self, entry: Entry) -> Sequence[str]:
        url = entry.request.get("callback_url")
        return self._callbacks.arrived(url) if self._callbacks is not None and isinstance(url, str) else ()

    def _is_contested(self, entry: Entry, recent: Sequence[Entry], record: Mapping[str, Any]) -> bool:
        """Whether a task may be another entry's: that of an equal request which is being sent now."""
        now = self._clock.now()
        return any(
            each.account == entry.account
            and each.key != entry.key
            and each.answer is None
            and each.is_being_sent(now)
            and SentRequest(each.endpoint, each.request).made(record)
            for each in recent
        )

    async def _claimed(self, entry: Entry, ledger: Ledger, task_id: str, source: Source) -> Finding:
        """Claim the task for this entry, unless the search for another entry has claimed it at the same moment."""
        claim = task_claim(entry, task_id)
        try:
            known = await guarded(ledger.begin(claim))
        except LedgerError:
            return Finding("unclear", (task_id,))
        if known is not None and known.fingerprint != claim.fingerprint:
            return Finding("unclear", (task_id,))
        return Finding("found", (task_id,), source)


def task_claim(entry: Entry, task_id: str) -> Entry:
    """The claim that a task belongs to an entry."""
    return Entry(
        key=f"{entry.account} task {task_id}",  # no caller's key has this form
        fingerprint=_claim_fingerprint(entry),
        account=entry.account,
        begun_at=entry.begun_at,
        answer={"task_id": task_id},
    )


def _owned(entry: Entry, recent: Sequence[Entry]) -> set[str]:
    """The tasks that other entries own."""
    # The entry's own claim stays if its process was killed before the answer was written down.
    own = _claim_fingerprint(entry)
    return {str(each.answer.get("task_id")) for each in recent if each.answer and each.fingerprint != own}


def _claim_fingerprint(entry: Entry) -> str:
    """The fingerprint of a claim of this entry."""
    return f"{TASK_CLAIM}{entry.key}"
