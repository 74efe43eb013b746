"""What a tool hands over: a task as compact content for a model, and as an artifact with everything."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

from producer_tools.errors import shorten
from producer_tools.task import Result, State, Task, TaskBatch

Output = tuple[str, dict[str, Any]]
"""LangChain's ``content_and_artifact``: JSON text for the model, a JSON-able dict for the application."""

_CONTENT_KEYS = (
    "audio_id",
    "title",
    "audio_url",
    "duration_seconds",
    "image_url",
    "video_url",
    "stems_url",
    "file_url",
    "lyrics",
    "lyric",
    "model",
    "seed",
)
# A batch may hold fifty songs, and a model pays for each character.
_LEFT_OUT_OF_BATCH = frozenset({"image_url", "lyric", "model", "seed"})

_WAIT = (
    "Not finished. Call producer_wait_for_tasks (or producer_get_task) with this task_id. preview_urls are no "
    "results. Do not submit again."
)
_WAIT_FOR_BATCH = (
    "Not all finished. Call producer_wait_for_tasks with the unfinished task ids, or come back later: nothing is lost. "
    "preview_urls are no results. Do not submit again."
)
_DONE = "Finished. Give the results to the user; nothing is left to do."
_DONE_WITH_FILES = (
    "Finished. Give the results to the user; to save the files, call producer_download_results with this task_id."
)
_EMPTY = "Finished, but the service made nothing: tell the user. Nothing is left to do."
_FAILED = "Failed, and not charged. Tell the user why, or change the arguments and submit once more."
_PARTIAL = "Failed in part: partial_results are finished and may be used. Tell the user why the rest failed."
_NONE_FOUND = "None of these tasks exists: check the ids. Do not ask again."
_ALL_FINAL = "All final. Give the finished results to the user and say which failed; nothing is left to do."
_ALL_FINAL_WITH_FILES = (
    "All final. Give the finished results to the user and say which failed; to save the files, call "
    "producer_download_results with each finished task_id."
)


def task_output(task: Task) -> Output:
    """One task for a model and for the application."""
    return _json({**_content(task, _for_model), "next_step": _next_step(task)}), task_artifact(task)


def batch_output(batch: TaskBatch) -> Output:
    """Several tasks: the content takes some 400 characters a song, the artifact has everything."""
    counts = dict.fromkeys(get_args(State), 0)
    for task in batch.tasks:
        counts[task.state] += 1
    common = {
        "counts": {**counts, "not_found": len(batch.not_found)},
        "not_found": list(batch.not_found),
        "next_step": _next_step_of(batch),
    }
    content = {"tasks": [_content(task, _for_model_in_batch) for task in batch.tasks], **common}
    return _json(content), {"tasks": [task_artifact(task) for task in batch.tasks], **common}


def task_artifact(task: Task) -> dict[str, Any]:
    """Everything that is known of a task, as JSON-able values: a checkpointer brings nothing else back."""
    return {**asdict(task), "success": task.success, "next_step": _next_step(task)} | {
        name: list(getattr(task, name)) for name in ("results", "preview_urls", "partial_results")
    }


def _content(task: Task, show: Callable[[Result], dict[str, Any]]) -> dict[str, Any]:
    """The keys that a model reads; which of them there are depends on the state alone."""
    content: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state,
        "success": task.success,
        "results": [show(result) for result in task.results],
    }
    if not task.is_final:
        content["preview_urls"] = list(task.preview_urls)
        if task.progress is not None:
            content["progress"] = task.progress
    if task.error is not None:
        content["partial_results"] = [show(result) for result in task.partial_results]
        content["error"] = {**task.error, "message": shorten(task.error["message"])}
    return content


def _for_model(result: Result) -> dict[str, Any]:
    values: dict[str, Any] = dict(result)
    return {key: values[key] for key in _CONTENT_KEYS if key in values}


def _for_model_in_batch(result: Result) -> dict[str, Any]:
    # A song's video can be had by a look at the song itself; the result of a video task is nothing but its URL.
    left_out = _LEFT_OUT_OF_BATCH | ({"video_url"} if "audio_url" in result else set())
    return {key: value for key, value in _for_model(result).items() if key not in left_out}


def _next_step(task: Task) -> str:
    if not task.is_final:
        return _WAIT
    if task.state == "failed":
        return _PARTIAL if task.partial_results else _FAILED
    if not task.results:
        return _EMPTY
    return _DONE_WITH_FILES if _has_files(task) else _DONE


def _next_step_of(batch: TaskBatch) -> str:
    if not batch.tasks:
        return _NONE_FOUND
    if not all(task.is_final for task in batch.tasks):
        return _WAIT_FOR_BATCH
    return _ALL_FINAL_WITH_FILES if any(map(_has_files, batch.tasks)) else _ALL_FINAL


def _has_files(task: Task) -> bool:
    return any(key.endswith("_url") for result in task.results for key in result)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
