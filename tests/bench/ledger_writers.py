"""Writers that file ledger entries as fast as they can, as tasks of one process or in several processes."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from pathlib import Path
from uuid import uuid4

from langgraph.store.postgres import AsyncPostgresStore
from langgraph.store.postgres.base import PoolConfig

from producer_tools import Ledger, SqliteLedger, StoreLedger
from producer_tools.payment.entry import Entry
from producer_tools.payment.sqlite_file import SqliteFile
from producer_tools.payment.sqlite_ledger import begin
from producer_tools.requests import GenerateMusic
from tests.crash.processes import quick_starts

OpenLedger = Callable[[str], AbstractAsyncContextManager[Ledger]]

BODY = GenerateMusic(prompt="a slow sad waltz for two violins, recorded in a small wooden room").body()
_CONNECTIONS = 8
_AT_ONCE = 500


@asynccontextmanager
async def sqlite(path: str) -> AsyncIterator[Ledger]:
    """The ledger in this file, which has been checked already."""
    ledger = SqliteLedger(Path(path))
    await ledger.get("any")
    yield ledger


@asynccontextmanager
async def postgres(database: str) -> AsyncIterator[Ledger]:
    """The ledger in this database, with a pool of connections."""
    pool = PoolConfig(min_size=_CONNECTIONS, max_size=_CONNECTIONS)
    async with AsyncPostgresStore.from_conn_string(database, pool_config=pool) as store:
        await store.setup()
        ledger = StoreLedger(store)
        await ledger.get("any")
        yield ledger


def new_entry() -> Entry:
    """An entry as a submit with an idempotency key begins it."""
    now = time.time()
    return Entry(
        key=f"6e0eb549ffc2940c/{uuid4().hex}",
        fingerprint=uuid4().hex * 2,
        account="6e0eb549ffc2940c",
        endpoint="/producer/audios",
        request=BODY,
        begun_at=now,
        lease_until=now + 15,
        usd="0.08",
        credits="0.8",
        scopes=("account 6e0eb549ffc2940c",),
    )


def with_answer(begun: Entry) -> Entry:
    """The entry when its request was answered."""
    answer = {"task_id": str(uuid4()), "state": "pending", "trace_id": str(uuid4())}
    return begun.changed(answer=answer, source="answer", lease_until=0.0)


async def fill(ledger: Ledger, entries: int) -> None:
    """Add old entries, which have their answers."""
    for start in range(0, entries, _AT_ONCE):
        count = min(_AT_ONCE, entries - start)
        await asyncio.gather(*(ledger.begin(with_answer(new_entry())) for _ in range(count)))


def fill_file(path: Path, entries: int) -> None:
    """The same for a SQLite file, in one transaction, which is faster than one for each entry."""

    def fill_all(connection: sqlite3.Connection) -> None:
        for _ in range(entries):
            begin(connection, with_answer(new_entry()))

    SqliteFile(path).run(fill_all)


async def seconds_of_entries(ledger: Ledger, writers: int, each: int) -> list[float]:
    """How long each entry took, when so many writers file so many entries each, one after the other."""

    async def write() -> list[float]:
        return [await _seconds_of_entry(ledger) for _ in range(each)]

    return list(chain(*await asyncio.gather(*(write() for _ in range(writers)))))


async def seconds_in_processes(open_ledger: OpenLedger, where: str, writers: int, each: int) -> list[float]:
    """The same with so many writers in each of four processes."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(4, quick_starts()) as processes:
        start = time.time() + 3  # a process starts sooner than that
        given = (open_ledger, where, writers, each, start)
        found = await asyncio.gather(*(loop.run_in_executor(processes, _process, *given) for _ in range(4)))
    return list(chain(*found))


async def _seconds_of_entry(ledger: Ledger) -> float:
    began = time.perf_counter()
    begun = new_entry()
    key = begun.key.partition("/")[2]
    assert await ledger.begin(begun, former_keys=(begun.key, key)) is None
    assert await ledger.replace(begun, with_answer(begun))
    return time.perf_counter() - began


def _process(open_ledger: OpenLedger, where: str, writers: int, each: int, start: float) -> list[float]:
    async def write() -> list[float]:
        async with open_ledger(where) as ledger:
            await asyncio.sleep(start - time.time())
            return await seconds_of_entries(ledger, writers, each)

    return asyncio.run(write())
