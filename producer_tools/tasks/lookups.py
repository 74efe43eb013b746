"""Looks tasks up: 50 ids in a request, within the documented rate, no unfinished task twice in one poll interval."""

import asyncio
from collections.abc import Mapping
from typing import Any

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.limits import RateLimiter
from producer_tools.errors import TaskNotFoundError
from producer_tools.http.faults import unreadable
from producer_tools.http.retries import with_retries
from producer_tools.http.transport import Transport
from producer_tools.requests import TASKS, GetTask, GetTasksBatch, Request
from producer_tools.tasks.poll_interval import PollInterval
from producer_tools.tasks.records import read_record
from producer_tools.tasks.stuck import StuckTasks
from producer_tools.tasks.task import Task, TaskBatch

BATCH_SIZE = 50
"""Task ids in one look-up (mcp: recommended at most)."""

LOOKUPS_PER_SECOND = 60
"""Look-ups of tasks for each token (faq)."""


class LookUps:
    """The look-ups of one client. Its callers have validated the task ids.

    Args:
        transport: sends the requests.
        clock: measures and waits.
        interval: seconds between two look-ups of one unfinished task.
    """

    def __init__(self, transport: Transport, clock: Clock, interval: float) -> None:
        self._transport = transport
        self._clock = clock
        self._rate_limiter = RateLimiter(LOOKUPS_PER_SECOND, clock)
        self._poll_interval = PollInterval(interval, clock)
        self._stuck_tasks = StuckTasks(clock)

    async def one(self, request: GetTask) -> Task:
        """Look up one task."""
        task_id = request.task_id
        await self._poll_interval.wait_for_turn([task_id])
        record = await self._post(request)
        if not record:
            self._poll_interval.forget([task_id])
            raise TaskNotFoundError(task_id)
        if not record.keys() & {"id", "state", "response", "created_at"}:
            raise unreadable(TASKS, "it is not a task record", paid=False)
        task = self._read({"id": task_id, **record})
        if task.is_final:
            self._poll_interval.forget([task_id])
        return task

    async def many(self, task_ids: list[str]) -> TaskBatch:
        """Look up any number of tasks, each id once; the requests run at the same time."""
        await self._poll_interval.wait_for_turn(task_ids)
        chunks = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        answers = await asyncio.gather(*map(self._chunk, chunks), return_exceptions=True)
        found: dict[str, Task] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            found.update(answer)
        self._poll_interval.forget([each for each in task_ids if each not in found or found[each].is_final])
        return TaskBatch.in_order(task_ids, found)

    def wake(self, task_id: str) -> None:
        """Let the next look-up of a task happen at once."""
        self._poll_interval.forget([task_id])

    async def _chunk(self, task_ids: list[str]) -> dict[str, Task]:
        answer = await self._post(GetTasksBatch.model_construct(task_ids=task_ids))
        records = answer.get("items")
        if not isinstance(records, list):
            raise unreadable(TASKS, "it has no list of items", paid=False)
        tasks = [self._read(record) for record in records if isinstance(record, Mapping) and record]
        return {task.task_id: task for task in tasks if task.task_id is not None}

    def _read(self, record: Mapping[str, Any]) -> Task:
        task = read_record(record)
        return read_record(record, is_stuck=True) if self._stuck_tasks.is_stuck(task) else task

    async def _post(self, request: Request) -> dict[str, Any]:
        body = request.body()

        async def attempt() -> dict[str, Any]:
            await self._rate_limiter.acquire()
            return await self._transport.post(TASKS, body, paid=False)

        return await with_retries(attempt, self._clock, paid=False)
