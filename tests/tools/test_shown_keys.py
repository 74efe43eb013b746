"""Which keys of a result a model and an application see: those that the table of result keys marks for them."""

import json
from copy import deepcopy
from typing import Any, cast

import pytest

from producer_tools.tasks.results import RESULT_KEYS, Result
from producer_tools.tasks.task import Task, TaskBatch
from producer_tools.tools.output import Output, batch_output, task_output

FULL = cast("Result", {key.name: 1.5 if key.name == "duration_seconds" else key.name for key in RESULT_KEYS})
"""A result with a value for each key."""
IN_EVERY_CONTENT = [key.name for key in RESULT_KEYS if key.shown == "always"]
IN_CONTENT_OF_ONE_TASK = [key.name for key in RESULT_KEYS if key.shown in ("always", "single")]
COMPLETE = Task("t1", "complete", results=(FULL,))
FAILED_IN_PART = Task(
    "t1", "failed", partial_results=(FULL,), error={"code": "api_error", "message": "half-way", "trace_id": None}
)

complete_and_failed = pytest.mark.parametrize(
    ("task", "where"), [(COMPLETE, "results"), (FAILED_IN_PART, "partial_results")], ids=["complete", "failed in part"]
)


def content(output: Output) -> dict[str, Any]:
    """What a model reads."""
    return cast("dict[str, Any]", json.loads(output[0]))


def test_the_table_has_every_key_of_a_result_once() -> None:
    """A key that is missing in the table would never be read from a record, nor shown."""
    names = [key.name for key in RESULT_KEYS]
    assert len(set(names)) == len(names)
    assert set(names) == Result.__annotations__.keys()


@complete_and_failed
def test_the_content_of_one_task_shows_the_keys_marked_for_it(task: Task, where: str) -> None:
    """A key too few hides a result from the model; a key too many is paid for with every turn."""
    (shown,) = content(task_output(task))[where]
    assert list(shown) == IN_CONTENT_OF_ONE_TASK
    assert shown == {name: value for name, value in FULL.items() if name in shown}


@complete_and_failed
def test_the_content_of_a_batch_shows_the_keys_marked_always(task: Task, where: str) -> None:
    """A batch may hold fifty songs. The video of a song is left out too; a model looks up the song to get it."""
    (shown,) = content(batch_output(TaskBatch((task,))))["tasks"][0][where]
    assert list(shown) == [name for name in IN_EVERY_CONTENT if name != "video_url"]
    assert shown == {name: value for name, value in FULL.items() if name in shown}


def test_the_content_of_a_batch_shows_a_video_without_audio() -> None:
    """For a task that made only a video, the video is the result."""
    video = Task("t1", "complete", results=({"video_url": "https://cdn.example/v.mp4"},))
    (shown,) = content(batch_output(TaskBatch((video,))))["tasks"][0]["results"]
    assert shown == {"video_url": "https://cdn.example/v.mp4"}


@pytest.mark.parametrize(
    "key", [key for key in RESULT_KEYS if key.name != "duration_seconds"], ids=lambda key: key.name
)
def test_a_task_with_files_offers_the_download(key: Any) -> None:
    """Without the offer, the model would not save the files; with nothing to save, the call would fail."""
    task = Task("t1", "complete", results=(cast("Result", {key.name: "x"}),))
    for next_step in (content(task_output(task))["next_step"], content(batch_output(TaskBatch((task,))))["next_step"]):
        assert ("producer_download_results" in next_step) == (key.file is not None)


def test_the_artifact_has_every_key() -> None:
    """An application may need what a model does not."""
    for _, artifact in (task_output(COMPLETE), batch_output(TaskBatch((COMPLETE,)))):
        task = artifact.get("tasks", [artifact])[0]
        assert task["results"] == [FULL]


@complete_and_failed
def test_an_artifact_may_be_changed(task: Task, where: str) -> None:
    """Agents that look a task up at the same time share it: one that hides a link would hide it from the others."""
    before = deepcopy(task)
    _, artifact = task_output(task)
    artifact[where][0].clear()
    (artifact["error"] or {}).clear()
    assert task == before
