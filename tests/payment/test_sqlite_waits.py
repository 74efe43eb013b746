"""A ledger's file that another program has locked."""

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from producer_tools import LedgerError
from producer_tools.payment import sqlite_schema
from producer_tools.payment.sqlite_file import SqliteFile, _Call
from producer_tools.payment.sqlite_ledger import SqliteLedger


class _Time(SimpleNamespace):
    """Stands in for the module `time` where calls wait for a locked file. Time passes only in pauses, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.may_pass = threading.Event()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert self.may_pass.wait(50)
        self.now += seconds


async def test_all_calls_wait_for_a_locked_file_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, ten calls would take five minutes to report it, and other ledgers would stand still too."""
    clock = _Time()
    for module in ("sqlite_schema", "sqlite_file"):
        monkeypatch.setattr(f"producer_tools.payment.{module}.time", clock)
    locked, other = SqliteLedger(tmp_path / "locked.sqlite"), SqliteLedger(tmp_path / "other.sqlite")
    await asyncio.gather(locked.get("a"), other.get("a"))
    with closing(sqlite3.connect(tmp_path / "locked.sqlite", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(locked.get("a")) for _ in range(10)]
        while len(locked._file._waiting) < 10:  # noqa: SLF001 - no other way to know that all of them wait
            await asyncio.sleep(0.001)
        assert await other.get("a") is None
        clock.may_pass.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in outcomes] == [LedgerError] * 10
    assert 30 <= clock.now < 31


def test_a_call_waits_no_longer_because_another_one_has_the_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for up to twice the thirty seconds, and a shutdown with it."""
    file = SqliteFile(tmp_path / "ledger.sqlite")
    file.run(lambda _: None)
    begin = sqlite_schema.begin
    older = _Call(lambda _: None, Future(), time.monotonic() + 1)
    given_up_at: list[float] = []

    def locked_at_first(connection: sqlite3.Connection, give_up_at: float) -> None:
        given_up_at.append(give_up_at)
        if len(given_up_at) == 1:
            at_that_time = SimpleNamespace(monotonic=lambda: give_up_at)
            monkeypatch.setattr("producer_tools.payment.sqlite_file.time", at_that_time)
            raise sqlite3.OperationalError("database is locked")
        begin(connection, give_up_at)

    monkeypatch.setattr(sqlite_schema, "begin", locked_at_first)
    file._waiting.append(older)  # noqa: SLF001 - it came first, but has not got the turn
    assert file.run(lambda _: "written") == "written"
    assert isinstance(older.outcome.exception(0), sqlite3.OperationalError)
    assert given_up_at[0] == older.give_up_at < given_up_at[1]
