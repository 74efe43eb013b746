"""The tables of a SQLite ledger: how they are made, brought up to date, checked and read."""

import json
import time
from contextlib import suppress
from pathlib import Path
from random import uniform
from secrets import randbelow
from typing import TYPE_CHECKING

from producer_tools.errors import LedgerError
from producer_tools.payment.entry import Entry, checksum, encoded

if TYPE_CHECKING:
    import sqlite3

_VERSION = 2
_LOCK_SECONDS = 30.0
_PAUSE = (0.0005, 0.003)
"""Seconds until a locked file is tried again: at least, and at most."""

# The first version had only these columns, and workers of that version may still use the file.
_FIRST_COLUMNS = {"key": "TEXT PRIMARY KEY", "fingerprint": "TEXT", "answer": "TEXT"}
_ADDED_COLUMNS = {"details": "TEXT", "checksum": "TEXT", "begun_at": "REAL"}
_OTHER_TABLES = (
    "CREATE TABLE spending (scope TEXT, begun_at REAL, owner TEXT, usd TEXT, credits TEXT)",
    "CREATE INDEX spending_by_owner ON spending (owner)",
    "CREATE INDEX submissions_without_answer ON submissions (begun_at) WHERE answer IS NULL",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT)",
)

ALL_DAYS = -1
"""The day under which the totals of all days stand."""

# The same day as `day_of`.
_DAY = "CAST({row}.begun_at AS INTEGER) / 86400"

_COUNTED = f"""
    SELECT scope, {_DAY.format(row="spending")}, usd, credits, count(*) FROM spending GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT scope, {ALL_DAYS}, usd, credits, count(*) FROM spending GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants only


def _trigger(event: str, row: str, calls: int) -> str:
    """A trigger that changes the totals when a row of `spending` is inserted or deleted."""
    changes = " ".join(
        f"INSERT INTO totals VALUES ({row}.scope, {day}, {row}.usd, {row}.credits, {calls}) "  # noqa: S608 - see above
        f"ON CONFLICT (scope, day, usd, credits) DO UPDATE SET calls = calls + {calls};"
        for day in (_DAY.format(row=row), ALL_DAYS)
    )
    return f"CREATE TRIGGER totals_after_{event} AFTER {event} ON spending BEGIN {changes} END"


# How many calls of each price there are, so that a budget is checked as fast with a million entries as with ten. SQLite
# changes them itself, so they are also right if a process with older code writes to the file.
_TOTALS = (
    "CREATE TABLE totals (scope, day, usd, credits, calls, PRIMARY KEY (scope, day, usd, credits)) WITHOUT ROWID",
    f"INSERT INTO totals {_COUNTED}",
    _trigger("INSERT", "NEW", 1),
    _trigger("DELETE", "OLD", -1),
)


def connect(path: Path, *, may_create: bool) -> "sqlite3.Connection":
    """A connection whose transactions are on the disk when they end, even if the power fails.

    Args:
        path: the file, as an absolute path.
        may_create: whether the file is made if there is none.
    """
    import sqlite3  # noqa: PLC0415 - only those who use this ledger pay for the import

    uri = f"{path.as_uri()}?mode={'rwc' if may_create else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        with suppress(sqlite3.OperationalError):  # another process is switching the file to WAL at this moment
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def deadline() -> float:
    """Until when a call that comes now waits for a file that others have locked (seconds of the monotonic clock)."""
    return time.monotonic() + _LOCK_SECONDS


def is_locked(error: BaseException) -> bool:
    """Whether SQLite raised this because others have locked the file."""
    import sqlite3  # noqa: PLC0415 - see above

    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def begin(connection: "sqlite3.Connection", give_up_at: float) -> None:
    """Begin a transaction that holds the file's write lock, so that what is read stays true until it is written.

    SQLite itself makes longer and longer pauses, so whoever waits longest would be overtaken by all who come later.

    Args:
        connection: the connection.
        give_up_at: the `deadline`.

    Raises:
        sqlite3.OperationalError: the file stays locked, or cannot be used.
    """
    import sqlite3  # noqa: PLC0415 - see above

    connection.execute("PRAGMA busy_timeout = 0")
    while not connection.in_transaction:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:  # noqa: PERF203 - one turn takes as long as the pause
            if not is_locked(error) or time.monotonic() >= give_up_at:
                raise
            time.sleep(uniform(*_PAUSE))  # noqa: S311 - not a secret
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000:.0f}")


def prepare(connection: "sqlite3.Connection", give_up_at: float) -> int:
    """Make the tables, or bring those of the first version up to date; then check the whole file.

    Args:
        connection: the connection.
        give_up_at: the `deadline`.

    Returns:
        The id of the file, which another file in its place would not have.

    Raises:
        LedgerError: the file is damaged, or not a ledger of this version.
    """
    begin(connection, give_up_at)
    with connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        columns = {
            name: f"{kind} PRIMARY KEY" if is_key else kind
            for _, name, kind, _, _, is_key in connection.execute("PRAGMA table_info(submissions)")
        }
        if version == 0 and columns in ({}, _FIRST_COLUMNS):
            _upgrade(connection, is_new=not columns)
        elif version != _VERSION:
            raise LedgerError(
                f"The ledger's file has schema version {version}, and this version of producer-tools reads {_VERSION}. "
                "Use the version of producer-tools that wrote it, or another file."
            )
        elif columns != _FIRST_COLUMNS | _ADDED_COLUMNS:
            raise _damaged(f"its table has the columns {', '.join(columns) or '(none)'}")
        if not connection.execute("PRAGMA table_info(totals)").fetchall():
            for statement in _TOTALS:
                connection.execute(statement)
        found = file_id(connection)
    # It finds keys that differ between the table and its index, which no checksum of a row can show.
    # Both checks take half a second for 100,000 entries.
    if (problem := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        raise _damaged(problem)
    if connection.execute(f"{_COUNTED} EXCEPT SELECT * FROM totals").fetchone():  # noqa: S608 - constants only
        raise _damaged("its totals differ from what was spent")
    return found


def file_id(connection: "sqlite3.Connection") -> int:
    """The id that a ledger's file gets when it is made; 0 for a file that is no ledger."""
    found: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return found


def stored_text(text: str) -> str | bytes:
    """Text as SQLite can store it: as bytes if it has half a surrogate."""
    raw = encoded(text)
    return raw if raw.decode("utf-8", "replace") != text else text


def entry_of(
    stored: str | bytes, fingerprint: str, answer: str | None, details: str | None, expected: str | None
) -> Entry:
    """The entry that a row holds.

    Raises:
        LedgerError: the row is damaged.
    """
    key = stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")
    if details is None and expected is None:  # written by the first version
        return Entry(key=key, fingerprint=fingerprint, answer=_json(key, answer), owner=key, revision=f"1 {answer}")
    if details is None or checksum(details) != expected:
        raise _damaged(f"the row of the key {key} does not match its checksum")
    entry = Entry.from_json(details)
    if (entry.key, entry.fingerprint) != (key, fingerprint) or _json(key, answer) != entry.answer:
        raise _damaged(f"the row of the key {key} contradicts itself")
    return entry


def _upgrade(connection: "sqlite3.Connection", *, is_new: bool) -> None:
    if is_new:
        columns = ", ".join(f"{name} {kind}" for name, kind in (_FIRST_COLUMNS | _ADDED_COLUMNS).items())
        connection.execute(f"CREATE TABLE submissions ({columns})")
    else:
        for name, kind in _ADDED_COLUMNS.items():
            connection.execute(f"ALTER TABLE submissions ADD COLUMN {name} {kind}")
    for statement in _OTHER_TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    if file_id(connection) == 0:  # otherwise another application uses the file too
        connection.execute(f"PRAGMA application_id = {randbelow(2**31 - 1) + 1}")


def _json(key: str, text: str | None) -> dict[str, object] | None:
    try:
        value = None if text is None else json.loads(text)
    except ValueError:
        raise _damaged(f"the answer of the key {key} cannot be read") from None
    if not isinstance(value, dict | None):
        raise _damaged(f"the answer of the key {key} is not an object")
    return value


def _damaged(what: str) -> LedgerError:
    return LedgerError(f"The ledger's file is damaged ({what}). Restore it from a backup.")
