"""The calls of the client that cost nothing: looking tasks up, watching them, and waiting for them."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import TypeAlias

from typing_extensions import deprecated

from producer_tools.client.for_user import for_user
from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.sync import run_sync, sync_twin
from producer_tools.errors import InvalidArgumentError
from producer_tools.http.transport import Transport
from producer_tools.progress import OnProgress, progress_of
from producer_tools.requests import GetTask, GetTasksBatch
from producer_tools.tasks.lookups import LookUps
from producer_tools.tasks.task import Task, TaskBatch
from producer_tools.tasks.waiting import Waits

TaskOrId: TypeAlias = Task | str
"""A task, as `submit` returns it, or its id."""


class FreeCalls:
    """Looks tasks up and waits for them. `ProducerClient` is made of it."""

    _transport: Transport
    _clock: Clock
    _lookups: LookUps
    _waits: Waits

    @for_user
    async def get_task(self, task_id: TaskOrId) -> Task:
        """Look up one task.

        Args:
            task_id: the service's id of the task, or the task itself.

        Raises:
            TaskNotFoundError: the service knows no such task.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no connection for 10 seconds, or no readable answer for 30.
            MissingTokenError: there is no token; nothing was sent.
            InvalidArgumentError: the id is blank, or the task has none.
        """
        return await self._lookups.one(GetTask(task_id=_id_of(task_id, "task_id")).task_id)

    @for_user
    async def get_tasks(self, task_ids: TaskOrId | Iterable[TaskOrId]) -> TaskBatch:
        """Look up any number of tasks: 50 in a request, all requests at the same time, each id once.

        Args:
            task_ids: one or more tasks or task ids.

        Returns:
            The tasks in the order asked, and the ids that the service does not know.

        Raises:
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no connection for 10 seconds, or no readable answer for 30.
            MissingTokenError: there is no token; nothing was sent.
            InvalidArgumentError: there is no id, one is blank, or a task has none.
        """
        return await self._lookups.many(_ids_of(task_ids))

    async def watch(self, task_ids: TaskOrId | Iterable[TaskOrId]) -> AsyncGenerator[Task, None]:
        """Yield each change of each task once, until all of them are final.

        All watches and waits of one event loop share their look-ups. You may stop iterating early: the tasks go on and
        can be watched again.

        Args:
            task_ids: one or more tasks or task ids.

        Raises:
            TaskNotFoundError: the service knows no such task.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no connection for 10 seconds, or no readable answer for 30.
            MissingTokenError: there is no token; nothing was sent.
            InvalidArgumentError: there is no id, one is blank, or a task has none.
        """
        async with aclosing(self._waits.events(_ids_of(task_ids))) as events:
            async for _, outcome in events:
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome

    @for_user
    async def wait(
        self, task_ids: TaskOrId | Iterable[TaskOrId], timeout: float, on_progress: OnProgress | None = None
    ) -> TaskBatch:
        """Wait until all tasks are final, or until the timeout.

        The timeout cancels no task: an unfinished one is returned as it is, and can be waited for again. The call ends
        at most one second after the timeout, whatever the service does.

        Args:
            task_ids: one or more tasks or task ids.
            timeout: the longest wait in seconds.
            on_progress: called with each change of each task; in the background thread if you use `wait_sync`.

        Returns:
            The tasks in the order asked, and the ids that the service does not know.

        Raises:
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no connection for 10 seconds, no readable answer for 30, or none at
                all before the timeout.
            MissingTokenError: there is no token; nothing was sent.
            InvalidArgumentError: there is no id, one is blank, or a task has none.
        """

        def report(task: Task) -> None:
            if on_progress is not None:
                on_progress(progress_of(task, self._clock.now()))

        return await self._waits.wait(_ids_of(task_ids), timeout, report)

    def watch_sync(self, task_ids: TaskOrId | Iterable[TaskOrId]) -> Iterator[Task]:
        """`watch` for sync code."""
        changes = self.watch(task_ids)
        try:
            while (task := run_sync(lambda: anext(changes, None))) is not None:
                yield task
        finally:
            run_sync(changes.aclose)

    get_task_sync = sync_twin(get_task)
    get_tasks_sync = sync_twin(get_tasks)
    wait_sync = sync_twin(wait)

    def wake(self, task_id: str) -> None:
        """Make everyone who waits for a task look it up at once, because something may have happened to it.

        It may be called from any thread. It changes nothing else, so an untrusted source may trigger it.

        Args:
            task_id: the service's id of the task; an id that nobody waits for has no effect.
        """
        self._waits.wake(task_id)

    @deprecated("hint is now called wake")
    def hint(self, task_id: str) -> None:
        """The old name of `wake`."""
        self.wake(task_id)


def _ids_of(tasks: TaskOrId | Iterable[TaskOrId]) -> list[str]:
    """The validated ids in the order given, each once."""
    given = tasks if isinstance(tasks, Iterable) and not isinstance(tasks, Task | str) else [tasks]
    return list(dict.fromkeys(GetTasksBatch(task_ids=[_id_of(each, "task_ids") for each in given]).task_ids))


def _id_of(task: TaskOrId, argument: str) -> str:
    if not isinstance(task, Task):
        return task
    if task.task_id is None:
        raise InvalidArgumentError({argument: "this task has no id: its answer was final at once"})
    return task.task_id
