"""A worker: takes albums from the queue until it is killed."""

import asyncio
import logging
from pathlib import Path
from typing import Any, NamedTuple

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.postgres import AsyncPostgresStore
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from producer_tools import ProducerClient, ProducerToolError
from producer_tools.langgraph import AlbumState, Song
from tests.crash.album import build
from tests.crash.fleet.jobs import Job, Jobs

_ALBUMS_AT_ONCE = 2
_LOOK_AGAIN_SECONDS = 0.2
# For a connection, on a busy machine. A worker that ends by itself is not replaced.
_PATIENCE_SECONDS = 300.0

Graph = CompiledStateGraph[AlbumState, Any, Any, Any]


class Workplace(NamedTuple):
    """What each worker is given.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        database: The connection string.
        directory: For the songs.
    """

    base_url: str
    api_token: str
    database: str
    directory: Path


def work(workplace: Workplace, worker: int) -> None:
    """The process of one worker."""
    logging.getLogger("producer_tools").setLevel(logging.ERROR)  # retries are normal here, and would hide the report
    asyncio.run(_work(workplace, worker))


async def _work(workplace: Workplace, worker: int) -> None:
    client = ProducerClient(workplace.api_token, workplace.base_url, poll_interval=0.5)
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: Any = AsyncConnectionPool(
        workplace.database, kwargs=settings, min_size=2, max_size=8, open=False, timeout=_PATIENCE_SECONDS
    )
    async with client, pool:
        graph = build(client, workplace.directory).compile(
            checkpointer=AsyncPostgresSaver(pool), store=AsyncPostgresStore(pool)
        )
        jobs = Jobs(workplace.database)
        await asyncio.gather(*(_take_and_make(graph, jobs, worker) for _ in range(_ALBUMS_AT_ONCE)))


async def _take_and_make(graph: Graph, jobs: Jobs, worker: int) -> None:
    while True:
        try:
            async with jobs.take() as taken:
                if taken:
                    job, connection = taken
                    await jobs.done(job, await _make(graph, job), worker, connection)
                    continue
        except ProducerToolError as error:
            print(f"worker {worker} puts {job.thread_id} back: {error}")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _make(graph: Graph, job: Job) -> list[Song]:
    """Resume the album if a worker died while making it, else start it; a settled album starts once more."""
    config: Any = {"configurable": {"thread_id": job.thread_id}}
    unfinished = (await graph.aget_state(config)).tasks
    given: Any = None if unfinished else {"wishes": job.wishes}
    state = await graph.ainvoke(given, config, durability="sync")
    songs: list[Song] = state["songs"]
    return songs
