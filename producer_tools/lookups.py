"""Looks at tasks: in batches of 50, within the documented rate, never at one unfinished task twice in an interval."""

import asyncio
from typing import Any

from producer_tools.clock import Clock
from producer_tools.errors import TaskNotFoundError
from producer_tools.requests import TASKS, GetTask, GetTasksBatch, Request
from producer_tools.retry import with_retries
from producer_tools.task import Task, TaskBatch, read_record
from producer_tools.throttle import LOOKUPS_PER_SECOND, Pace, Rate
from producer_tools.transport import Transport, unreadable

BATCH_SIZE = 50
"""Task ids in one look-up (mcp: recommended at most)."""


class LookUps:
    """The look-ups of one client.

    Args:
        transport: sends them.
        clock: what time it is.
        interval: seconds between two looks at one unfinished task.
    """

    def __init__(self, transport: Transport, clock: Clock, interval: float) -> None:
        self._transport = transport
        self._clock = clock
        self._rate = Rate(LOOKUPS_PER_SECOND, clock)
        self._pace = Pace(interval, clock)

    async def one(self, task_id: str) -> Task:
        """Look at one task."""
        request = GetTask(task_id=task_id)
        await self._pace.turn([request.task_id])
        record = await self._ask(request)
        if not record:
            self._pace.release([request.task_id])
            raise TaskNotFoundError(request.task_id)
        if not record.keys() & {"id", "state", "response", "created_at"}:
            raise unreadable(TASKS, "it is no task record")
        task = read_record({"id": request.task_id, **record})
        if task.is_final:
            self._pace.release([request.task_id])
        return task

    async def many(self, task_ids: list[str]) -> TaskBatch:
        """Look at any number of tasks, each id once, the requests at once."""
        await self._pace.turn(task_ids)
        chunks = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        answers = await asyncio.gather(*map(self._batch, chunks), return_exceptions=True)
        found: dict[str | None, Task] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            found.update((task.task_id, task) for task in answer)
        self._pace.release([task_id for task_id in task_ids if task_id not in found or found[task_id].is_final])
        return TaskBatch(
            tasks=tuple(found[task_id] for task_id in task_ids if task_id in found),
            not_found=tuple(task_id for task_id in task_ids if task_id not in found),
        )

    def hint(self, task_id: str) -> None:
        """Let the next look at a task come at once."""
        self._pace.release([task_id])

    async def _batch(self, task_ids: list[str]) -> list[Task]:
        answer = await self._ask(GetTasksBatch(task_ids=task_ids))
        records = answer.get("items")
        if not isinstance(records, list):
            raise unreadable(TASKS, "it has no list of items")
        return [read_record(record) for record in records if isinstance(record, dict) and record]

    async def _ask(self, request: Request) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            await self._rate.turn()
            return await self._transport.post(TASKS, request.body())

        return await with_retries(once, self._clock, paid=False)
