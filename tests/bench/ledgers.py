"""What a ledger entry adds to a submit: it is begun before the request is sent, and gets the answer afterwards."""

import tempfile
import time
from pathlib import Path

from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import AsyncPostgresStore

from producer_tools import ProducerClient, StoreLedger
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.bench.ledger_writers import (
    OpenLedger,
    fill,
    fill_file,
    postgres,
    seconds_in_processes,
    seconds_of_entries,
    sqlite,
)
from tests.bench.section import Section
from tests.crash.fleet.postgres import temporary_cluster

OLD_ENTRIES = 10_000
WRITERS = 32
ENTRIES_OF_ONE, ENTRIES_OF_ONE_OF_MANY = 100, 20
SUBMIT_SECONDS = 1.0
"""Nobody here has seen how long the service takes to answer a submit, so this is assumed."""

Row = tuple[str, ...]


async def measure() -> Section:
    """Both ledgers, empty and with old entries."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-ledgers-") as folder, temporary_cluster(durable=True) as database:
        path = str(Path(folder) / "ledger.sqlite")
        rows += await _rows("SQLite", sqlite, path)
        fill_file(Path(path), OLD_ENTRIES)
        rows += await _rows("SQLite", sqlite, path, OLD_ENTRIES)
        rows += await _rows("PostgreSQL", postgres, database)
        await _fill_store(database)
        rows += await _rows("PostgreSQL", postgres, database, OLD_ENTRIES)
    submit = await _seconds_of_submit()
    return Section(
        "Ledger entries",
        "What the ledger adds to one submit: `begin` before the request is sent, and `replace` with its answer. Each "
        "writer files entries one after the other, without a request between them, so the ledger is always busy. A "
        f"single writer files {ENTRIES_OF_ONE} entries, and each of {WRITERS} writers {ENTRIES_OF_ONE_OF_MANY}. The "
        "SQLite file is on this machine's disk, and every transaction waits for the disk (`synchronous = FULL`). "
        "PostgreSQL runs on this machine with its usual settings (`fsync = on`) and a pool of 8 connections for each "
        f"process. How long the service takes to answer a submit is not known; {SUBMIT_SECONDS:.0f} s is assumed. A "
        f"submit to the sandbox takes {submit * 1000:.1f} ms (median) with a ledger in memory.",
        ("ledger", "entries before", "writers", "p50", "p99", "p50 : submit of 1 s", "p99 : submit of 1 s"),
        rows,
    )


async def _rows(name: str, open_ledger: OpenLedger, where: str, before: int = 0) -> list[Row]:
    async with open_ledger(where) as ledger:
        alone = await seconds_of_entries(ledger, 1, ENTRIES_OF_ONE)
        together = await seconds_of_entries(ledger, WRITERS, ENTRIES_OF_ONE_OF_MANY)
    apart = await seconds_in_processes(open_ledger, where, WRITERS // 4, ENTRIES_OF_ONE_OF_MANY)
    about = f"about {before:,}" if before else "0"
    return [
        _row(name, about, "1", alone),
        _row(name, about, f"{WRITERS} in one process", together),
        _row(name, about, f"{WRITERS} in 4 processes", apart),
    ]


def _row(name: str, before: str, writers: str, seconds: list[float]) -> Row:
    in_order = sorted(seconds)
    p50, p99 = in_order[len(in_order) // 2], in_order[len(in_order) * 99 // 100]
    times = (f"{each * 1000:.1f} ms" for each in (p50, p99))
    return name, before, writers, *times, *(f"{each / SUBMIT_SECONDS:.3f}" for each in (p50, p99))


async def _fill_store(database: str) -> None:
    """Add old entries, which have their answers, to a ledger in PostgreSQL."""
    filled = InMemoryStore()
    await fill(StoreLedger(filled), OLD_ENTRIES)
    items = filled.search((), limit=10 * OLD_ENTRIES)
    async with AsyncPostgresStore.from_conn_string(database) as store:
        for start in range(0, len(items), 1000):
            await store.abatch([PutOp(item.namespace, item.key, item.value) for item in items[start : start + 1000]])


async def _seconds_of_submit() -> float:
    seconds = []
    with ProducerSandbox() as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
            for number in range(100):
                began = time.perf_counter()
                await client.submit(GenerateMusic(prompt="a song"), key=str(number))
                seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 2]
