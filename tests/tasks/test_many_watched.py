"""Thousands of watched tasks: what happens to one of them takes no work for the others."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from typing import Any

from pydantic import SecretStr

from producer_tools.tasks.shared_looks import SharedLooks
from producer_tools.tasks.task import Task
from producer_tools.tasks.watcher import Watcher
from tests.clocks import ManualClock

MANY = 400
INTERVAL = 5.0


class CountedTasks(dict[str, Any]):
    """The watched tasks, which counts how often one of them is looked at."""

    looked_at = 0

    def __getitem__(self, task_id: str) -> Any:
        self.looked_at += 1
        return super().__getitem__(task_id)


async def _report_one_by_one(task_ids: Collection[str], report: Callable[[str, Task | Exception], None]) -> None:
    for task_id in task_ids:
        report(task_id, Task(task_id=task_id, state="pending"))
        await asyncio.sleep(0)  # as answers of many requests come in


def _watcher() -> tuple[Watcher, CountedTasks]:
    watcher = Watcher(_report_one_by_one, ManualClock(), INTERVAL)
    watcher._watched = tasks = CountedTasks()  # noqa: SLF001 - no other way to count
    return watcher, tasks


async def test_answers_that_come_one_by_one_are_not_each_followed_by_a_walk_through_all_tasks() -> None:
    """10,000 waits would take a hundred times as long as 1,000, and hold up the event loop meanwhile."""
    watcher, tasks = _watcher()
    ids = [f"task {number}" for number in range(MANY)]
    async with watcher.listen(ids, lambda _: None) as events:
        for _ in ids:
            await events.get()
    assert tasks.looked_at < 10 * MANY


async def test_callers_that_come_one_by_one_are_not_each_followed_by_a_walk_through_all_tasks() -> None:
    """A server with thousands of waiting users would slow down with each further one."""
    watcher, tasks = _watcher()
    async with AsyncExitStack() as callers:
        for number in range(MANY):
            submitted_at = {f"task {number}": watcher._clock.now()}  # noqa: SLF001 - the time of the test
            await callers.enter_async_context(watcher.listen(list(submitted_at), submitted_at.get))
            await asyncio.sleep(0)
    assert tasks.looked_at < 10 * MANY


async def test_callbacks_are_not_each_followed_by_a_walk_through_all_tasks() -> None:
    """Each finished song brings a callback, so these are as many as the tasks."""
    watcher, tasks = _watcher()
    ids = [f"task {number}" for number in range(MANY)]
    async with watcher.listen(ids, lambda _: watcher._clock.now()) as events:  # noqa: SLF001 - the time of the test
        for task_id in ids:
            watcher.wake(task_id)
            assert (await events.get()).task_id == task_id
    assert tasks.looked_at < 10 * MANY


async def test_a_callback_does_not_walk_through_all_look_ups() -> None:
    """With 10,000 look-ups under way, each of 10,000 callbacks would hold the lock of all users for milliseconds."""
    compared = 0

    class CountedId(str):
        """A task id that counts how often it is compared."""

        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        def __hash__(self) -> int:
            return str.__hash__(self)

    async def ask(task_ids: list[str], /, **_: bool) -> dict[str, Task]:
        return {task_id: Task(task_id=task_id, state="pending") for task_id in task_ids}

    looks = SharedLooks(ask, ManualClock(), INTERVAL)
    ids = [CountedId(f"task {number}") for number in range(MANY)]
    await looks.each(SecretStr("token"), ids, lambda *_: None)
    waiting = asyncio.create_task(looks.each(SecretStr("token"), ids, lambda *_: None))  # for the poll interval
    await asyncio.sleep(0)
    compared = 0
    for number in range(MANY):
        looks.wake(f"task {number}")
    assert compared < 10 * MANY
    await waiting
