"""A worker that makes songs on a service with a fast clock, and the fleet of such workers."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from langgraph.store.postgres import AsyncPostgresStore
from langgraph.store.postgres.base import PoolConfig

from producer_tools import ProducerClient, RateLimitError, StoreLedger, Task
from producer_tools.requests import GenerateMusic
from tests.clocks import FastClock
from tests.crash.processes import quick_starts

_SECONDS_TO_START = 3.0
_PAUSE_AFTER_REFUSALS = 5.0


class Workplace(NamedTuple):
    """What each worker is given.

    Attributes:
        base_url: the service's address.
        api_token: the token that all workers share.
        database: the connection string of the ledger that all workers share.
        speed: how fast the clock is.
    """

    base_url: str
    api_token: str
    database: str
    speed: float


class Work(NamedTuple):
    """What a worker, or a whole fleet, has done.

    Attributes:
        songs: how many songs were made.
        seconds: how long it took.
        cpu_seconds: the CPU time of the workers' processes meanwhile.
    """

    songs: int
    seconds: float
    cpu_seconds: float


async def fleet(workplace: Workplace, waves: int, at_once: int, workers: int) -> Work:
    """Let each worker make its share of ``at_once`` songs at a time, at least one, so many times."""
    loop = asyncio.get_running_loop()
    start = time.time() + _SECONDS_TO_START
    with ProcessPoolExecutor(workers, quick_starts()) as processes:
        running = [
            loop.run_in_executor(processes, _process, workplace, waves * places, places, start)
            for places in (len(range(worker, max(at_once, workers), workers)) for worker in range(workers))
        ]
        done = await asyncio.gather(*running)
    songs, seconds, cpu_seconds = zip(*done, strict=True)
    return Work(sum(songs), max(seconds), sum(cpu_seconds))


def _process(workplace: Workplace, songs: int, at_once: int, start: float) -> Work:
    logging.getLogger("producer_tools").setLevel(logging.ERROR)  # a refused submit is normal here
    return asyncio.run(_work(workplace, songs, at_once, start))


async def _work(workplace: Workplace, songs: int, at_once: int, start: float) -> Work:
    clock = FastClock(workplace.speed)
    pool = PoolConfig(min_size=2, max_size=8)
    async with AsyncPostgresStore.from_conn_string(workplace.database, pool_config=pool) as store:
        client = ProducerClient(workplace.api_token, workplace.base_url, ledger=StoreLedger(store), clock=clock)
        async with client:
            await asyncio.sleep(start - time.time())
            cpu = time.process_time()
            left = iter(range(songs))
            await asyncio.gather(*(_make_songs(client, clock, left) for _ in range(at_once)))
            return Work(songs, time.time() - start, time.process_time() - cpu)


async def _make_songs(client: ProducerClient, clock: FastClock, left: Iterator[int]) -> None:
    """Make one song after the other, until none is left."""
    for number in left:
        task = None
        while task is None:
            task = await _submit(client, f"process {os.getpid()} song {number}")
            if task is None:
                await clock.sleep(_PAUSE_AFTER_REFUSALS)
        batch = await client.wait(task, timeout=600)
        assert batch.tasks[0].state == "complete", batch


async def _submit(client: ProducerClient, key: str) -> Task | None:
    """The song's task; ``None`` if the service has refused it for half a minute: others have all its places."""
    try:
        return await client.submit(GenerateMusic(prompt="a song"), key=key)
    except RateLimitError:
        return None
