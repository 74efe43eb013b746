"""What was paid for: one line for each paid call in the ledger, and the totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from itertools import islice
from typing import Literal, get_args

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import ProducerError
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.budget import account_scope
from producer_tools.payment.entry import Entry, Spent
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.tasks.lookups import LookUps
from producer_tools.tasks.records import read_answer
from producer_tools.tasks.task import STUCK, Task
from producer_tools.telemetry import logger

Outcome = Literal["complete", "failed", "unknown", "released", "pending"]
"""How a paid call ended. ``unknown``: it was sent, and nobody knows what became of it. ``released``: the same, and a
person let it be sent again. ``pending``: its task has not ended, as far as is known."""

_MOST_LOOK_UPS = 500
_BATCH = 50
_LONGEST_TITLE = 60
# What tells a request from others, the best first.
_TITLES = ("title", "prompt", "lyric", "audio_url", "audio_id")


@dataclass(frozen=True)
class PaidCall:
    """One line of a statement.

    Attributes:
        key: the idempotency key, without the account.
        account: the hash of the API token.
        scopes: the names of the lasting budgets that it counts in, without that of the account.
        thread: the id of the LangGraph thread that asked; empty outside one.
        begun_at: Unix seconds; 0 if it is not known.
        endpoint: where it was sent.
        action: what was asked of the endpoint; empty if the endpoint does one thing only.
        model: the model; empty if it has none.
        title: the first 60 characters of its title, or else of its prompt, lyric or source.
        task_id: the service's id of the task.
        usd: the estimated cost in US dollars.
        credits: the same in credits.
        outcome: how it ended.
    """

    key: str
    account: str
    scopes: tuple[str, ...]
    thread: str
    begun_at: float
    endpoint: str
    action: str
    model: str
    title: str
    task_id: str | None
    usd: Decimal
    credits: Decimal
    outcome: Outcome

    def __repr__(self) -> str:
        return f"PaidCall({self})"

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.begun_at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        asked = " ".join(filter(None, (self.action or self.endpoint, self.model, self.title and repr(self.title))))
        task = f"task {self.task_id}" if self.task_id else "no task id"
        whose = ", ".join((account_scope(self.account), *self.scopes))
        return f"{when} UTC, {asked}, {task}, estimated {self.usd:.3f} USD, {self.outcome}, {whose}"


@dataclass(frozen=True)
class Statement:
    """What was paid for, by estimates. The service bills only tasks that succeed (faq); its console has the bill.

    Attributes:
        calls: one line for each paid call, the oldest first.
    """

    calls: tuple[PaidCall, ...] = ()

    @property
    def total(self) -> Spent:
        """All calls. This is what budgets count."""
        return self._sum(*get_args(Outcome))

    @property
    def total_without_failed(self) -> Spent:
        """All calls but those whose task failed, which are not charged. It includes calls whose outcome is unknown."""
        return self._sum("complete", "unknown", "released", "pending")

    @property
    def total_complete(self) -> Spent:
        """The calls whose task is complete. They were charged."""
        return self._sum("complete")

    def __repr__(self) -> str:
        """One line: the sum. ``print`` shows each call too."""
        return f"Statement({len(self.calls)} calls, estimated {self.total.usd:.3f} USD)"

    def __str__(self) -> str:
        totals = (
            ("total", self.total),
            ("without failed", self.total_without_failed),
            ("complete", self.total_complete),
        )
        sums = [
            f"{name}: {spent.calls} calls, estimated {spent.usd:.3f} USD, {spent.credits:.2f} credits"
            for name, spent in totals
        ]
        return "\n".join([*map(str, self.calls), *sums])

    def _sum(self, *outcomes: str) -> Spent:
        spent = Spent()
        for call in self.calls:
            if call.outcome in outcomes:
                spent = spent.plus(str(call.usd), str(call.credits))
        return spent


class Statements:
    """Makes statements of a ledger.

    Args:
        transport: knows the token of the current call.
        clock: measures.
        lookups: looks tasks up, which is free.
    """

    def __init__(self, transport: Transport, clock: Clock, lookups: LookUps) -> None:
        self._transport = transport
        self._clock = clock
        self._lookups = lookups

    async def read(
        self,
        ledger: Ledger,
        since: float,
        scope: str | None,
        thread: str | None = None,
        *,
        all_accounts: bool = False,
    ) -> Statement:
        """The paid calls in a ledger.

        Tasks of the current account whose end is not known are looked up, the newest 500 at most. What is found is
        written to the ledger. If a look-up fails, they stay pending.

        Args:
            ledger: the ledger.
            since: Unix seconds; only calls begun then or later.
            scope: only calls that count in the lasting budgets of this name.
            thread: only calls of this LangGraph thread.
            all_accounts: whether to list the calls of other accounts too. They are not looked up.

        Raises:
            MissingTokenError: there is no token, and only the calls of its account are wanted.
            LedgerError: the ledger failed.
        """
        account = None if all_accounts else token_id(self._transport.token())
        found = [
            entry
            for entry in await guarded(ledger.entries(account=account, since=since))
            if not entry.is_claim and scope in (None, *entry.scopes) and _is_of_thread(entry, thread)
        ]
        ended = await self._looked_up(found, ledger)
        return Statement(tuple(self._line(ended.get(entry.key, entry)) for entry in found))

    async def updated(self, entry: Entry, ledger: Ledger) -> Entry:
        """An entry with the outcome of its task, which is looked up if it is not known, and can be now."""
        return (await self._looked_up([entry], ledger)).get(entry.key, entry)

    async def _looked_up(self, entries: Sequence[Entry], ledger: Ledger) -> dict[str, Entry]:
        """The entries whose task has ended since the ledger was written, by key, with their outcome."""
        ended: dict[str, Entry] = {}
        try:
            wanted = self._wanted(entries)
            ids = list(wanted)
            for start in range(0, len(ids), _BATCH):
                batch = await self._lookups.many(ids[start : start + _BATCH], at_once=True)
                for task in filter(_has_ended, batch.tasks):
                    entry = wanted[str(task.task_id)]
                    ended[entry.key] = entry.changed(outcome=task.state)
                    await guarded(ledger.replace(entry, ended[entry.key]))
        except ProducerError as error:  # the calls are worth more than their newest outcomes
            logger.warning("Some outcomes could not be looked up: %s", error)
        return ended

    def _wanted(self, entries: Sequence[Entry]) -> dict[str, Entry]:
        """The entries to look up, by the ids of their tasks."""
        account = token_id(self._transport.token())
        pending = [each for each in entries if each.account == account and self._outcome(each) == "pending"]
        ids = {task_id: each for each in reversed(pending) if (task_id := _task_id(each))}
        return dict(islice(ids.items(), _MOST_LOOK_UPS))

    def _line(self, entry: Entry) -> PaidCall:
        request = entry.request
        title = next((str(request[name]) for name in _TITLES if request.get(name)), "")
        return PaidCall(
            key=entry.key.removeprefix(f"{entry.account}/"),
            account=entry.account,
            scopes=tuple(scope for scope in entry.scopes if scope != account_scope(entry.account)),
            thread=entry.thread,
            begun_at=entry.begun_at,
            endpoint=entry.endpoint,
            action=str(request.get("action", "")),
            model=str(request.get("model", "")),
            title=" ".join(title.split())[:_LONGEST_TITLE],
            task_id=_task_id(entry),
            usd=Decimal(entry.usd),
            credits=Decimal(entry.credits),
            outcome=self._outcome(entry),
        )

    def _outcome(self, entry: Entry) -> Outcome:
        if entry.outcome == "released":
            return "released"
        if entry.answer is None:
            return "pending" if entry.is_being_sent(self._clock.now()) else "unknown"
        state = entry.outcome or read_answer(entry.answer).state
        if state == "complete":
            return "complete"
        return "failed" if state == "failed" else "pending"


def _is_of_thread(entry: Entry, thread: str | None) -> bool:
    if thread is None or entry.thread:
        return thread in (None, entry.thread)
    return entry.key.startswith(f"{entry.account}/{thread}/")  # entries of an earlier version


def _task_id(entry: Entry) -> str | None:
    return None if entry.answer is None else read_answer(entry.answer).task_id


def _has_ended(task: Task) -> bool:
    """Whether a task has ended. One that was given up may still finish, and be charged."""
    return task.is_final and (task.error is None or task.error["code"] != STUCK)
