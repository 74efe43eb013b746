"""The ledger of submissions: each paid request is recorded before it is sent, so that it is sent only once.

An entry is filed under the request's idempotency key. It is begun before the request is sent, and finished with the
service's answer. A request whose entry is finished gets the same answer again. A request whose entry was begun and
never finished has an unknown outcome, and is not sent again.
"""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from producer_tools.errors import OutcomeKnownError
from producer_tools.tasks.records import read_answer

_MOST_ENTRIES = 10_000


class Entry(NamedTuple):
    """What the ledger holds under a key.

    Attributes:
        fingerprint: the hash of the request.
        answer: the service's answer; ``None`` until there is one.
    """

    fingerprint: str
    answer: dict[str, Any] | None = None


class Ledger(Protocol):
    """Where submissions are recorded. Any failure must raise, so that a request that is not recorded is not sent.

    Attributes:
        is_shared: whether other processes use it too.
    """

    is_shared: bool

    async def begin(self, key: str, fingerprint: str) -> Entry | None:
        """Begin an entry and return ``None``; or return the entry that exists, and write nothing.

        If several callers begin the same key at once, at most one of them gets ``None``.
        """

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Add the service's answer to the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, which is kept.
        """

    async def forget(self, key: str) -> None:
        """Delete the entry: the service did no work, or a person has decided that the request may be sent again.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, and is kept.
        """


def check_unanswered(key: str, answer: Mapping[str, Any] | None) -> None:
    """Refuse to change an entry that has an answer.

    Raises:
        OutcomeKnownError: there is an answer.
    """
    if answer is not None:
        raise OutcomeKnownError(key, read_answer(answer).task_id)


class MemoryLedger:
    """A ledger in memory. It survives retries, interrupts and repeated calls, but not the end of the process.

    It holds the 10,000 newest entries. An entry without an answer is never dropped.
    """

    is_shared = False

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    async def begin(self, key: str, fingerprint: str) -> Entry | None:
        """Begin an entry and return ``None``; or return the entry that exists."""
        with self._lock:
            known = self._entries.get(key)
            if known is None:
                self._entries[key] = Entry(fingerprint)
                self._drop_oldest()
            return known

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Add the service's answer to the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, which is kept.
        """
        with self._lock:
            check_unanswered(key, self._entries[key].answer)
            self._entries[key] = self._entries[key]._replace(answer=answer)

    async def forget(self, key: str) -> None:
        """Delete the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, and is kept.
        """
        with self._lock:
            check_unanswered(key, self._entries[key].answer)
            del self._entries[key]

    def _drop_oldest(self) -> None:
        if len(self._entries) > _MOST_ENTRIES:
            answered = (key for key, entry in self._entries.items() if entry.answer is not None)
            self._entries.pop(next(answered, ""), None)
