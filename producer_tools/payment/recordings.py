"""The keys under which recordings are paid for: the same content once in seven days.

The first key of a recording is ``recording <sha256>``. Once its entry is seven days old, or has failed, the next key
names when that entry was begun. Each process that walks this chain finds the same key, so two that upload the same
content at once, also on the seventh day, are one request.

A caller's own key belongs to one recording, for good. A claim in the ledger says to which, and it is begun as every
entry is: of two processes that use one key for two recordings at once, one gets it.
"""

from random import uniform
from typing import NamedTuple
from uuid import uuid4

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import LedgerError, SubmissionConflictError
from producer_tools.payment.entry import KEY_CLAIM, Entry
from producer_tools.payment.keys import ledger_key
from producer_tools.payment.ledger import Ledger, guarded
from producer_tools.payment.statement import Statements
from producer_tools.tasks.records import read_answer
from producer_tools.telemetry import logger

SECONDS_OF_A_RECORDING = 7 * 24 * 3600.0
"""How long the provider keeps a file that was sent to it (faq), and how long a recording is not paid for again."""

_RECHECK_SECONDS = 0.25


class Filed(NamedTuple):
    """Where the submit of a recording belongs in the ledger.

    Attributes:
        key: the idempotency key.
        entry: what is filed under it; ``None`` if nothing was sent yet.
        claim: the claim of the caller's key; ``None`` if the caller has none.
    """

    key: str
    entry: Entry | None
    claim: Entry | None = None

    @property
    def sha256(self) -> str:
        """The hash of the content that the caller's key belongs to."""
        return "" if self.claim is None else str(self.claim.request["sha256"])


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

    async def claimed_before(self, key: str, account: str, ledger: Ledger) -> Filed | None:
        """Where the recording belongs that a caller's key belongs to; ``None`` if it belongs to none.

        Args:
            key: the caller's key.
            account: the hash of the API token.
            ledger: where the submits are written down.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        claim = await guarded(ledger.get(_claim_key(key, account)))
        if claim is not None:
            return await self._filed_by(claim, ledger)
        # An earlier version wrote a note in place of a claim, also if nothing was sent after that.
        note = await guarded(ledger.read_note(f"recording of {ledger_key(key, account)}"))
        if note is None:
            return None
        place = await self._filed_by(self._claim(key, account, str(note.get("sha256")), str(note.get("key"))), ledger)
        return None if place.entry is None else place

    async def claimed(self, key: str, sha256: str, account: str, ledger: Ledger) -> Filed:
        """Bind a caller's key to a recording, and say where its submit belongs.

        Raises:
            SubmissionConflictError: the key belongs to another recording.
            LedgerError: the ledger failed.
        """
        owner = uuid4().hex
        while True:
            place = await self.claimed_before(key, account, ledger) or await self._begun(key, sha256, account, ledger)
            if place.claim is None:  # another process has begun one at the same moment
                await self._clock.sleep(_RECHECK_SECONDS * uniform(0.2, 1.8))  # noqa: S311 - not a secret
                continue
            if place.sha256 != sha256:
                answer = place.entry.answer if place.entry else None
                raise SubmissionConflictError(key, read_answer(answer).task_id if answer else None)
            if place.entry is not None:
                return place
            # Another call may have claimed it for the same recording. If that one fails, it must not give the claim up.
            own = place.claim.changed(owner=owner)
            if await guarded(ledger.replace(place.claim, own)):
                return place._replace(claim=own)

    async def give_up(self, place: Filed, ledger: Ledger) -> None:
        """Give a caller's key up, unless its recording was sent, or another call needs the claim."""
        if place.claim is None:
            return
        try:
            if await guarded(ledger.get(ledger_key(place.key, place.claim.account))) is None:
                await guarded(ledger.replace(place.claim, None))
        except LedgerError as error:  # the caller must hear why nothing was sent
            logger.warning("The key of an upload that was not sent could not be given up: %s", error)

    async def _begun(self, key: str, sha256: str, account: str, ledger: Ledger) -> Filed:
        """Begin the claim of a caller's key. If another one was begun at the same time, the place has none."""
        place = await self.filed(sha256, account, ledger)
        claim = self._claim(key, account, sha256, place.key)
        return place if await guarded(ledger.begin(claim)) is not None else place._replace(claim=claim)

    def _claim(self, key: str, account: str, sha256: str, filed_under: str) -> Entry:
        return Entry(
            key=_claim_key(key, account),
            fingerprint=f"{KEY_CLAIM}{sha256}",
            account=account,
            begun_at=self._clock.now(),
            request={"key": filed_under, "sha256": sha256},
            answer={},
        )

    @staticmethod
    async def _filed_by(claim: Entry, ledger: Ledger) -> Filed:
        key = str(claim.request["key"])
        return Filed(key, await guarded(ledger.get(ledger_key(key, claim.account))), claim)

    async def _is_over(self, entry: Entry, ledger: Ledger) -> bool:
        """Whether an entry does not keep its recording from being paid for again."""
        if self._clock.now() >= entry.begun_at + SECONDS_OF_A_RECORDING:
            return True
        entry = await self._statements.updated(entry, ledger)
        return entry.outcome == "failed" or (entry.answer is not None and read_answer(entry.answer).state == "failed")


def _claim_key(key: str, account: str) -> str:
    return f"{account} key {key}"  # no request has a key of this form
