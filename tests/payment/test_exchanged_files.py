"""A ledger's file that is moved, deleted or exchanged while it is in use. Nothing is paid for twice."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from producer_tools import LedgerError, ProducerClient, SqliteLedger
from producer_tools.payment import sqlite_ledger
from producer_tools.payment.entry import Entry
from producer_tools.sandbox import ProducerSandbox
from tests.payment.ledgers import SONG, entry, submit


@pytest.mark.parametrize("replacement", ["none", "empty", "another ledger", "an older copy"])
async def test_a_file_that_is_deleted_while_in_use_stops_the_request(
    path: Path, sandbox: ProducerSandbox, replacement: str
) -> None:
    """A new file in its place does not know what was paid for: each request would be paid for again, in silence."""
    ledger, copy = SqliteLedger(path), path.with_name("copy")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        await ledger.get("k")
        shutil.copy(path, copy)
        await client.submit(SONG, key="k")
        path.rename(path.with_name("moved"))
        if replacement == "empty":
            path.touch()
        elif replacement == "an older copy":
            copy.rename(path)
        elif replacement == "another ledger":  # another process was started since
            await SqliteLedger(path).begin(entry())
        before = path.read_bytes() if path.exists() else None
        for _ in range(2):
            with pytest.raises(LedgerError, match=r"was moved or deleted while it was in use.* Nothing was sent"):
                await client.submit(SONG, key="k")
        assert len(sandbox.charges) == 1
        assert before == (path.read_bytes() if path.exists() else None), "it is not the ledger's file"
        path.with_name("moved").replace(path)
        assert (await client.submit(SONG, key="k")).task_id == sandbox.charges[0].task_id


async def test_another_ledger_that_is_copied_over_the_file_stops_the_request(
    path: Path, sandbox: ProducerSandbox
) -> None:
    """The file system says that it is the same file."""
    other = path.with_name("other")
    await SqliteLedger(other).begin(entry())
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(path)) as client:
        await client.submit(SONG, key="k")
        shutil.copyfile(other, path)
        with pytest.raises(LedgerError, match=r"another file .* has taken its place.* Nothing was sent"):
            await client.submit(SONG, key="k")
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("replacement", ["none", "an older copy"])
async def test_a_file_that_is_exchanged_during_a_write_stops_the_request(
    path: Path, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch, replacement: str
) -> None:
    """The entry goes into a file that is deleted. After a restart, nothing would show that the request was sent."""
    begin, copy = sqlite_ledger.begin, path.with_name("copy")
    await submit(sandbox, path)
    shutil.copy(path, copy)

    def begin_meanwhile(connection: sqlite3.Connection, *args: Any) -> Entry | None:
        known = begin(connection, *args)
        path.unlink() if replacement == "none" else copy.replace(path)
        return known

    monkeypatch.setattr(sqlite_ledger, "begin", begin_meanwhile)
    with pytest.raises(LedgerError, match=r"ledger.sqlite was moved or deleted .* Nothing was sent"):
        await submit(sandbox, path, "new")
    assert len(sandbox.charges) == 1


async def test_the_id_of_a_paid_task_is_returned_if_the_file_vanishes_meanwhile(
    path: Path, sandbox: ProducerSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The song is paid for: an error in place of its id would lose it."""

    class VanishingLedger(SqliteLedger):
        async def begin(self, *args: Any, **options: Any) -> Entry | None:
            known = await super().begin(*args, **options)
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return known

    ledger = VanishingLedger(path)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        assert (await client.submit(SONG, key="k")).task_id == sandbox.charges[0].task_id
    assert sandbox.charges[0].task_id in caplog.text
