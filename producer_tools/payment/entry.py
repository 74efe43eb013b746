"""An entry of the ledger: one paid request, from before it is sent until its outcome is known."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from typing_extensions import Self

Source = Literal["answer", "callback", "listing", "person"]
"""Where an entry's answer came from: the service's answer, a callback, the listing of tasks, or a person."""


TASK_CLAIM = "task of "
"""The fingerprint of a claim on a task begins so. The claim says which request the task belongs to.

A search writes it before it takes a task that it has found, so two searches never take one task for two requests.
"""

KEY_CLAIM = "key of "
"""The fingerprint of a claim on a caller's key begins so. The claim says which recording the key belongs to.

An upload writes it before it is paid for, so a key never pays for two recordings.
"""

_MOST_LEASE_SECONDS = 75.0
"""A lease is 15 seconds long, and the clocks of two machines may differ by a minute."""

_DAY_SECONDS = 86_400


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the ledger holds under a key. It is made of JSON values.

    Attributes:
        key: the idempotency key, with the account before it.
        fingerprint: the hash of what the caller asked.
        account: the hash of the API token that pays; empty in an entry of the first version.
        endpoint: the path that the request goes to.
        request: the JSON body as it is sent.
        begun_at: Unix seconds.
        lease_until: Unix seconds. Its sender renews the lease until it knows the outcome. Once it has lapsed, the
            outcome of a request without an answer is unknown.
        usd: the estimated cost in US dollars.
        credits: the estimated cost in credits.
        scopes: the names of the lasting budgets that it counts in.
        thread: the id of the LangGraph thread that asked; empty outside one, and in entries of an earlier version.
        answer: the service's answer; ``None`` until there is one.
        source: where the answer came from.
        outcome: how the task ended, once that was seen: ``complete`` or ``failed``. ``released``: a person has let the
            request be sent again, and this is the copy that is kept of the first one.
        finding: what a search for the request among the account's tasks found, if its outcome was unknown.
        owner: the id of the call that began it.
        revision: changes with each change of the entry.
    """

    key: str
    fingerprint: str
    account: str = ""
    endpoint: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    begun_at: float = 0.0
    lease_until: float = 0.0
    usd: str = "0"
    credits: str = "0"
    scopes: tuple[str, ...] = ()
    thread: str = ""
    answer: Mapping[str, Any] | None = None
    source: Source | None = None
    outcome: str | None = None
    finding: Mapping[str, Any] | None = None
    owner: str = field(default_factory=_new_id)
    revision: str = field(default_factory=_new_id)

    @property
    def is_claim(self) -> bool:
        """Whether it is no request: it only says which request a task, or which recording a key, belongs to."""
        return self.fingerprint.startswith((TASK_CLAIM, KEY_CLAIM))

    def is_being_sent(self, now: float) -> bool:
        """Whether its sender does not know the outcome yet, and still renews the lease.

        A lease that ends far in the future was written by a clock that is wrong, perhaps of a sender that is dead.

        Args:
            now: Unix seconds.
        """
        return self.answer is None and now < self.lease_until <= now + _MOST_LEASE_SECONDS

    def may_belong_to(self, account: str) -> bool:
        """Whether it is not known to be another account's. An entry of the first version does not say whose it is.

        Args:
            account: the hash of an API token.
        """
        return self.account in ("", account)

    def changed(self, **changes: Any) -> Self:
        """The entry with some values changed, as the next revision."""
        return replace(self, revision=_new_id(), **changes)

    def to_json(self) -> str:
        """All values as JSON text in ASCII, which every database can store, whatever text the values hold."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The entry that `to_json` wrote. Values of a later version are left out.

        Raises:
            ValueError, TypeError: the text is not that of an entry.
        """
        values = json.loads(text)
        known = {each.name for each in fields(cls)}
        entry = cls(**{name: value for name, value in values.items() if name in known})
        return replace(entry, scopes=tuple(entry.scopes))


def day_of(time: float) -> int:
    """The number of the day (UTC) of a time in Unix seconds. The first day of 1970 is 0."""
    return int(time) // _DAY_SECONDS


class Limit(NamedTuple):
    """How much the entries of one scope may cost together, with the one that is about to be begun.

    Attributes:
        scope: the name that entries count under.
        day: only entries begun on this day (UTC) count, by its number since 1970; ``None``: all of them.
        max_calls: the most entries; ``None`` for no limit.
        max_usd: the most US dollars, by the estimates.
        max_credits: the most credits, by the estimates.
    """

    scope: str
    day: int | None = None
    max_calls: int | None = None
    max_usd: Decimal | None = None
    max_credits: Decimal | None = None


class Spent(NamedTuple):
    """What the entries of a scope cost together, by the estimates."""

    calls: int = 0
    usd: Decimal = Decimal(0)
    credits: Decimal = Decimal(0)

    def plus(self, usd: str, in_credits: str, calls: int = 1) -> "Spent":
        """With one more call, or with several that cost the same each."""
        return Spent(self.calls + calls, self.usd + calls * Decimal(usd), self.credits + calls * Decimal(in_credits))

    def exceeds(self, limit: Limit) -> bool:
        """Whether this is more than a limit allows."""
        return (
            (limit.max_calls is not None and self.calls > limit.max_calls)
            or (limit.max_usd is not None and self.usd > limit.max_usd)
            or (limit.max_credits is not None and self.credits > limit.max_credits)
        )


def checksum(text: str) -> str:
    """A short hash that shows whether stored text was damaged."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def encoded(text: str) -> bytes:
    """The text as bytes, also if it has half a surrogate, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "surrogatepass")
