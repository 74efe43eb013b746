"""The keys under which recordings are paid for: the same content once in seven days.

The first key of a recording is ``recording <sha256>``. Once its entry is seven days old, or has failed, the next key
names when that entry was begun. Each process that walks this chain finds the same key, so two that upload the same
content at once, also on the seventh day, are one request.
"""

from typing import NamedTuple

from producer_tools.concurrency.clock import Clock
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.statement import Statements
from producer_tools.tasks.records import read_answer

SECONDS_OF_A_RECORDING = 7 * 24 * 3600.0
"""How long the provider keeps a file that was sent to it (faq), and how long a recording is not paid for again."""


class Filed(NamedTuple):
    """Where the submit of a recording belongs in the ledger.

    Attributes:
        key: the idempotency key.
        entry: what is filed under it; ``None`` if nothing was sent yet.
    """

    key: str
    entry: Entry | None


class RecordingKeys:
    """Finds the key of each recording.

    Args:
        clock: measures.
        statements: looks up how tasks ended.
    """

    def __init__(self, clock: Clock, statements: Statements) -> None:
        self._clock = clock
        self._statements = statements

    async def filed(self, sha256: str, account: str, ledger: Ledger) -> Filed:
        """Where the next submit of a recording belongs: with its last one, or at the end of the chain.

        Args:
            sha256: the hash of the content.
            account: the hash of the API token, which is that of the current call.
            ledger: where the submits are written down.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        key = first = f"recording {sha256}"
        seen: set[str] = set()
        while True:
            while key in seen:  # two were begun at the same moment, by a clock that stands still or was set back
                key += " again"
            entry = await guarded(ledger.get(ledger_key(key, account)))
            if entry is None or not await self._is_over(entry, ledger):
                return Filed(key, entry)
            seen.add(key)
            key = f"{first}, after {entry.begun_at!r}"

    async def _is_over(self, entry: Entry, ledger: Ledger) -> bool:
        """Whether an entry does not keep its recording from being paid for again."""
        if self._clock.now() >= entry.begun_at + SECONDS_OF_A_RECORDING:
            return True
        entry = await self._statements.updated(entry, ledger)
        return entry.outcome == "failed" or (entry.answer is not None and read_answer(entry.answer).state == "failed")
