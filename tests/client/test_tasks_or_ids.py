"""Look-ups and waits take what `submit` returned, as well as ids."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from producer_tools import InvalidArgumentError, ProducerClient, Task
from producer_tools.requests import GenerateMusic

CALLS: dict[str, Callable[[ProducerClient, Any], list[Task]]] = {
    "get_task": lambda client, tasks: [client.get_task_sync(tasks)],
    "get_tasks": lambda client, tasks: list(client.get_tasks_sync(tasks).tasks),
    "wait": lambda client, tasks: list(client.wait_sync(tasks, 30).tasks),
    "watch": lambda client, tasks: list(client.watch_sync(tasks)),
}


@pytest.fixture
def task(client: ProducerClient) -> Task:
    """A task as `submit` returns it."""
    return client.submit_sync(GenerateMusic(prompt="a waltz"))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_task_stands_for_its_id(call: Callable[..., list[Task]], client: ProducerClient, task: Task) -> None:
    """Otherwise a script must take the id out of each task, and a type checker complains that it may be missing."""
    assert [each.task_id for each in call(client, task)] == [task.task_id]
    assert [each.task_id for each in call(client, task.task_id)] == [task.task_id]


@pytest.mark.parametrize("call", [CALLS["get_tasks"], CALLS["wait"], CALLS["watch"]])
def test_tasks_and_ids_may_be_mixed(call: Callable[..., list[Task]], client: ProducerClient, task: Task) -> None:
    """A list that holds both would be refused, or look one task up twice."""
    assert [each.task_id for each in call(client, [task, str(task.task_id)])] == [task.task_id]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_task_without_an_id_is_refused(call: Callable[..., list[Task]], client: ProducerClient, task: Task) -> None:
    """The id ``None`` would be looked up, or the error would name no argument."""
    with pytest.raises(InvalidArgumentError, match="this task has no id: its answer was final at once"):
        call(client, replace(task, task_id=None))
