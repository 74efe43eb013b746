"""Waiting for tasks with a deadline, over the watchers that look at them."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from producer_tools.clock import Clock
from producer_tools.errors import TaskNotFoundError
from producer_tools.lookups import LookUps
from producer_tools.polling import Event, Watchers
from producer_tools.progress import OnProgress, progress_of
from producer_tools.task import Task, TaskBatch
from producer_tools.transport import Transport

_REMEMBERED_SECONDS = 300.0


class Waits:
    """The waits of one client.

    Args:
        transport: knows whose token a call carries: each tenant's tasks are watched apart.
        lookups: looks at tasks.
        clock: what time it is.
        interval: seconds between two looks at one unfinished task.
    """

    def __init__(self, transport: Transport, lookups: LookUps, clock: Clock, interval: float) -> None:
        self._transport = transport
        self._lookups = lookups
        self._clock = clock
        self._watchers = Watchers(lookups.many, clock, interval)
        self._submitted: dict[str, float] = {}
        self._lock = threading.Lock()

    def remember(self, task_id: str) -> None:
        """When a task was submitted tells when a first look is worth it; soon that is of no use."""
        now = self._clock.now()
        with self._lock:
            while self._submitted and next(iter(self._submitted.values())) < now - _REMEMBERED_SECONDS:
                del self._submitted[next(iter(self._submitted))]
            self._submitted[task_id] = now

    def hint(self, task_id: str) -> None:
        """Have those who wait for a task look at it at once."""
        self._lookups.hint(task_id)
        self._watchers.hint(task_id)

    async def events(self, task_ids: list[str]) -> AsyncGenerator[Event, None]:
        """What happens to the tasks, until each is final or cannot be watched any more."""
        watcher = self._watchers.current(self._transport.token())
        watching = set(task_ids)
        async with watcher.listen(task_ids, self._submitted.get) as events:
            while watching:
                event = await events.get()
                if isinstance(event.what, Exception) or event.what.is_final:
                    watching.discard(event.task_id)
                yield event

    async def wait(self, task_ids: list[str], timeout: float, on_progress: OnProgress | None) -> TaskBatch:
        """Wait until all are final, or until the time is over; then say how things are."""
        found: dict[str, Task] = {}
        missing: set[str] = set()
        collecting = asyncio.ensure_future(self._collect(task_ids, found, missing, on_progress))
        if await in_time(collecting, timeout, self._clock):
            collecting.result()
        if unseen := [task_id for task_id in task_ids if task_id not in found and task_id not in missing]:
            batch = await self._lookups.many(unseen)
            found.update((str(task.task_id), task) for task in batch.tasks)
        return TaskBatch(
            tasks=tuple(found[task_id] for task_id in task_ids if task_id in found),
            not_found=tuple(task_id for task_id in task_ids if task_id not in found),
        )

    async def _collect(
        self, task_ids: list[str], found: dict[str, Task], missing: set[str], on_progress: OnProgress | None
    ) -> None:
        async with aclosing(self.events(task_ids)) as events:
            async for task_id, what in events:
                if isinstance(what, TaskNotFoundError):
                    missing.add(task_id)
                elif isinstance(what, Exception):
                    raise what
                else:
                    found[task_id] = what
                    if on_progress is not None:
                        on_progress(progress_of(what, self._clock.now()))


async def in_time(work: "asyncio.Future[Any]", timeout: float, clock: Clock) -> bool:
    """Whether the work was done before ``timeout`` seconds were over; if not, it is cancelled."""
    passing = asyncio.ensure_future(clock.sleep(timeout))
    try:
        await asyncio.wait((work, passing), return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        work.cancel()
        passing.cancel()
        await asyncio.gather(work, passing, return_exceptions=True)
