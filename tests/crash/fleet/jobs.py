"""The queue of albums: a table whose row locks PostgreSQL itself releases when a worker dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from producer_tools.langgraph import Song

_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    thread_id text PRIMARY KEY,
    wishes jsonb NOT NULL,
    songs jsonb,
    worker int
)"""
_TAKE = """
SELECT thread_id, wishes, songs FROM jobs WHERE worker IS NULL
ORDER BY thread_id LIMIT 1 FOR UPDATE SKIP LOCKED"""


class Job(NamedTuple):
    """One album of the queue.

    Attributes:
        thread_id: Its LangGraph thread.
        wishes: The songs to make.
        songs: The songs as the graph left them; ``None`` until the album is done.
    """

    thread_id: str
    wishes: list[str]
    songs: list[Song] | None


class Jobs:
    """The queue, in PostgreSQL.

    Args:
        database: The connection string.
    """

    def __init__(self, database: str) -> None:
        self._database = database

    async def setup(self, jobs: dict[str, list[str]]) -> None:
        """Create the table and fill it: thread ids, and the wishes of each."""
        async with await self._connect() as connection:
            await connection.execute(_TABLE)
            for thread_id, wishes in jobs.items():
                await connection.execute("INSERT INTO jobs VALUES (%s, %s)", (thread_id, Jsonb(wishes)))

    @asynccontextmanager
    async def take(self) -> AsyncIterator[tuple[Job, AsyncConnection[TupleRow]] | None]:
        """Lock the next free job for the block. If this process dies, another can take the job at once.

        Yields:
            The job, and the connection that `done` needs; ``None`` if no job is free.
        """
        async with await self._connect() as connection:
            row = await (await connection.execute(_TAKE)).fetchone()
            yield (Job(*row), connection) if row else None

    async def done(self, job: Job, songs: list[Song], worker: int, connection: AsyncConnection[TupleRow]) -> None:
        """Store the songs of a locked job; call it last in the block."""
        update = "UPDATE jobs SET songs = %s, worker = %s WHERE thread_id = %s"
        await connection.execute(update, (Jsonb(songs), worker, job.thread_id))

    async def requeue(self, thread_id: str) -> None:
        """Put a job back into the queue."""
        async with await self._connect() as connection:
            await connection.execute("UPDATE jobs SET worker = NULL WHERE thread_id = %s", (thread_id,))

    async def left(self) -> int:
        """The number of jobs that are not done."""
        async with await self._connect() as connection:
            rows = await connection.execute("SELECT count(*) FROM jobs WHERE worker IS NULL")
            [[count]] = await rows.fetchall()
        return int(count)

    async def finished(self) -> list[tuple[Job, int]]:
        """The jobs that are done, and the worker that finished each."""
        query = "SELECT thread_id, wishes, songs, worker FROM jobs WHERE worker IS NOT NULL ORDER BY thread_id"
        async with await self._connect() as connection:
            rows = await (await connection.execute(query)).fetchall()
        return [(Job(*row[:3]), row[3]) for row in rows]

    async def _connect(self) -> AsyncConnection[TupleRow]:
        return await AsyncConnection.connect(self._database)
