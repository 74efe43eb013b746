"""Opens a ledger that exists, for a program: a SQLite file, or the LangGraph store in a PostgreSQL database.

It creates nothing: no file, and no tables in a file or a database that is not a ledger.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producer_tools.concurrency.paths import from_home
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import LedgerError
from producer_tools.errors.missing_extra import how_to_install
from producer_tools.payment.ledger import Ledger
from producer_tools.payment.sqlite_ledger import SqliteLedger
from producer_tools.payment.store_ledger import StoreLedger

if TYPE_CHECKING:
    from langgraph.store.postgres import PostgresStore

_SCHEMES = ("postgres://", "postgresql://")
_SQLITE_HEADER = b"SQLite format 3\0"
_CONNECT_SECONDS = 10
_PASSWORD_MARK = "[password]"  # noqa: S105 - what stands in the place of a password


def is_database(place: str) -> bool:
    """Whether this is the URL of a database, and not the path of a file."""
    return place.lower().startswith(_SCHEMES)


def without_urls(text: str) -> str:
    """The text up to the URL of a database, which may contain a password.

    Where a URL ends is not certain, because a password may contain anything. So the rest of the text is left out.
    """
    pattern = "|".join(map(re.escape, _SCHEMES))
    return re.sub(f"(?:{pattern}).*", "postgresql://[not shown]", text, flags=re.DOTALL | re.IGNORECASE)


@asynccontextmanager
async def open_ledger(place: str) -> AsyncIterator[Ledger]:
    """The ledger in a SQLite file or in a PostgreSQL database, until the block ends.

    Args:
        place: the file's path, or a URL that begins with ``postgresql://``.

    Raises:
        LedgerError: there is none, or it cannot be opened. The message never has the URL's password in it.
    """
    if not is_database(place):
        path = from_home(place)
        await asyncio.to_thread(_check_file, path)
        yield SqliteLedger(path)
        return
    stack = ExitStack()
    try:
        # The sync store works in any event loop; psycopg's async connections do not work in the default one of Windows.
        store = await asyncio.to_thread(stack.enter_context, _postgres_store(place))
        yield StoreLedger(store)
    finally:
        await in_thread(stack.close)


def _check_file(path: Path) -> None:
    """Check that a file is a ledger, without changing it.

    Raises:
        LedgerError: it is none.
    """
    import sqlite3  # noqa: PLC0415 - only those who use this ledger pay for the import

    try:
        if path.is_dir():
            raise LedgerError(f"{path} is a directory, not the file of a ledger.")
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise LedgerError(f"{path} is not a file, so there is no ledger in it.")
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_HEADER))
        if head != _SQLITE_HEADER:
            what = "is empty" if not head else "is not a SQLite file"
            raise LedgerError(f"{path} {what}, so there is no ledger in it.")
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'submissions'").fetchone()
    except FileNotFoundError:
        raise LedgerError(f"There is no file {path}. Check the path: only a paid call makes a ledger.") from None
    except OSError as fault:
        raise LedgerError(f"{path} cannot be read: {fault.strerror}.") from None
    except sqlite3.Error as fault:
        raise LedgerError(f"{path} cannot be read: {fault}. If it is damaged, restore it from a backup.") from None
    if not found:
        raise LedgerError(f"{path} is a SQLite file of something else: it has no ledger in it.")


@contextmanager
def _postgres_store(url: str) -> "Iterator[PostgresStore]":
    """The store in a database.

    Raises:
        LedgerError: it cannot be opened.
    """
    try:
        import psycopg  # noqa: PLC0415 - psycopg is an extra
        from langgraph.store.postgres import PostgresStore  # noqa: PLC0415 - langgraph is an extra
    except ImportError:
        raise LedgerError(f"A ledger in PostgreSQL needs the extra fleet: {how_to_install('fleet')}.") from None
    parts = _parts(url)
    with ExitStack() as stack:
        try:
            conninfo = psycopg.conninfo.make_conninfo(**{"connect_timeout": _CONNECT_SECONDS, **parts})
            store = stack.enter_context(PostgresStore.from_conn_string(conninfo))
            store.search((), limit=1)
        except psycopg.errors.UndefinedTable:
            raise LedgerError("The database has no table of a LangGraph store, so there is no ledger in it.") from None
        except psycopg.Error as fault:
            # Raised without psycopg's exception, whose text and frames may have the password in them.
            raise LedgerError(f"The database cannot be used: {_masked(str(fault), parts)}") from None
        yield store


def _parts(url: str) -> dict[str, Any]:
    """The parts of a URL, as libpq names them.

    Raises:
        LedgerError: it cannot be taken apart safely. The message quotes nothing of it.
    """
    import psycopg  # noqa: PLC0415 - psycopg is an extra

    credentials, _, rest = url.partition("://")[2].partition("@")
    # libpq would take a part of a password with such a character for the host, and name it in its errors.
    if "@" in rest or ("/" in credentials and "@" in url):
        raise LedgerError(
            "The URL of the database is not clear: write each @ and / of the user's name and password as %40 and %2F."
        )
    try:
        return psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise LedgerError("The URL of the database cannot be read.") from None


def _masked(text: str, parts: dict[str, Any]) -> str:
    password = str(parts.get("password") or "")
    return text.replace(password, _PASSWORD_MARK) if password else text
