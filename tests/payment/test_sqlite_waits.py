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
