"""What a tool returns: compact JSON content for the model, and an artifact that holds everything."""

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from producer_tools.errors import DownloadError
from producer_tools.errors.base import shorten
from producer_tools.files.library.archive import UNSAFE
from producer_tools.files.saved import Downloads
from producer_tools.tasks.failures import failed_by_service
from producer_tools.tasks.results import RESULT_KEYS, Result, has_files
from producer_tools.tasks.task import STUCK, State, Task, TaskBatch
from producer_tools.tools.file_facts import file_values, measured_facts

Output = tuple[str, dict[str, Any]]
"""LangChain's ``content_and_artifact``: JSON text for the model, a JSON-able dict for the application."""

_SHOWN = tuple(key.name for key in RESULT_KEYS if key.shown != "never")
# A batch may hold fifty songs, and a model pays for each character.
_SHOWN_IN_BATCH = tuple(key.name for key in RESULT_KEYS if key.shown == "always")
_SHOWN_OF_FILE = ("kind", "bytes", "audio_id", "title", "duration_seconds")

_WAIT = "Not finished. Call producer_wait_for_tasks (or producer_get_task) with this task_id. Do not submit again."
_KEEP = "Keep the results so far for the user. "
_WAIT_FOR_BATCH = "Call producer_wait_for_tasks with the unfinished task ids: nothing is lost. Do not submit again."
_PREVIEWS = " preview_urls are no results."
_DONE = "Finished. Give the results to the user; nothing is left to do."
_DONE_WITH_FILES = (
    "Finished. Give the results to the user; to save the files, call producer_download_results with this task_id."
)
_EMPTY = (
    "Finished, but the service made nothing, and may have charged for it: tell the user. Do not submit again unless "
    "the user agrees."
)
_FAILED = "Failed; failed tasks are generally not charged. Tell the user why, or submit once more with other arguments."
_SERVICE_FAILED = (
    "Failed because the service could not do it; failed tasks are generally not charged. Do not submit again now: stop "
    "and tell the user that the service may be down."
)
_PARTIAL = (
    "Failed in part; failed tasks are generally not charged. Give partial_results, which are finished, to the user and "
    "say why the rest failed. Do not submit again unless the user agrees."
)
_STUCK = (
    "Not finished after ten minutes, but it may still finish and be charged: tell the user. Do not submit again unless "
    "the user agrees; producer_get_task shows later whether it has finished."
)
_NONE_FOUND = "None of these tasks exists: check the ids, or tell the user. Do not ask for them again."
_ALL_DONE = "All finished. Give the results to the user; nothing is left to do."
_ALL_DONE_WITH_FILES = (
    "All finished. Give the results to the user; to save the files, call producer_download_results with each task_id."
)
_GIVE_FINISHED = "Give the finished results to the user, and say what became of the other tasks."
_SAVE_FINISHED = " To save the files, call producer_download_results with each finished task_id."
_SOME_NOT_FOUND = " The tasks in not_found do not exist: check the ids, or tell the user. Do not ask for them again."

_SAVED = "Saved. Tell the user the paths; nothing is left to do."
_SAVED_IN_PART = "Failed in part, but this is finished and saved. Tell the user the paths, and why the rest failed."
_UNSAFE = (
    "Saved, but a stems archive stays packed. Tell the user the paths, and why. Calling again changes nothing; nothing "
    "is left to do."
)
_SOME_MISSING = (
    "Some files are missing. Call producer_download_results again with this task_id: what is saved is kept. If they "
    "fail again, tell the user why, and the paths of the others."
)


def task_output(task: Task) -> Output:
    """The content and the artifact of one task."""
    return compact_json({**_content(task, _single), "next_step": _next_step(task)}), task_artifact(task)


def batch_output(batch: TaskBatch) -> Output:
    """The content, some 400 characters for each song, and the artifact of several tasks."""
    counts = dict.fromkeys(get_args(State), 0)
    for task in batch.tasks:
        counts[task.state] += 1
    common = {
        "counts": {**counts, "not_found": len(batch.not_found)},
        "not_found": list(batch.not_found),
        "next_step": _next_step_of(batch),
    }
    content = {"tasks": [_content(task, _in_batch) for task in batch.tasks], **common}
    return compact_json(content), {"tasks": [task_artifact(task) for task in batch.tasks], **common}


def downloads_output(downloads: Downloads, *, listen: bool = False) -> Output:
    """The content and the artifact of a task's saved files.

    Args:
        downloads: the task and its files.
        listen: whether the content says what was measured of the audio, and the artifact says that it may be heard.

    Raises:
        DownloadError: no file could be saved.
    """
    if not downloads.files:
        raise _nothing_saved(downloads)
    task, next_step = downloads.task, _next_step_of_downloads(downloads)
    files = [file_values(file) for file in downloads.files]
    failed = [{"kind": file.kind, "code": file.error.code, "message": file.error.message} for file in downloads.failed]
    content: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state,
        "success": bool(task.success) and not failed,
        "files": [_file(file, listen=listen) for file in files],
        **({"failed": failed} if failed else {}),
        **_error(task),
        "next_step": next_step,
    }
    artifact = {
        **task_artifact(task),
        "directory": downloads.directory,
        "files": files,
        "failed": [{**each, "url": file.url} for each, file in zip(failed, downloads.failed, strict=True)],
        "next_step": next_step,
        **({"listen": True} if listen else {}),
    }
    return compact_json(content), artifact


def task_artifact(task: Task) -> dict[str, Any]:
    """Everything that is known of a task, as JSON values, since a checkpointer restores nothing else.

    It holds copies: those who look a task up at the same time share it, and one of them may change its artifact.
    """
    return {
        **vars(task),
        "results": [{**result} for result in task.results],
        "preview_urls": list(task.preview_urls),
        "partial_results": [{**result} for result in task.partial_results],
        "error": None if task.error is None else {**task.error},
        "success": task.success,
        "links_until": task.links_until,
        "next_step": _next_step(task),
    }


def _content(task: Task, show: Callable[[Result], dict[str, Any]]) -> dict[str, Any]:
    """The keys that a model reads. Which keys there are depends only on the state."""
    content: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state,
        "success": task.success,
        "results": [show(result) for result in task.results],
    }
    if task.state == "complete" and task.links_until is not None:
        content["links_until"] = task.links_until
    if not task.is_final:
        content["preview_urls"] = list(task.preview_urls)
        if task.progress is not None:
            content["progress"] = task.progress
    if task.error is not None:
        content["partial_results"] = [show(result) for result in task.partial_results]
    if task.note is not None:
        content["note"] = shorten(task.note)
    return {**content, **_error(task)}


def _error(task: Task) -> dict[str, Any]:
    return {} if task.error is None else {"error": {**task.error, "message": shorten(task.error["message"])}}


def _file(file: dict[str, Any], *, listen: bool) -> dict[str, Any]:
    """What a model reads of a file. It gets no path of the host, but that below the directory of the downloads."""
    return {**_select(file, _SHOWN_OF_FILE), "path": file["name"], **measured_facts(file, loudness=listen)}


def _single(result: Result) -> dict[str, Any]:
    return _select(result, _SHOWN)


def _in_batch(result: Result) -> dict[str, Any]:
    shown = _select(result, _SHOWN_IN_BATCH)
    if "audio_url" in shown:
        shown.pop("video_url", None)  # a model that wants a song's video looks the song up
    return shown


def _select(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) is not None}


def _next_step(task: Task) -> str:
    if not task.is_final:
        return (_STUCK if task.is_overdue else _WAIT) + (_PREVIEWS if task.preview_urls else "")
    if task.error is not None and task.error["code"] == STUCK:
        return _STUCK
    if task.state == "failed":
        without_results = _SERVICE_FAILED if failed_by_service(task) else _FAILED
        return _PARTIAL if task.partial_results else without_results
    if not task.results:
        return _EMPTY
    return _DONE_WITH_FILES if has_files(task.results) else _DONE


def _next_step_of(batch: TaskBatch) -> str:
    if not batch.tasks:
        return _NONE_FOUND
    return _next_step_of_found(batch.tasks) + (_SOME_NOT_FOUND if batch.not_found else "")


def _next_step_of_found(tasks: tuple[Task, ...]) -> str:
    if not all(task.is_final or task.is_overdue for task in tasks):
        keep = _KEEP if any(task.results or task.partial_results for task in tasks) else ""
        previews = _PREVIEWS if any(task.preview_urls for task in tasks) else ""
        return f"Not all finished. {keep}{_WAIT_FOR_BATCH}{previews}"
    if len(tasks) == 1:
        return _next_step(tasks[0])
    is_any_saveable = any(has_files(task.results) for task in tasks)
    if others := [task for task in tasks if not task.results]:
        steps = list(dict.fromkeys(_next_step(task) for task in others))
        if len(others) < len(tasks):
            steps.insert(0, _GIVE_FINISHED + (_SAVE_FINISHED if is_any_saveable else ""))
        return " ".join(steps)
    return _ALL_DONE_WITH_FILES if is_any_saveable else _ALL_DONE


def _next_step_of_downloads(downloads: Downloads) -> str:
    if downloads.failed:
        return _UNSAFE if all(each.error.code == UNSAFE for each in downloads.failed) else _SOME_MISSING
    return _SAVED_IN_PART if downloads.task.error is not None else _SAVED


def _nothing_saved(downloads: Downloads) -> DownloadError:
    """The error for a task of which no file could be saved. If all files have the same reason, it has that code."""
    errors = [failed.error for failed in downloads.failed]
    codes = {error.code for error in errors}
    reasons = dict.fromkeys(f"{failed.kind}: {failed.error.message.rstrip('.')}" for failed in downloads.failed)
    return DownloadError(
        codes.pop() if len(codes) == 1 else "download_failed",
        f"No file was saved. {'; '.join(reasons)}.",
        task_id=downloads.task.task_id,
    )


def compact_json(value: dict[str, Any]) -> str:
    """JSON without spaces, and with every script as it is: a model pays for each character."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
