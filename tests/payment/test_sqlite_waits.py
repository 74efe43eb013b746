"""A ledger's file that another program has locked."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from producer_tools import LedgerError
from producer_tools.payment import sqlite_schema
from producer_tools.payment.sqlite_ledger import SqliteLedger


async def test_all_calls_wait_for_a_locked_file_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, ten calls would take five minutes to report it, and other ledgers would stand still too."""
    monkeypatch.setattr(sqlite_schema, "_LOCK_SECONDS", 0.5)
    locked, other = SqliteLedger(tmp_path / "locked.sqlite"), SqliteLedger(tmp_path / "other.sqlite")
    await asyncio.gather(locked.get("a"), other.get("a"))
    with closing(sqlite3.connect(tmp_path / "locked.sqlite", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        waiting = [asyncio.create_task(locked.get("a")) for _ in range(10)]
        outcomes = await asyncio.gather(*waiting, other.get("a"), return_exceptions=True)
        seconds = time.monotonic() - began
    assert [type(each) for each in outcomes] == [LedgerError] * 10 + [type(None)]
    assert seconds < 3


async def test_each_call_waits_as_long_for_a_locked_file_whenever_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that comes while another one waits would wait for twice the thirty seconds, and a shutdown with it."""
    monkeypatch.setattr(sqlite_schema, "_LOCK_SECONDS", 0.4)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.get("a")

    async def seconds_until_refused(after: float) -> float:
        await asyncio.sleep(after)
        began = time.monotonic()
        with pytest.raises(LedgerError, match="locked"):
            await ledger.get("a")
        return time.monotonic() - began

    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        waits = await asyncio.gather(*(seconds_until_refused(number / 15) for number in range(6)))
    assert all(0.4 <= seconds < 0.65 for seconds in waits), waits
