"""The fleet's queue, and a ledger that many processes share, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langgraph.store.postgres import AsyncPostgresStore

from producer_tools import ProducerClient, StoreLedger, Task
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.crash.fleet.jobs import Jobs
from tests.crash.fleet.postgres import NoPostgreSQLError, temporary_cluster
from tests.crash.processes import quick_starts

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A PostgreSQL for these tests; where none is installed they are skipped."""
    try:
        with temporary_cluster() as running:
            yield running
    except NoPostgreSQLError as error:
        pytest.skip(str(error))


@asynccontextmanager
async def opened_store(database: str) -> AsyncIterator[AsyncPostgresStore]:
    pool: Any = {"min_size": 1, "max_size": 4}
    async with AsyncPostgresStore.from_conn_string(database, pool_config=pool) as store:
        yield store


def hold(database: str, thread_ids: Any) -> None:
    """Take a job, report its thread id, and keep the job until the process is killed."""

    async def take() -> None:
        async with Jobs(database).take() as taken:
            assert taken is not None
            thread_ids.put(taken[0].thread_id)
            await asyncio.Event().wait()

    asyncio.run(take())


async def is_free(jobs: Jobs, thread_id: str) -> bool:
    """Whether this is the next job that a worker gets."""
    async with jobs.take() as taken:
        return taken is not None and taken[0].thread_id == thread_id


async def test_a_job_has_one_worker_until_that_worker_dies(database: str) -> None:
    """If this fails, two workers make the same album, or the album of a killed worker is never made."""
    jobs = Jobs(database)
    await jobs.setup({"a": ["one"], "b": ["two"]})
    context = quick_starts()
    thread_ids = context.SimpleQueue()
    process = context.Process(target=hold, args=(database, thread_ids), daemon=True)
    process.start()
    assert await asyncio.to_thread(thread_ids.get) == "a"
    async with jobs.take() as taken:
        assert taken is not None
        assert taken[0].thread_id == "b"
        async with jobs.take() as nothing:
            assert nothing is None
        process.kill()
        process.join()
        while not await is_free(jobs, "a"):  # PostgreSQL has to notice first that the connection broke
            await asyncio.sleep(0.01)
        await jobs.done(taken[0], [], 3, taken[1])
    assert await jobs.left() == 1
    assert [(job.thread_id, worker) for job, worker in await jobs.finished()] == [("b", 3)]


async def test_ten_clients_with_one_key_pay_once(database: str, sandbox: ProducerSandbox) -> None:
    """If this fails, a fleet pays more than once for a song that several workers submit at the same moment."""

    async def submit(song: int) -> Task:
        async with (
            opened_store(database) as store,
            # Not a fast clock: leases would lapse on a busy machine, since they are renewed by the machine's time.
            ProducerClient(sandbox.api_token, sandbox.base_url) as client,
        ):
            request = GenerateMusic(prompt=f"song {song}")
            return await client.submit(request, key=f"song {song}", ledger=StoreLedger(store))

    async with opened_store(database) as store:
        await store.setup()
    for song in range(3):
        outcomes = await asyncio.gather(*(submit(song) for _ in range(10)))
        paid = [charge.task_id for charge in sandbox.charges if charge.request["prompt"] == f"song {song}"]
        assert len(paid) == 1
        assert {outcome.task_id for outcome in outcomes} == set(paid)
