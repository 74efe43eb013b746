"""Looks tasks up: within the documented rate, as few requests as possible, each error told to whom it concerns."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.limits import RateLimiter
from producer_tools.errors import ProducerError, ProducerToolError, TaskNotFoundError
from producer_tools.http.faults import failure_may_concern_one_task, refusal_may_concern_one_task, unreadable
from producer_tools.http.retries import with_retries
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.requests import TASKS, GetTask, GetTasksBatch, Request
from producer_tools.tasks.records import read_record
from producer_tools.tasks.shared_looks import Outcome, Report, SharedLooks
from producer_tools.tasks.stuck import StuckTasks, is_overdue
from producer_tools.tasks.task import Task, TaskBatch

LOOKUPS_PER_SECOND = 60
"""Look-ups of tasks for each token (faq)."""

_MOST_FAILED_ROUNDS = 3


class LookUps:
    """The look-ups of one client. Its callers have validated the task ids.

    Args:
        transport: sends the requests.
        clock: measures and waits.
        interval: seconds between two look-ups of one unfinished task.
        on_task: called with each task that the service has answered with.
    """

    def __init__(
        self, transport: Transport, clock: Clock, interval: float, on_task: Callable[[Task], Awaitable[None]]
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._on_task = on_task
        self._rate_limiter = RateLimiter(LOOKUPS_PER_SECOND, clock)
        self._shared_looks = SharedLooks(self._outcomes, clock, interval)
        self._stuck_tasks = StuckTasks(clock)

    async def one(self, task_id: str) -> Task:
        """Look up one task."""
        found: dict[str, Outcome] = {}
        token = self._transport.token()
        await self._shared_looks.each(token, [task_id], found.__setitem__, alone=True)
        outcome = found[task_id]
        if isinstance(outcome, Exception):
            raise _for_one_caller(outcome)
        return outcome

    async def many(self, task_ids: list[str], *, at_once: bool = False) -> TaskBatch:
        """Look up any number of tasks, each id once.

        Args:
            task_ids: the tasks.
            at_once: neither wait for the rest of a poll interval nor make a failed request again.

        Raises:
            ProducerToolError: a look-up failed; the first such error in the order of the ids.
        """
        outcomes: dict[str, Outcome] = {}
        await self._shared_looks.each(self._transport.token(), task_ids, outcomes.__setitem__, at_once=at_once)
        found: dict[str, Task] = {}
        for task_id in task_ids:
            outcome = outcomes[task_id]
            if isinstance(outcome, Task):
                found[task_id] = outcome
            elif not isinstance(outcome, TaskNotFoundError):
                raise _for_one_caller(outcome)
        return TaskBatch.in_order(task_ids, found)

    async def each(self, token: SecretStr, task_ids: Collection[str], report: Report) -> None:
        """Look up any number of tasks, and report the outcome of each as soon as it is there.

        An outcome is the task, or the error of its look-up. A task that the service does not know has a
        `TaskNotFoundError`. An error of one task does not concern those that were asked for with it.

        Args:
            token: whose tasks they are.
            task_ids: the tasks, each once.
            report: called with the id and the outcome of each task.
        """

        def report_own(task_id: str, outcome: Outcome) -> None:
            report(task_id, _for_one_caller(outcome) if isinstance(outcome, Exception) else outcome)

        await self._shared_looks.each(token, task_ids, report_own)

    def wake(self, task_id: str) -> None:
        """Let the next look-up of a task happen at once, and those that wait for their poll interval start now."""
        self._shared_looks.wake(task_id)

    async def _outcomes(self, task_ids: list[str], /, *, alone: bool, retry: bool) -> Mapping[str, Outcome]:
        """Look up the tasks of one request. If it is refused, halve it until only the ids that are refused are left.

        If it fails, it is halved too, because one task may be the cause. But the service may also fail on every task,
        so this ends when all of the quarters fail as well.
        """
        outcomes: dict[str, Outcome] = {}
        parts, failed_rounds = [task_ids], 0
        answers = [await self._answer(task_ids, alone=alone, retry=retry)]
        while parts:
            errors = [answer for answer in answers if isinstance(answer, ProducerToolError)]
            failures = sum(failure_may_concern_one_task(error) for error in errors)
            failed_rounds = failed_rounds + 1 if failures == len(parts) else 0
            retry = retry and not failures  # the whole request was repeated for half a minute, which is enough
            halves: list[list[str]] = []
            for part, answer in zip(parts, answers, strict=True):
                if not isinstance(answer, ProducerToolError):
                    outcomes |= answer
                    continue
                is_refusal, is_failure = refusal_may_concern_one_task(answer), failure_may_concern_one_task(answer)
                if len(part) > 1 and (is_refusal or (is_failure and failed_rounds < _MOST_FAILED_ROUNDS)):
                    halves += [part[: len(part) // 2], part[len(part) // 2 :]]
                    continue
                if len(part) == 1 and (is_refusal or (is_failure and len(task_ids) > 1)):
                    answer.about(part[0])
                outcomes |= dict.fromkeys(part, answer)
            parts = halves
            answers = await asyncio.gather(*(self._answer(part, alone=False, retry=retry) for part in parts))
        return outcomes

    async def _answer(self, task_ids: list[str], *, alone: bool, retry: bool) -> dict[str, Outcome] | ProducerToolError:
        """The outcome of each task of one request; or the error with which it failed."""
        try:
            found = await (self._found_alone(task_ids[0], retry=retry) if alone else self._found(task_ids, retry=retry))
        except ProducerToolError as error:
            return error
        return {task_id: found.get(task_id) or TaskNotFoundError(task_id) for task_id in task_ids}

    async def _found_alone(self, task_id: str, *, retry: bool) -> dict[str, Task]:
        record = await self._post(GetTask.model_construct(task_id=task_id), retry=retry)
        if not record:
            return {}
        if not record.keys() & {"id", "state", "response", "created_at"}:
            raise unreadable(TASKS, "it is not a task record", paid=False)
        return {task_id: await self._read({"id": task_id, **record})}

    async def _found(self, task_ids: list[str], *, retry: bool) -> dict[str, Task]:
        answer = await self._post(GetTasksBatch.model_construct(task_ids=task_ids), retry=retry)
        records = answer.get("items")
        if not isinstance(records, list):
            raise unreadable(TASKS, "it has no list of items", paid=False)
        tasks = [await self._read(record) for record in records if isinstance(record, Mapping) and record]
        return {task.task_id: task for task in tasks if task.task_id is not None}

    async def _read(self, record: Mapping[str, Any]) -> Task:
        task = read_record(record)
        if self._stuck_tasks.is_stuck(task):
            task = read_record(record, is_stuck=True)
        if is_overdue(task, self._clock.now()):
            task = replace(task, is_overdue=True)
        await self._on_task(task)
        return task

    async def _post(self, request: Request, *, retry: bool) -> dict[str, Any]:
        body = request.body()
        owner = token_id(self._transport.token())

        async def attempt() -> dict[str, Any]:
            await self._rate_limiter.acquire(owner)
            return await self._transport.post(TASKS, body, paid=False)

        return await (with_retries(TASKS, attempt, self._clock, paid=False) if retry else attempt())


def _for_one_caller(error: Exception) -> Exception:
    """The error as one of several callers gets it: each raises an exception of its own, or tracebacks would mix."""
    return copy(error).with_traceback(None) if isinstance(error, ProducerError) else error
