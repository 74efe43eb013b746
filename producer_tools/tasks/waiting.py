"""Waits for tasks with a deadline, on top of the watchers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from pydantic import SecretStr

from producer_tools import telemetry
from producer_tools.concurrency.clock import Clock, finishes_in_time
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import AnswerError, AuthenticationError, TaskNotFoundError
from producer_tools.http.transport import Transport
from producer_tools.tasks.lookups import LookUps
from producer_tools.tasks.task import Task, TaskBatch
from producer_tools.tasks.watcher import Event, Watchers

_REMEMBERED_SECONDS = 300.0
# A wait ends at most a second after its timeout. The last look-up gets less, so that the rest of the work fits in.
_LAST_LOOKUP_SECONDS = 0.8

OnChange = Callable[[Task], None]


class Waits:
    """The waits of one client.

    Args:
        transport: knows whose token a call carries; each user's tasks are watched separately.
        lookups: looks tasks up.
        clock: measures and waits.
        interval: seconds between two look-ups of one unfinished task.
    """

    def __init__(self, transport: Transport, lookups: LookUps, clock: Clock, interval: float) -> None:
        self._transport = transport
        self._lookups = lookups
        self._clock = clock
        self._watchers = Watchers(lookups.each, clock, interval)
        self._submitted: dict[str, float] = {}

    def remember(self, task: Task) -> None:
        """Remember for five minutes when a task was submitted: its first two look-ups are timed from then."""
        if task.task_id is None or task.is_final:
            return
        now = self._clock.now()
        with shared_state:
            while self._submitted and next(iter(self._submitted.values())) < now - _REMEMBERED_SECONDS:
                del self._submitted[next(iter(self._submitted))]
            self._submitted[task.task_id] = now

    def wake(self, task_id: str) -> None:
        """Make those who wait for a task look it up at once."""
        self._lookups.wake(task_id)
        self._watchers.wake(task_id)

    async def events(self, task_ids: list[str]) -> AsyncGenerator[Event, None]:
        """The changes of the tasks, until each is final or can no longer be watched.

        A token that the client's function has returned may expire before the tasks are final. When the service refuses
        it, the function is asked again, and if it returns another one, the tasks are watched with that. A task that is
        refused with that one too has been refused for good.
        """
        async with self._transport.token_of_call():
            token: SecretStr | None = self._transport.token()
        began = self._clock.now()
        watching: dict[str, Task | Exception | None] = dict.fromkeys(task_ids)
        renewed_for: set[str] = set()  # the tasks that the newest token has not brought an answer about yet
        while token is not None:
            refused, token = token, None
            async with self._watchers.current(refused).listen(list(watching), self._submitted.get) as events:
                while watching and token is None:
                    event = await events.get()
                    if not isinstance(event.outcome, AuthenticationError):
                        renewed_for.discard(event.task_id)
                    elif event.task_id not in renewed_for:
                        token = await self._transport.renewed_token(refused)
                        renewed_for.update(watching)
                    if token is not None or event.outcome == watching[event.task_id]:
                        continue
                    watching[event.task_id] = event.outcome
                    if isinstance(event.outcome, Exception):
                        del watching[event.task_id]
                    elif event.outcome.is_final:
                        del watching[event.task_id]
                        telemetry.finished(event.task_id, event.outcome.state, self._clock.now() - began)
                    yield event

    async def wait(self, task_ids: list[str], timeout: float, on_change: OnChange | None) -> TaskBatch:
        """Wait until all tasks are final or the time is over, and return their last known states.

        A task about which nothing is known by then is looked up once more, within a second.

        Raises:
            AnswerError: there is no answer about such a task within that second.
        """
        with telemetry.operation("wait", tasks=len(task_ids)) as facts:
            batch = await self._wait(task_ids, timeout, on_change)
            facts["final"] = sum(task.is_final for task in batch.tasks)
            return batch

    async def _wait(self, task_ids: list[str], timeout: float, on_change: OnChange | None) -> TaskBatch:
        found: dict[str, Task] = {}
        missing: set[str] = set()
        collecting = asyncio.ensure_future(self._collect(task_ids, found, missing, on_change))
        if await finishes_in_time(collecting, timeout, self._clock):
            collecting.result()
        if unseen := [task_id for task_id in task_ids if task_id not in found and task_id not in missing]:
            batch = await self._last_lookup(unseen)
            found.update((str(task.task_id), task) for task in batch.tasks)
        return TaskBatch.in_order(task_ids, found)

    async def _last_lookup(self, task_ids: list[str]) -> TaskBatch:
        try:
            # By the machine's time, as every timeout of a request. There is none left for the poll interval or a retry.
            return await asyncio.wait_for(self._lookups.many(task_ids, at_once=True), _LAST_LOOKUP_SECONDS)
        except asyncio.TimeoutError:
            message = f"The service did not answer in time about the tasks {', '.join(task_ids)}."
            raise AnswerError("timeout", message) from None

    async def _collect(
        self, task_ids: list[str], found: dict[str, Task], missing: set[str], on_change: OnChange | None
    ) -> None:
        async with aclosing(self.events(task_ids)) as events:
            async for task_id, outcome in events:
                if isinstance(outcome, TaskNotFoundError):
                    missing.add(task_id)
                elif isinstance(outcome, Exception):
                    raise outcome
                else:
                    found[task_id] = outcome
                    if on_change is not None:
                        on_change(outcome)
