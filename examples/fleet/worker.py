"""A worker: takes albums from the queue until it is killed, or told that there will be no more."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from album import build
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.postgres import AsyncPostgresStore
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from fleet.jobs import Job, Jobs
from producer_tools import ProducerClient, ProducerToolError
from producer_tools.langgraph import AlbumState, Song

_ALBUMS_AT_ONCE = 2
_LOOK_AGAIN_SECONDS = 0.2

Graph = CompiledStateGraph[AlbumState, Any, Any, Any]


class Place(NamedTuple):
    """Where the fleet works.

    Attributes:
        base_url: the service's address.
        api_token: its token.
        database: the connection string.
        directory: for the songs.
    """

    base_url: str
    api_token: str
    database: str
    directory: Path


def work(place: Place, worker: int) -> None:
    """Be one worker."""
    asyncio.run(_work(place, worker))


async def _work(place: Place, worker: int) -> None:
    client = ProducerClient(place.api_token, place.base_url, poll_interval=0.5)
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: Any = AsyncConnectionPool(place.database, kwargs=settings, min_size=2, max_size=8, open=False)
    async with client, pool:
        graph = build(client, place.directory).compile(
            checkpointer=AsyncPostgresSaver(pool), store=AsyncPostgresStore(pool)
        )
        jobs = Jobs(place.database)
        await asyncio.gather(*(_take_and_make(graph, jobs, worker) for _ in range(_ALBUMS_AT_ONCE)))


async def _take_and_make(graph: Graph, jobs: Jobs, worker: int) -> None:
    while True:
        try:
            async with jobs.take() as taken:
                if taken:
                    job, held = taken
                    await jobs.done(job, await _make(graph, job), worker, held)
                    continue
        except ProducerToolError as error:
            print(f"worker {worker} gives {job.thread_id} back for later: {error}")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _make(graph: Graph, job: Job) -> list[Song]:
    """Make the album; go on where another worker died; or begin again where a person has decided something."""
    config: Any = {"configurable": {"thread_id": job.thread_id}}
    begun = (await graph.aget_state(config)).tasks
    given: Any = None if begun else {"wishes": job.wishes}
    state = await graph.ainvoke(given, config, durability="sync")
    songs: list[Song] = state["songs"]
    return songs
