"""A ledger in a SQLite file."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producer_tools.payment.ledger import Entry, check_unanswered

if TYPE_CHECKING:
    import sqlite3


class SqliteLedger:
    """A ledger in a SQLite file. It survives crashes, and all processes of a machine can share it.

    Args:
        path: the file; it is made when it is first needed.
    """

    is_shared = True

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    async def begin(self, key: str, fingerprint: str) -> Entry | None:
        """Begin an entry and return ``None``; or return the entry that exists.

        Raises:
            sqlite3.Error: it could not be written.
        """
        return await asyncio.to_thread(self._begin, key, fingerprint)

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Add the service's answer to the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, which is kept.
            sqlite3.Error: it could not be written.
        """
        update = "UPDATE submissions SET answer = ? WHERE key = ? AND answer IS NULL"
        await asyncio.to_thread(self._change, update, json.dumps(answer), key)

    async def forget(self, key: str) -> None:
        """Delete the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, and is kept.
            sqlite3.Error: it could not be written.
        """
        await asyncio.to_thread(self._change, "DELETE FROM submissions WHERE key = ? AND answer IS NULL", key)

    def _begin(self, key: str, fingerprint: str) -> Entry | None:
        # The insert decides: of several processes, only one makes the row.
        if self._execute("INSERT OR IGNORE INTO submissions (key, fingerprint) VALUES (?, ?)", key, fingerprint):
            return None
        entry = self._read(key)
        return self._begin(key, fingerprint) if entry is None else entry  # deleted between the two statements

    def _change(self, statement: str, *values: str) -> None:
        """Change the unanswered entry whose key is the last of the values."""
        if self._execute(statement, *values):
            return
        key = values[-1]
        entry = self._read(key)
        if entry is None:
            raise KeyError(key)
        check_unanswered(key, entry.answer)

    def _read(self, key: str) -> Entry | None:
        with self._opened() as connection:
            row = connection.execute("SELECT fingerprint, answer FROM submissions WHERE key = ?", (key,)).fetchone()
        return row and Entry(row[0], None if row[1] is None else json.loads(row[1]))

    def _execute(self, statement: str, *values: str) -> int:
        with self._opened() as connection, connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def _opened(self) -> Iterator["sqlite3.Connection"]:
        import sqlite3  # noqa: PLC0415 - only those who use this ledger pay for the import

        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            with suppress(sqlite3.OperationalError):  # another process is switching the file to WAL at this moment
                connection.execute("PRAGMA journal_mode = WAL")
            # The entry must be on the disk before the request is sent, even if the power fails.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS submissions (key TEXT PRIMARY KEY, fingerprint TEXT, answer TEXT)"
            )
            yield connection
