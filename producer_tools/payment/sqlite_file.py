"""The file of a SQLite ledger, and the calls that read and write it."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from producer_tools.concurrency.forks import no_fork
from producer_tools.errors import LedgerError
from producer_tools.payment import sqlite_schema

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")


class _Call(NamedTuple):
    """What a thread wants to do with the file, what came of it, and until when it waits for a locked file."""

    work: "Callable[[sqlite3.Connection], Any]"
    outcome: "Future[Any]"
    give_up_at: float


class SqliteFile:
    """The file of a ledger. Threads that use it at the same time share a transaction.

    The end of a transaction waits for the disk, for as long with one call as with many. So the calls that arrive while
    a transaction is under way wait, and then go together into the next one. The file is open only while there are such
    calls: after that it can be copied. Once it is moved or deleted, each further call raises.

    Args:
        path: the file; it is made when it is first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._id: int | None = None
        self._waiting: list[_Call] = []
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None

    def run(self, work: "Callable[[sqlite3.Connection], T]") -> T:
        """The result of ``work``. Nobody else writes to the file while it runs, and what it wrote is on the disk then.

        If it raises, nothing of what it wrote stays.

        Raises:
            LedgerError: the file is damaged, or another one or none is in its place.
            sqlite3.Error: the file cannot be used.
        """
        call = _Call(work, Future(), sqlite_schema.deadline())
        self.path = self.path.absolute()
        # SQLite keeps in the process's memory which locks the process holds, and a forked child inherits that, but not
        # the locks: it would wait for ever, or read and write without any.
        with no_fork():
            self._waiting.append(call)
            while not call.outcome.done():
                with self._turn:
                    if not call.outcome.done():
                        self._run_waiting()
        result: T = call.outcome.result()
        return result

    def _run_waiting(self) -> None:
        """Run all calls that wait, and close the file unless further ones have come meanwhile.

        If the file stays locked, only the calls whose time is over are told so. The others go on waiting.
        """
        calls = self._waiting.copy()
        try:
            connection = self._begun(min(call.give_up_at for call in calls))
            calls = self._waiting.copy()  # more may have come while another process held the lock
            reports = _run_each(connection, calls)
            self._check_place()  # if it is another one, what was just written is gone
            for report in reports:
                report()
        except BaseException as error:  # noqa: BLE001 - whatever it is, every thread must get it
            if sqlite_schema.is_locked(error):
                now = time.monotonic()
                calls = [call for call in calls if call.give_up_at <= now]
            for call in calls:
                call.outcome.set_exception(copy(error))  # each has a traceback of its own
            self._close()
        finally:
            for call in calls:
                self._waiting.remove(call)
            if not self._waiting:
                self._close()

    def _begun(self, give_up_at: float) -> "sqlite3.Connection":
        """A connection to the file that holds its write lock."""
        if self._id is not None:
            self._check_place()
        if self._connection is None:
            self._connection = sqlite_schema.connect(self.path, may_create=self._id is None)
        if self._id is None:
            self._place = self._place_on_disk()
            self._id = sqlite_schema.prepare(self._connection, give_up_at)
        sqlite_schema.begin(self._connection, give_up_at)
        if sqlite_schema.file_id(self._connection) != self._id:
            raise self._exchanged()
        return self._connection

    def _check_place(self) -> None:
        """Check that the file under the path is still the one that this object has used first.

        Another file does not know what was paid for. That is so for an older copy too. And the newest entries, which
        SQLite keeps in a file beside it, would be written over parts of another file.

        Raises:
            LedgerError: it is not.
        """
        if self._place_on_disk() != self._place:
            raise self._exchanged()

    def _exchanged(self) -> LedgerError:
        return LedgerError(
            f"The ledger's file {self.path} was moved or deleted while it was in use, or another file or a copy has "
            "taken its place. Move the ledger's file back, or end all processes that use it, and then restore it."
        )

    def _place_on_disk(self) -> tuple[int, int] | None:
        """The device and the number of the file under the path; ``None`` if there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _run_each(connection: "sqlite3.Connection", calls: Sequence[_Call]) -> list[Callable[[], None]]:
    """Run each call in the transaction that has begun, and end the transaction.

    Returns:
        For each call, what tells it its outcome.
    """
    reports: list[Callable[[], None]] = []
    with connection:
        for call in calls:
            connection.execute("SAVEPOINT call")
            try:
                reports.append(partial(call.outcome.set_result, call.work(connection)))
            except Exception as error:
                if not connection.in_transaction:  # a full disk, for example, ends the transaction of all
                    raise
                connection.execute("ROLLBACK TO call")
                reports.append(partial(call.outcome.set_exception, error))
            connection.execute("RELEASE call")
    return reports
