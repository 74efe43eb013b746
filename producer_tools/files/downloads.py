"""Saves the files of a finished task in a directory: complete, checked, safely named, each downloaded once."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from producer_tools import telemetry
from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.sync import sync_twin
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import (
    AnswerError,
    DownloadError,
    NoFilesError,
    ProducerError,
    ProducerToolError,
    TaskNotFinishedError,
)
from producer_tools.files.fetching import MOST_AT_ONCE, FileFetcher
from producer_tools.files.names import UNTITLED, file_stem
from producer_tools.files.part_file import PartFile, sweep
from producer_tools.files.saved import Downloads, FailedFile, SavedFile
from producer_tools.files.types import HEAD, TYPES
from producer_tools.tasks.results import RESULT_KEYS, Kind, Result
from producer_tools.tasks.task import Task

DEFAULT_TIMEOUT = 600.0
"""Seconds for all files of a task."""

DEFAULT_DIRECTORY = Path("producer-downloads")
"""Below the current directory; made when the first file is saved."""


class Source(Protocol):
    """What a download needs of a client."""

    @property
    def files(self) -> FileFetcher:
        """Fetches the files."""

    def get_task(self, task_id: str) -> Coroutine[Any, Any, Task]:
        """Look up one task."""


@dataclass(frozen=True)
class _Wanted:
    """A file that is to be saved.

    Attributes:
        kind: what it should be.
        url: where it is.
        stem: its name without an extension.
        pattern: the stem with ``*`` in place of the title.
        result: the song that it belongs to.
    """

    kind: Kind
    url: str
    stem: str
    pattern: str
    result: Result


class Downloader:
    """Saves the files of finished tasks.

    A complete file that is there already is not downloaded again. It is recognised by its name, which holds the ids of
    its task and song; a file gets this name only when it is complete.

    Args:
        client: the `ProducerClient` that looks tasks up and fetches files.
        directory: where the files go; made when the first one is saved. Nothing is written outside it. A relative one
            is made absolute now; or at each save, if this is called in a running event loop.
    """

    def __init__(self, client: Source, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY) -> None:
        self._client = client
        self._directory = absolute_path(directory)

    async def save(self, task: Task | str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> Downloads:
        """Save every file of a finished task: audio, WAV, video, stems, cover.

        Of a failed task, the finished parts are saved, if it has any. If one file cannot be saved, the others still
        are.

        Args:
            task: the task, or its id.
            timeout_seconds: how long it may take in all. Files that are not saved by then are in ``failed``, with the
                code ``timeout``; another call goes on with them.

        Raises:
            TaskNotFinishedError: it is not final yet. Previews are never saved.
            NoFilesError: it failed, or it made no files.
            TaskNotFoundError: the service knows no such task.
            APIError, ServiceUnreachableError, AnswerError: it could not be looked up.
        """
        task_id = task if isinstance(task, str) else task.task_id
        with telemetry.operation("download", task_id=task_id) as facts:
            downloads = await self._save(task, timeout_seconds)
            facts.update(saved=len(downloads.files), failed=len(downloads.failed))
            return downloads

    save_sync = sync_twin(save)

    async def _save(self, task: Task | str, timeout_seconds: float) -> Downloads:
        until = time.monotonic() + timeout_seconds
        if isinstance(task, str):
            task = await self._look_up(task, timeout_seconds)
        wanted = _wanted(task)
        directory = await in_thread(self._directory.absolute)
        await in_thread(sweep, directory)
        places = asyncio.Semaphore(MOST_AT_ONCE)
        saving = [asyncio.ensure_future(self._save_or_fail(file, directory, places)) for file in wanted]
        try:
            await asyncio.wait(saving, timeout=max(0.0, until - time.monotonic()))
        finally:
            for one in saving:
                one.cancel()
            outcomes = await asyncio.gather(*saving, return_exceptions=True)
        files: list[SavedFile] = []
        failed: list[FailedFile] = []
        for file, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, SavedFile):
                files.append(outcome)
            elif isinstance(outcome, FailedFile):
                failed.append(outcome)
            elif isinstance(outcome, asyncio.CancelledError):
                late = DownloadError("timeout", f"The file was not saved within {timeout_seconds:g} seconds.")
                failed.append(FailedFile(file.kind, file.url, late))
            else:
                raise outcome
        return Downloads(task, tuple(files), tuple(failed))

    async def _look_up(self, task_id: str, seconds: float) -> Task:
        try:
            return await asyncio.wait_for(self._client.get_task(task_id), seconds)
        except asyncio.TimeoutError:
            message = f"The task could not be looked up within {seconds:g} seconds."
            raise AnswerError("timeout", message, task_id=task_id) from None

    async def _save_or_fail(self, file: _Wanted, directory: Path, places: asyncio.Semaphore) -> SavedFile | FailedFile:
        try:
            async with places:
                return await self._save_one(file, directory)
        except ProducerToolError as error:
            return FailedFile(file.kind, file.url, error)
        except ProducerError:
            raise  # the application is set up wrongly, which concerns every file
        except Exception as error:  # noqa: BLE001 - the URL is untrusted; what it breaks must not end the other files
            telemetry.logger.warning("A %s file could not be saved.", file.kind, exc_info=error)
            reason = f"The file could not be saved ({type(error).__name__}: {error})."
            return FailedFile(file.kind, file.url, DownloadError("unexpected_error", reason))

    async def _save_one(self, file: _Wanted, directory: Path) -> SavedFile:
        if (existing := await in_thread(_find, directory, file)) is not None:
            return existing
        part = PartFile(directory)
        try:
            file_type = await self._client.files.fetch(file.url, part, file.kind)
            path = directory / f"{file.stem}.{file_type.extension}"
            await in_thread(part.keep, path)
            telemetry.saved(str(directory / f"{file.pattern}.{file_type.extension}"), part.size)
            return _saved(file, path, part.size, file_type.content_type)
        finally:
            await in_thread(part.discard)


def _wanted(task: Task) -> list[_Wanted]:
    """The files of a task.

    Raises:
        TaskNotFinishedError: it is not final yet.
        NoFilesError: it has none.
    """
    if not task.is_final:
        raise TaskNotFinishedError(task.task_id, task.state)
    wanted = list(_files_of(task))
    if wanted:
        return wanted
    if task.error is not None:
        reason = f"The task failed and made nothing. {task.error['code']}: {task.error['message']}"
        raise NoFilesError("task_failed", reason, task_id=task.task_id, trace_id=task.trace_id)
    reason = "The task is finished and made no files; producer_get_task shows its results."
    raise NoFilesError("no_files", reason, task_id=task.task_id)


def _files_of(task: Task) -> Iterator[_Wanted]:
    """The files of a task, in the order of its record, each with a name that no other file has."""
    names: Counter[str] = Counter()
    for number, result in enumerate(task.results or task.partial_results, start=1):
        for key in RESULT_KEYS:
            url = result.get(key.name)
            if key.file is not None and isinstance(url, str):
                ids = _ids(task, number, result, url)
                # The title is left out here, because titles may differ in ways that a file system ignores.
                name = file_stem("", key.file, *ids)
                names[name] += 1
                if names[name] > 1:
                    # A final record does not change, so its second file of this name is the same one in a later run.
                    ids.append(str(names[name]))
                stem = file_stem(result.get("title", ""), key.file, *ids)
                pattern = "*" + file_stem("", key.file, *ids).removeprefix(UNTITLED)
                yield _Wanted(key.file, url, stem, pattern, result)


def _ids(task: Task, number: int, result: Result, url: str) -> list[str]:
    """What tells a file from those of other tasks and songs. A song without an id gets its number instead."""
    if task.task_id is not None:
        return [task.task_id, result.get("audio_id") or str(number)]
    return ["no-task", result.get("audio_id") or url]  # numbers are the same in every task


def _find(directory: Path, file: _Wanted) -> SavedFile | None:
    """The file, if an earlier download has saved it."""
    for file_type in TYPES[file.kind]:
        path = directory / f"{file.stem}.{file_type.extension}"
        try:
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as opened:
                size = os.fstat(opened.fileno()).st_size
                if file_type.matches(opened.read(HEAD)) and file_type.is_whole(opened, size):
                    return replace(_saved(file, path, size, file_type.content_type), downloaded=False)
        except OSError:
            continue  # a file that cannot be read is downloaded again; that attempt reports the reason
    return None


def _saved(file: _Wanted, path: Path, size: int, content_type: str) -> SavedFile:
    return SavedFile(
        kind=file.kind,
        path=str(path),
        bytes=size,
        content_type=content_type,
        url=file.url,
        audio_id=file.result.get("audio_id"),
        title=file.result.get("title"),
        duration_seconds=None if file.kind == "cover" else file.result.get("duration_seconds"),
    )
