"""The tool that saves what a task made. It costs nothing."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from producer_tools import requests
from producer_tools.downloads import DEFAULT_DIRECTORY, Downloader, Downloads
from producer_tools.errors import DownloadError, shorten
from producer_tools.output import Output, task_artifact
from producer_tools.requests import TASKS
from producer_tools.tools.base import ProducerTool

_SAVED = "Saved. Tell the user the paths; nothing is left to do."
_SAVED_IN_PART = "Failed in part, but this is finished and saved. Tell the user the paths, and why the rest failed."
_SOME_MISSING = (
    "Some files are missing. Call producer_download_results again with this task_id: what is saved is kept. If they "
    "fail again, tell the user."
)
_OF_A_FILE = ("kind", "path", "bytes", "audio_id", "title", "duration_seconds")


class ProducerDownloadResults(ProducerTool):
    """The files of a finished task, saved into the application's directory.

    Args:
        directory: where they go; default ``./producer-downloads``. It is made when it is first needed, and a model
            cannot choose another.
    """

    endpoint = TASKS

    name: str = "producer_download_results"
    description: str = (
        "Save everything a finished task made (audio, WAV, video, stems, cover) as files, and get their paths. Use it "
        "when the user wants files, or before URLs expire. Only for state complete with success true: previews are "
        "refused. Files already saved are not downloaded again."
    )
    args_schema: type[BaseModel] = requests.GetTask
    directory: Path = Field(default=DEFAULT_DIRECTORY, exclude=True)

    async def answer(self, request: requests.GetTask) -> Output:
        """Save the files."""
        downloads = await Downloader(self.client, self.directory).save(request.task_id)
        if not downloads.files:
            raise _nothing_saved(downloads)
        return _content(downloads), _artifact(downloads)


def _content(downloads: Downloads) -> str:
    task = downloads.task
    content: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state,
        "success": bool(task.success) and not downloads.failed,
        "files": [
            {key: value for key, value in asdict(file).items() if key in _OF_A_FILE and value is not None}
            for file in downloads.files
        ],
    }
    if downloads.failed:
        content["failed"] = _failed(downloads)
    if task.error is not None:
        content["error"] = {**task.error, "message": shorten(task.error["message"])}
    content["next_step"] = _next_step(downloads)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _artifact(downloads: Downloads) -> dict[str, Any]:
    """Everything that is known, as JSON-able values."""
    urls = [{"url": failed.url} for failed in downloads.failed]
    return {
        **task_artifact(downloads.task),
        "files": [asdict(file) for file in downloads.files],
        "failed": [{**told, **url} for told, url in zip(_failed(downloads), urls, strict=True)],
        "next_step": _next_step(downloads),
    }


def _failed(downloads: Downloads) -> list[dict[str, str]]:
    return [
        {"kind": failed.kind, "code": failed.error.code, "message": failed.error.message} for failed in downloads.failed
    ]


def _next_step(downloads: Downloads) -> str:
    if downloads.failed:
        return _SOME_MISSING
    return _SAVED_IN_PART if downloads.task.error is not None else _SAVED


def _nothing_saved(downloads: Downloads) -> DownloadError:
    """The error for a task of which no file could be saved: its own reason, where all files have the same."""
    errors = [failed.error for failed in downloads.failed]
    codes = {error.code for error in errors}
    reasons = "; ".join(dict.fromkeys(f"{failed.kind}: {failed.error.message}" for failed in downloads.failed))
    return DownloadError(
        codes.pop() if len(codes) == 1 else "download_failed",
        f"No file was saved. {reasons}",
        task_id=downloads.task.task_id,
    )
