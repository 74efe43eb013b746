"""A ledger in a SQLite file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producer_tools.concurrency.forks import no_fork
from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import LedgerError
from producer_tools.payment import sqlite_schema
from producer_tools.payment.entry import Entry, Limit, Spent, checksum
from producer_tools.payment.ledger import check_limits
from producer_tools.payment.sqlite_schema import stored_text

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "key, fingerprint, answer, details, checksum"


class SqliteLedger:
    """A ledger in a SQLite file. It survives crashes, and all processes of a machine can share it.

    A file of an earlier version is brought up to date. Each row has a checksum, and the whole file is checked when
    this object first uses it: a damaged file raises instead of letting a request be paid for again.

    Args:
        path: the file; it is made when it is first needed.
    """

    def __init__(self, path: str | Path) -> None:
        # Absolute, so that it is the same file in a worker that was started in another directory.
        self._path = absolute_path(path)
        self._file_id: int | None = None

    async def begin(
        self, entry: Entry, *, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
    ) -> Entry | None:
        """Add an entry and return ``None``; or return the entry that exists.

        Raises:
            BudgetExceededError: it does not fit into a limit.
            LedgerError: the file cannot be used.
        """
        return await in_thread(self._begin, entry, former_keys, limits)

    async def get(self, key: str) -> Entry | None:
        """The entry under a key."""
        return await in_thread(self._get, key)

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        """Put ``new`` in the place of ``old``, or delete ``old``, unless ``old`` was changed in the meantime."""
        return await in_thread(self._replace, old, new)

    async def entries(self, *, account: str | None = None, since: float = 0.0, unanswered: bool = False) -> list[Entry]:
        """The entries in the order in which they were begun."""
        return await in_thread(self._entries, account, since, unanswered=unanswered)

    async def spent(self, scope: str, since: float = 0.0) -> Spent:
        """What the entries of a scope cost together."""

        def read() -> Spent:
            with self._transaction() as connection:
                return _spent(connection, scope, since)

        return await in_thread(read)

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A JSON object that the users of this ledger share."""

        def read() -> Mapping[str, Any] | None:
            with self._transaction() as connection:
                row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

        return await in_thread(read)

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        """Share a JSON object."""

        def write() -> None:
            with self._transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

        await in_thread(write)

    def _begin(self, entry: Entry, former_keys: Sequence[str], limits: Sequence[Limit]) -> Entry | None:
        with self._transaction() as connection:
            for key in (entry.key, *former_keys):
                if (known := _read(connection, key)) is not None:
                    return known
            check_limits(entry, limits, [_spent(connection, limit.scope, limit.since) for limit in limits])
            _write(connection, entry)
            for scope in entry.scopes:
                values = (stored_text(scope), entry.begun_at, entry.owner, entry.usd, entry.credits)
                connection.execute("INSERT INTO spending VALUES (?, ?, ?, ?, ?)", values)
            return None

    def _get(self, key: str) -> Entry | None:
        with self._transaction() as connection:
            return _read(connection, key)

    def _replace(self, old: Entry, new: Entry | None) -> bool:
        with self._transaction() as connection:
            known = _read(connection, old.key)
            if known is None or known.revision != old.revision:
                return False
            if new is None:
                connection.execute("DELETE FROM submissions WHERE key = ?", (stored_text(old.key),))
                connection.execute("DELETE FROM spending WHERE owner = ?", (old.owner,))
            else:
                _write(connection, new)
            return True

    def _entries(self, account: str | None, since: float, *, unanswered: bool) -> list[Entry]:
        where = "COALESCE(begun_at, 0) >= ?" + (" AND answer IS NULL" if unanswered else "")
        query = f"SELECT {_COLUMNS} FROM submissions WHERE {where} ORDER BY begun_at"  # noqa: S608 - constants only
        with self._transaction() as connection:
            found = [sqlite_schema.entry_of(*row) for row in connection.execute(query, (since,))]
        return [entry for entry in found if account in (None, entry.account)]

    @contextmanager
    def _transaction(self) -> Iterator["sqlite3.Connection"]:
        """A connection that holds the file's write lock, so that what is read stays true until it is written.

        Raises:
            LedgerError: the file cannot be used.
        """
        import sqlite3  # noqa: PLC0415 - only those who use this ledger pay for the import

        self._path = self._path.absolute()
        try:
            # SQLite keeps in the process's memory which locks the process holds, and a forked child inherits that, but
            # not the locks: it would wait for ever, or read and write without any.
            with (
                no_fork(),
                closing(sqlite_schema.connect(self._path, may_create=self._file_id is None)) as connection,
            ):
                if self._file_id is None:
                    self._file_id = sqlite_schema.prepare(connection)
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    self._check_file(connection)
                    yield connection
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the second is how a damaged name of a table is reported
            raise LedgerError(f"The ledger's file {self._path} cannot be used: {error}.") from error

    def _check_file(self, connection: "sqlite3.Connection") -> None:
        """Raise if another file has taken the place of the one that was checked: it does not know what was paid for."""
        if sqlite_schema.file_id(connection) != self._file_id:
            raise LedgerError(
                f"Another file has taken the place of the ledger's file {self._path} while it was in use. Put the "
                "ledger's file back."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return SqliteLedger, (self._path.absolute(),)

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self._path)!r})"


def _read(connection: "sqlite3.Connection", key: str) -> Entry | None:
    query = f"SELECT {_COLUMNS} FROM submissions WHERE key = ?"  # noqa: S608 - constants only
    row = connection.execute(query, (stored_text(key),)).fetchone()
    return sqlite_schema.entry_of(*row) if row else None


def _write(connection: "sqlite3.Connection", entry: Entry) -> None:
    details = entry.to_json()
    answer = None if entry.answer is None else json.dumps(entry.answer)
    values = (stored_text(entry.key), entry.fingerprint, answer, details, checksum(details), entry.begun_at)
    statement = f"INSERT OR REPLACE INTO submissions ({_COLUMNS}, begun_at) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
    connection.execute(statement, values)


def _spent(connection: "sqlite3.Connection", scope: str, since: float) -> Spent:
    spent = Spent()
    query = "SELECT usd, credits FROM spending WHERE scope = ? AND begun_at >= ?"
    for usd, in_credits in connection.execute(query, (stored_text(scope), since)):
        spent = spent.plus(usd, in_credits)
    return spent
