"""The ids of tasks as weak models and hurried people write them: as one text."""

import json
from typing import Any

import pytest

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.requests import GenerateMusic, GetTasksBatch, WaitForTasks

FORMS: dict[str, list[str]] = {
    "1a6a-10f2": ["1a6a-10f2"],
    " 1a6a-10f2\n": ["1a6a-10f2"],
    '["a1", "b2"]': ["a1", "b2"],
    '["a1","b2"]': ["a1", "b2"],
    "['a1', 'b2']": ["a1", "b2"],
    '["a1", "b2"': ["a1", "b2"],
    "a1, b2": ["a1", "b2"],
    "a1,b2,": ["a1", "b2"],
    '"a1"': ["a1"],
}


@pytest.mark.parametrize("kind", [GetTasksBatch, WaitForTasks])
@pytest.mark.parametrize("text", FORMS)
def test_a_text_is_read_as_ids(text: str, kind: type[GetTasksBatch]) -> None:
    """The call would be refused, or each letter looked up as a task; and a paid song would seem lost."""
    assert kind.model_validate({"task_ids": text}).task_ids == FORMS[text]


@pytest.mark.parametrize("text", ["", "  ", "[]", '[""]'])
def test_a_text_without_an_id_is_refused(text: str) -> None:
    """The service would list the account's tasks."""
    with pytest.raises(ValueError, match="at least 1 item"):
        GetTasksBatch.model_validate({"task_ids": text})


@pytest.mark.parametrize("name", ["producer_get_tasks_batch", "producer_wait_for_tasks"])
async def test_tools_take_a_text(name: str, toolkit: ProducerToolkit) -> None:
    """Otherwise the model could not look up a task that it has paid for."""
    (tool,) = (tool for tool in toolkit.get_tools() if tool.name == name)
    task = await toolkit.client.submit(GenerateMusic(prompt="a waltz"))
    for text in (task.task_id, json.dumps([task.task_id])):
        call: Any = {"type": "tool_call", "id": "c", "name": name, "args": {"task_ids": text}}
        answer = json.loads((await tool.ainvoke(call)).content)
        assert [each["task_id"] for each in answer["tasks"]] == [task.task_id]
        assert answer["not_found"] == []


async def test_a_string_is_one_id_in_python(client: ProducerClient) -> None:
    """Every letter would be looked up as a task of its own."""
    task_id = str((await client.submit(GenerateMusic(prompt="a waltz"))).task_id)
    assert [task.task_id for task in (await client.get_tasks(task_id)).tasks] == [task_id]
    assert [task.task_id for task in (await client.wait(task_id, timeout=60)).tasks] == [task_id]
    assert {task.task_id async for task in client.watch(task_id)} == {task_id}
    assert [task.task_id for task in (await client.get_tasks(each for each in [task_id])).tasks] == [task_id]
