"""From a finished task to files in a directory: whole, checked, safely named, each downloaded once."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from producer_tools.cards import downloads_card
from producer_tools.client import ProducerClient
from producer_tools.errors import DownloadError, NoFilesError, ProducerToolError, TaskNotFinishedError
from producer_tools.files.names import file_stem
from producer_tools.files.part import PartFile
from producer_tools.files.types import HEAD, TYPES, Kind, describe, detect, largest
from producer_tools.task import Result, Task

DEFAULT_DIRECTORY = Path("producer-downloads")
"""Below the current directory; made when the first file is saved."""

_MEDIA: tuple[tuple[Kind, str], ...] = (
    ("audio", "audio_url"),
    ("wav", "file_url"),
    ("video", "video_url"),
    ("stems", "stems_url"),
    ("cover", "image_url"),
)


@dataclass(frozen=True)
class SavedFile:
    """A file that is whole on the disk.

    Attributes:
        kind: ``audio``, ``wav``, ``video``, ``stems`` or ``cover``.
        path: where it is, absolute.
        bytes: its length.
        content_type: what it is by its content.
        url: where it came from.
        audio_id: of the song, where it has one.
        title: of the song, where it has one.
        duration_seconds: how long it sounds, where that is known.
        downloaded: false if it was there already.
    """

    kind: Kind
    path: str
    bytes: int
    content_type: str
    url: str
    audio_id: str | None = None
    title: str | None = None
    duration_seconds: float | None = None
    downloaded: bool = True


@dataclass(frozen=True)
class FailedFile:
    """A file that is not on the disk.

    Attributes:
        kind: what it should have been.
        url: where it should have come from.
        error: why it could not be saved.
    """

    kind: Kind
    url: str
    error: ProducerToolError


@dataclass(frozen=True)
class Downloads:
    """What became of a task's files.

    Attributes:
        task: the task, as it was looked up.
        files: those on the disk.
        failed: the others.
    """

    task: Task
    files: tuple[SavedFile, ...]
    failed: tuple[FailedFile, ...] = ()

    def _repr_html_(self) -> str:
        """The task's cards, in a notebook, playing the saved files; what could not be saved is named."""
        return downloads_card(self)


@dataclass(frozen=True)
class _Wanted:
    kind: Kind
    url: str
    stem: str
    result: Result


class Downloader:
    """Saves the files of finished tasks.

    A file that is there already, whole, is not downloaded again: its name holds the ids of its task and song, and
    nothing stands under such a name before it is whole.

    Args:
        client: what tasks are looked up and files are fetched with.
        directory: where the files go; made when the first one is saved. Nothing is written outside it.
    """

    def __init__(self, client: ProducerClient, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY) -> None:
        self._client = client
        self._directory = Path(directory)

    async def save(self, task: Task | str) -> Downloads:
        """Save every file that a finished task made: audio, WAV, video, stems, cover.

        Of a failed task the finished parts are saved, if it has any. One file that cannot be had does not keep the
        others from being saved. From sync code: ``run_sync(lambda: downloader.save(task))``.

        Args:
            task: the task, or its id.

        Raises:
            TaskNotFinishedError: it is not final yet. Previews are never saved.
            NoFilesError: it failed, or it made no files.
            TaskNotFoundError: the service knows no such task.
            APIError, ServiceUnreachableError, AnswerError: it could not be looked up.
        """
        if isinstance(task, str):
            task = await self._client.get_task(task)
        wanted = _wanted(task)
        outcomes = await asyncio.gather(*(self._save_one(file) for file in wanted), return_exceptions=True)
        files: list[SavedFile] = []
        failed: list[FailedFile] = []
        for file, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, SavedFile):
                files.append(outcome)
            elif isinstance(outcome, ProducerToolError):
                failed.append(FailedFile(file.kind, file.url, outcome))
            else:
                raise outcome
        return Downloads(task, tuple(files), tuple(failed))

    async def _save_one(self, file: _Wanted) -> SavedFile:
        directory = self._directory.absolute()
        if (there := await asyncio.to_thread(_find, directory, file)) is not None:
            return there
        part = PartFile(directory)
        try:
            await asyncio.to_thread(part.restart)
            await self._client.files.fetch(file.url, part, largest(file.kind))
            file_type = detect(file.kind, part.head)
            if file_type is None:
                raise DownloadError("wrong_content", f"The file is not what it should be: {describe(part.head)}.")
            path = directory / f"{file.stem}.{file_type.extension}"
            await asyncio.to_thread(part.keep, path)
            return _saved(file, path, part.size, file_type.content_type)
        finally:
            part.discard()


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
        why = f"The task failed and made nothing. {task.error['code']}: {task.error['message']}"
        raise NoFilesError("task_failed", why, task_id=task.task_id, trace_id=task.trace_id)
    why = "The task is finished and made no files; producer_get_task shows its results."
    raise NoFilesError("no_files", why, task_id=task.task_id)


def _files_of(task: Task) -> Iterator[_Wanted]:
    for number, result in enumerate(task.results or task.partial_results, start=1):
        for kind, key in _MEDIA:
            url = result.get(key)
            if isinstance(url, str):
                # Both ids, so that no other task's file has the name; the number stands in where a song has no id.
                ids = (task.task_id or "no-task", result.get("audio_id") or str(number))
                yield _Wanted(kind, url, file_stem(result.get("title", ""), kind, *ids), result)


def _find(directory: Path, file: _Wanted) -> SavedFile | None:
    """The file, if an earlier download has saved it."""
    for file_type in TYPES[file.kind]:
        path = directory / f"{file.stem}.{file_type.extension}"
        try:
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as there:
                if file_type.matches(there.read(HEAD)):
                    size = os.fstat(there.fileno()).st_size
                    return replace(_saved(file, path, size, file_type.content_type), downloaded=False)
        except OSError:
            continue  # what cannot be read is downloaded again, or the reason is told
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
