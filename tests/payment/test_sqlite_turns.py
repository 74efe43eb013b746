"""Calls that use a SQLite ledger's file at the same time: they share transactions, and nothing else."""

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from producer_tools import BudgetExceededError, LedgerError
from producer_tools.payment import sqlite_ledger, sqlite_schema
from producer_tools.payment.entry import Entry, Limit
from producer_tools.payment.sqlite_file import SqliteFile
from producer_tools.payment.sqlite_ledger import SqliteLedger
from tests.payment.ledgers import entry, keys

MANY = 20


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each statement was executed."""
    executed: Counter[str] = Counter()
    connect = sqlite_schema.connect

    def traced(path: Path, *, may_create: bool) -> sqlite3.Connection:
        connection = connect(path, may_create=may_create)
        connection.set_trace_callback(lambda statement: executed.update([statement]))
        return connection

    monkeypatch.setattr(sqlite_schema, "connect", traced)
    return executed


async def at_once(ledger: SqliteLedger, *calls: Awaitable[Any]) -> list[Any]:
    """The outcomes of calls that all wait for the file, which another program has locked until then."""
    file = ledger._file  # noqa: SLF001 - no other way to know that all of them wait
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(call) for call in calls]
        while len(file._waiting) < len(calls):  # noqa: SLF001 - see above
            await asyncio.sleep(0)
        other.rollback()
        return await asyncio.gather(*waiting, return_exceptions=True)


async def test_calls_that_wait_for_the_file_go_into_one_transaction(path: Path, statements: Counter[str]) -> None:
    """The end of each transaction waits for the disk: thirty writers would wait thirty times as long as one."""
    ledger = SqliteLedger(path)
    await ledger.entries()
    before = statements["COMMIT"]
    outcomes = await at_once(ledger, *(ledger.begin(entry(f"account/{number}")) for number in range(MANY)))
    assert outcomes == [None] * MANY
    assert await keys(ledger) == {str(number) for number in range(MANY)}
    assert statements["COMMIT"] - before <= 4, "one of the first caller, one of the others, and that of `keys`"


async def test_a_call_that_fails_takes_nothing_from_the_others_of_its_transaction(path: Path) -> None:
    """One user's exhausted budget would undo the entries of other users, whose requests are then sent without one."""
    ledger = SqliteLedger(path)
    await ledger.entries()
    dear = entry("account/dear", usd="5", scopes=("user",))
    limits = [Limit("user", max_usd=Decimal(1))]
    calls = [ledger.begin(entry(f"account/{number}")) for number in range(MANY)]
    *outcomes, refused = await at_once(ledger, *calls, ledger.begin(dear, limits=limits))
    assert outcomes == [None] * MANY
    assert isinstance(refused, BudgetExceededError)
    assert await keys(ledger) == {str(number) for number in range(MANY)}


async def test_a_full_disk_is_told_to_each_call_of_the_transaction(path: Path) -> None:
    """A caller that is told nothing waits for ever, and one that is told of success sends an unrecorded request."""
    ledger = SqliteLedger(path)
    await ledger.entries()

    def fill_the_disk(connection: sqlite3.Connection) -> None:
        connection.rollback()  # as SQLite itself does then
        raise sqlite3.OperationalError("database or disk is full")

    full = asyncio.to_thread(ledger._run, fill_the_disk)  # noqa: SLF001 - a call that fails so
    calls = [ledger.begin(entry(f"account/{number}")) for number in range(MANY)]
    *outcomes, failed = await at_once(ledger, *calls, full)
    assert isinstance(failed, LedgerError)
    written = [f"{number}" for number, outcome in enumerate(outcomes) if outcome is None]
    assert all(outcome is None or "disk is full" in str(outcome) for outcome in outcomes)
    assert await keys(ledger) == set(written)
    assert len({id(outcome) for outcome in outcomes if outcome is not None}) == MANY - len(written)


def test_a_file_that_vanishes_between_two_transactions_is_not_written_any_more(path: Path) -> None:
    """Entries written to a deleted file are gone, and their requests would be paid for again after a restart."""
    file = SqliteFile(path)
    first_runs, second_waits = threading.Event(), threading.Event()

    def delete(_: sqlite3.Connection) -> None:
        first_runs.set()
        assert second_waits.wait(50)
        path.unlink()

    with ThreadPoolExecutor() as threads:
        first = threads.submit(file.run, delete)
        assert first_runs.wait(50)
        second = threads.submit(file.run, lambda _: None)
        while len(file._waiting) < 2:  # noqa: SLF001 - the second call waits for the first one
            pass
        second_waits.set()
        with pytest.raises(LedgerError, match="moved or deleted while it was in use"):
            first.result(50)
        with pytest.raises(LedgerError, match="moved or deleted while it was in use"):
            second.result(50)
    assert not path.exists()


async def test_the_file_is_closed_when_no_call_uses_it(path: Path) -> None:
    """An open file cannot be deleted on Windows, and its newest entries are missing from a copy of it."""
    ledger = SqliteLedger(path)
    await asyncio.gather(*(ledger.begin(entry(f"account/{number}")) for number in range(MANY)))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_waiting_process_looks_often_whether_the_file_is_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With pauses that grow, a process that waits is overtaken by those that come later, again and again."""
    pauses: list[float] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == MANY:
                other.rollback()

        # In place of the whole module, because other threads may use `time.sleep` itself.
        waiting = SimpleNamespace(monotonic=time.monotonic, sleep=pause)
        monkeypatch.setattr("producer_tools.payment.sqlite_schema.time", waiting)
        with closing(sqlite_schema.connect(path, may_create=True)) as connection:
            sqlite_schema.begin(connection, sqlite_schema.deadline())
            assert connection.in_transaction
    assert len(pauses) == MANY
    assert max(pauses) < 0.01


@pytest.mark.parametrize("page", [2, 3, 4, 100])
async def test_all_entries_are_read_in_pages(path: Path, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """A statement of a large ledger would hold up each submit for seconds; one that misses an entry is wrong."""
    monkeypatch.setattr(sqlite_ledger, "_PAGE", page)
    ledger = SqliteLedger(path)
    begun = [entry(key, begun_at=float(9 - number)) for number, key in enumerate(["b", "a", "\ud800", "é", "d", "c"])]
    for each in begun:
        assert await ledger.begin(each) is None
    answered = begun[1].changed(answer={"task_id": "t1"})
    assert await ledger.replace(begun[1], answered)
    begun[1] = answered
    assert await ledger.entries() == begun[::-1]
    assert await ledger.entries(since=6.0) == begun[3::-1]
    assert await ledger.entries(unanswered=True) == [each for each in begun[::-1] if each is not answered]


async def test_an_entry_that_is_changed_while_all_are_read_is_among_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search would take its task for nobody's, and give it to another request."""
    monkeypatch.setattr(sqlite_ledger, "_PAGE", 2)
    ledger, begun = SqliteLedger(path), [entry(key) for key in "abcdef"]
    for each in begun:
        await ledger.begin(each)
    read = sqlite_ledger._entries_of  # noqa: SLF001 - runs between two pages

    def change_meanwhile(rows: list[Any]) -> list[tuple[Entry, int]]:
        for each in begun:
            asyncio.run(ledger.replace(each, each.changed(answer={"task_id": each.key})))
        return read(rows)

    monkeypatch.setattr(sqlite_ledger, "_entries_of", change_meanwhile)
    assert {each.key for each in await ledger.entries()} == set("abcdef")
