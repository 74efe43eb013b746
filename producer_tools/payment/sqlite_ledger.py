"""A ledger in a SQLite file."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import LedgerError
from producer_tools.payment import sqlite_schema
from producer_tools.payment.entry import Entry, Limit, Spent, checksum
from producer_tools.payment.ledger import check_limits
from producer_tools.payment.sqlite_file import SqliteFile
from producer_tools.payment.sqlite_schema import stored_text

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_COLUMNS = "key, fingerprint, answer, details, checksum"
_PAGE = 1000


class SqliteLedger:
    """A ledger in a SQLite file. It survives crashes, and all processes of a machine can share it.

    A file of an earlier version is brought up to date. Each row has a checksum, and the whole file is checked when
    this object first uses it: a damaged file raises instead of letting a request be paid for again.

    Args:
        path: the file; it is made when it is first needed.
    """

    def __init__(self, path: str | Path) -> None:
        # Absolute, so that it is the same file in a worker that was started in another directory.
        self._file = SqliteFile(absolute_path(path))

    async def begin(
        self, entry: Entry, *, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
    ) -> Entry | None:
        """Add an entry and return ``None``; or return the entry that exists.

        Raises:
            BudgetExceededError: it does not fit into a limit.
            LedgerError: the file cannot be used.
        """
        return await in_thread(self._run, lambda connection: begin(connection, entry, former_keys, limits))

    async def get(self, key: str) -> Entry | None:
        """The entry under a key."""
        return await in_thread(self._run, lambda connection: _read(connection, key))

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        """Put ``new`` in the place of ``old``, or delete ``old``, unless ``old`` was changed in the meantime."""

        def replace(connection: "sqlite3.Connection") -> bool:
            known = _read(connection, old.key)
            if known is None or known.revision != old.revision:
                return False
            if new is None:
                connection.execute("DELETE FROM submissions WHERE key = ?", (stored_text(old.key),))
                connection.execute("DELETE FROM spending WHERE owner = ?", (old.owner,))
            else:
                _write(connection, new)
            return True

        return await in_thread(self._run, replace)

    async def entries(self, *, account: str | None = None, since: float = 0.0, unanswered: bool = False) -> list[Entry]:
        """The entries in the order in which they were begun.

        They are read in pages, between which others can use the file. An entry that is begun, changed or deleted
        meanwhile may be missing or as it was before.
        """
        found: dict[str, tuple[Entry, int]] = {}
        last: str | bytes | None = ""
        while last is not None:
            rows = await in_thread(self._run, partial(_page, first=last, since=since, unanswered=unanswered))
            page = await in_thread(_entries_of, rows)
            found.update((entry.key, (entry, place)) for entry, place in page if account in (None, entry.account))
            last = rows[-1][0] if len(rows) == _PAGE else None
        in_order = sorted(found.values(), key=lambda each: (each[0].begun_at, each[1]))
        return [entry for entry, _ in in_order]

    async def spent(self, scope: str, day: int | None = None) -> Spent:
        """What the entries of a scope cost together."""
        return await in_thread(self._run, lambda connection: _spent(connection, scope, day))

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A JSON object that the users of this ledger share."""

        def read(connection: "sqlite3.Connection") -> Mapping[str, Any] | None:
            row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

        return await in_thread(self._run, read)

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        """Share a JSON object."""

        def write(connection: "sqlite3.Connection") -> None:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

        await in_thread(self._run, write)

    def _run(self, work: "Callable[[sqlite3.Connection], T]") -> T:
        """The result of ``work``, which reads and writes the file while nobody else writes to it.

        Raises:
            LedgerError: the file cannot be used.
        """
        import sqlite3  # noqa: PLC0415 - only those who use this ledger pay for the import

        try:
            return self._file.run(work)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the second is how a damaged name of a table is reported
            what = f"The ledger's file {self._file.path} cannot be used: {error}.{_hint(self._file.path, error)}"
            raise LedgerError(what) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return SqliteLedger, (self._file.path.absolute(),)

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self._file.path)!r})"


def _hint(path: Path, error: Exception) -> str:
    """What to do, where SQLite's own words do not say it."""
    if path.is_dir():
        return " It is a directory: name a file in it."
    if not path.parent.is_dir():
        return f" There is no directory {path.parent}: make it, or correct the path."
    return " Name another file, or restore this one from a backup." if "not a database" in str(error) else ""


def begin(
    connection: "sqlite3.Connection", entry: Entry, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
) -> Entry | None:
    """`SqliteLedger.begin`, in a transaction that has begun."""
    for key in (entry.key, *former_keys):
        if (known := _read(connection, key)) is not None:
            return known
    check_limits(entry, limits, [_spent(connection, limit.scope, limit.day) for limit in limits])
    _write(connection, entry)
    for scope in entry.scopes:
        values = (stored_text(scope), entry.begun_at, entry.owner, entry.usd, entry.credits)
        connection.execute("INSERT INTO spending VALUES (?, ?, ?, ?, ?)", values)
    return None


def _page(connection: "sqlite3.Connection", *, first: str | bytes, since: float, unanswered: bool) -> list[Any]:
    """A page of rows in the order of the keys, which no change of an entry moves; from this key on."""
    # The plus sign keeps SQLite from using the index of keys, with which it would read all that are answered too.
    where, key = ("answer IS NULL AND ", "+key") if unanswered else ("", "key")
    query = (
        f"SELECT {_COLUMNS}, rowid FROM submissions WHERE {where}{key} >= ? AND COALESCE(begun_at, 0) >= ? "  # noqa: S608 - constants only
        f"ORDER BY {key} LIMIT ?"
    )
    return connection.execute(query, (first, since, _PAGE)).fetchall()


def _entries_of(rows: Sequence[Any]) -> list[tuple[Entry, int]]:
    """The entries of a page, each with its place in the table."""
    return [(sqlite_schema.entry_of(*columns), place) for *columns, place in rows]


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


def _spent(connection: "sqlite3.Connection", scope: str, day: int | None) -> Spent:
    spent = Spent()
    query = "SELECT usd, credits, calls FROM totals WHERE scope = ? AND day = ? AND calls > 0"
    for row in connection.execute(query, (stored_text(scope), sqlite_schema.ALL_DAYS if day is None else day)):
        spent = spent.plus(*row)
    return spent
