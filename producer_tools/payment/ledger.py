"""The ledger of submissions: each paid request is recorded before it is sent, so that it is sent only once.

An entry is filed under the request's idempotency key. It is begun before the request is sent, and gets the service's
answer afterwards. A request whose entry has an answer gets the same answer again. While its sender renews the lease,
others wait for the answer. A request whose lease has lapsed without an answer has an unknown outcome, and is not sent
again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from producer_tools.concurrency.shared_state import shared_state
from producer_tools.concurrency.to_the_end import to_the_end
from producer_tools.errors import BudgetExceededError, ConfigurationError, LedgerError
from producer_tools.payment.entry import Entry, Limit, Spent
from producer_tools.payment.totals import Totals

T = TypeVar("T")


class Ledger(Protocol):
    """Where submissions are recorded. Any failure must raise, so that a request that is not recorded is not sent."""

    async def begin(
        self, entry: Entry, *, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
    ) -> Entry | None:
        """Add an entry and return ``None``; or return the entry that exists, and write nothing.

        If several callers begin the same key at once, at most one of them gets ``None``.

        Args:
            entry: the new entry.
            former_keys: further keys under which an earlier version may have filed the same request.
            limits: what the entry must fit into, together with what was spent before.

        Raises:
            BudgetExceededError: it does not fit into a limit; nothing is written.
        """

    async def get(self, key: str) -> Entry | None:
        """The entry under a key."""

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        """Put ``new`` in the place of ``old``, or delete ``old``, unless ``old`` was changed in the meantime.

        Returns:
            Whether it was replaced: ``False`` if the ledger no longer holds this revision of ``old``.
        """

    async def entries(self, *, account: str | None = None, since: float = 0.0, unanswered: bool = False) -> list[Entry]:
        """The entries in the order in which they were begun.

        Args:
            account: only those of this account.
            since: only those begun at this Unix time or later.
            unanswered: only those without an answer.
        """

    async def spent(self, scope: str, day: int | None = None) -> Spent:
        """What the entries of a scope cost together: those begun on one day (see `Limit`), or all of them."""

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A JSON object that the users of this ledger share."""

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        """Share a JSON object. The last one written counts."""


async def guarded(call: Awaitable[T]) -> T:
    """The result of a call to a ledger.

    Raises:
        LedgerError: the ledger failed, in whatever way.
        BudgetExceededError: the entry does not fit into a limit.
    """
    try:
        return await call
    except (BudgetExceededError, LedgerError):
        raise
    except Exception as fault:
        raise LedgerError(f"The ledger failed: {type(fault).__name__}: {fault}") from fault


async def written(ledger: Ledger, write: Callable[[], Awaitable[T]], *, is_cancelled: bool = False) -> T:
    """The result of a write to a ledger, which ends also if this task is cancelled meanwhile: see `to_the_end`."""
    if type(ledger) is MemoryLedger:  # it never waits, so a cancellation cannot come in the meantime
        return await write()
    return await to_the_end(write, is_cancelled=is_cancelled)


def check_limits(entry: Entry, limits: Sequence[Limit], spent: Sequence[Spent]) -> None:
    """Check that an entry fits into each limit.

    Args:
        entry: the new entry.
        limits: the limits.
        spent: what was spent before in the scope of each limit.

    Raises:
        BudgetExceededError: it does not fit.
    """
    for limit, before in zip(limits, spent, strict=True):
        if before.plus(entry.usd, entry.credits).exceeds(limit):
            raise BudgetExceededError(
                "budget_exceeded",
                f"This call (an estimated {entry.usd} USD) does not fit into the budget {limit.scope}: spent "
                f"{before.calls} calls, an estimated {before.usd:.3f} USD.",
            )


class MemoryLedger:
    """A ledger in memory. It survives retries, interrupts and repeated calls, but not the end of the process.

    It forgets nothing, because a forgotten request could be paid for again: it grows by a few kilobytes for each paid
    call.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._totals = Totals()
        self._notes: dict[str, Mapping[str, Any]] = {}

    async def begin(
        self, entry: Entry, *, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
    ) -> Entry | None:
        """Add an entry and return ``None``; or return the entry that exists."""
        with shared_state:
            for key in (entry.key, *former_keys):
                if (known := self._entries.get(key)) is not None:
                    return known
            check_limits(entry, limits, [self._totals.spent(limit.scope, limit.day) for limit in limits])
            self._entries[entry.key] = entry
            self._totals.add(entry)
            return None

    async def get(self, key: str) -> Entry | None:
        """The entry under a key."""
        return self._entries.get(key)

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        """Put ``new`` in the place of ``old``, or delete ``old``, unless ``old`` was changed in the meantime."""
        with shared_state:
            known = self._entries.get(old.key)
            if known is None or known.revision != old.revision:
                return False
            if new is None:
                del self._entries[old.key]
                self._totals.remove(old)
            else:
                self._entries[old.key] = new
            return True

    async def entries(self, *, account: str | None = None, since: float = 0.0, unanswered: bool = False) -> list[Entry]:
        """The entries in the order in which they were begun."""
        with shared_state:
            return [
                entry
                for entry in self._entries.values()
                if account in (None, entry.account)
                and entry.begun_at >= since
                and not (unanswered and entry.answer is not None)
            ]

    async def spent(self, scope: str, day: int | None = None) -> Spent:
        """What the entries of a scope cost together."""
        with shared_state:
            return self._totals.spent(scope, day)

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A JSON object that the users of this ledger share."""
        return self._notes.get(name)

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        """Share a JSON object."""
        with shared_state:
            self._notes[name] = value

    def __reduce__(self) -> tuple[Any, ...]:
        raise ConfigurationError(
            "configuration",
            "A ledger in memory cannot be sent to another process: its copy would not know what was paid for. Use a "
            "SqliteLedger, or make the client in the worker.",
        )
