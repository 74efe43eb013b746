"""Looks tasks up: 50 ids in a request, within the documented rate, no unfinished task twice in one poll interval."""

import asyncio
from collections.abc import Mapping
from typing import Any

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.limits import RateLimiter
from producer_tools.errors import ProducerToolError, TaskNotFoundError
from producer_tools.http.faults import may_concern_one_task, unreadable
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

    async def many(self, task_ids: list[str], *, retry: bool = True) -> TaskBatch:
        """Look up any number of tasks, each id once.

        Args:
            task_ids: the tasks.
            retry: whether a failed request is made again.

        Raises:
            ProducerToolError: a look-up failed; the first such error in the order of the ids.
        """
        found: dict[str, Task] = {}
        for task_id, outcome in (await self.each(task_ids, retry=retry)).items():
            if isinstance(outcome, Task):
                found[task_id] = outcome
            elif not isinstance(outcome, TaskNotFoundError):
                raise outcome
        return TaskBatch.in_order(task_ids, found)

    async def each(self, task_ids: list[str], *, retry: bool = True) -> dict[str, Task | ProducerToolError]:
        """Look up any number of tasks, each id once; the requests run at the same time.

        Returns:
            By id, the task, or the error of its look-up. A task that the service does not know has a
            `TaskNotFoundError`. An error of one task does not concern those that were asked for with it.
        """
        await self._poll_interval.wait_for_turn(task_ids)
        chunks = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        outcomes: dict[str, Task | ProducerToolError] = {}
        for answer in await asyncio.gather(*(self._chunk(chunk, retry=retry) for chunk in chunks)):
            outcomes.update(answer)
        unfinished = {
            task_id for task_id, outcome in outcomes.items() if isinstance(outcome, Task) and not outcome.is_final
        }
        self._poll_interval.forget([task_id for task_id in task_ids if task_id not in unfinished])
        return outcomes

    def wake(self, task_id: str) -> None:
        """Let the next look-up of a task happen at once."""
        self._poll_interval.forget([task_id])

    async def _chunk(self, task_ids: list[str], *, retry: bool) -> dict[str, Task | ProducerToolError]:
        """Look up the tasks of one request. If it is refused, halve it until only the ids that are refused are left."""
        try:
            found = await self._found(task_ids, retry=retry)
        except ProducerToolError as error:
            if len(task_ids) > 1 and may_concern_one_task(error):
                middle = len(task_ids) // 2
                halves = (task_ids[:middle], task_ids[middle:])
                first, second = await asyncio.gather(*(self._chunk(half, retry=retry) for half in halves))
                return {**first, **second}
            if may_concern_one_task(error):
                error.task_id = error.task_id or task_ids[0]
                error.args = (str(error),)  # LangChain shows it to the model
            return dict.fromkeys(task_ids, error)
        return {task_id: found.get(task_id) or TaskNotFoundError(task_id) for task_id in task_ids}

    async def _found(self, task_ids: list[str], *, retry: bool) -> dict[str, Task]:
        answer = await self._post(GetTasksBatch.model_construct(task_ids=task_ids), retry=retry)
        records = answer.get("items")
        if not isinstance(records, list):
            raise unreadable(TASKS, "it has no list of items", paid=False)
        tasks = [self._read(record) for record in records if isinstance(record, Mapping) and record]
        return {task.task_id: task for task in tasks if task.task_id is not None}

    def _read(self, record: Mapping[str, Any]) -> Task:
        task = read_record(record)
        return read_record(record, is_stuck=True) if self._stuck_tasks.is_stuck(task) else task

    async def _post(self, request: Request, *, retry: bool = True) -> dict[str, Any]:
        body = request.body()

        async def attempt() -> dict[str, Any]:
            await self._rate_limiter.acquire()
            return await self._transport.post(TASKS, body, paid=False)

        return await (with_retries(attempt, self._clock, paid=False) if retry else attempt())
