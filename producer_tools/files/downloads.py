"""Saves the files of a finished task in a directory: complete, checked, safely named, each downloaded once."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from producer_tools import telemetry
from producer_tools.concurrency.limits import Semaphore
from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.sync import sync_twin
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import AnswerError, DownloadError, ProducerError, ProducerToolError
from producer_tools.files.fetch.fetcher import MOST_AT_ONCE, FileFetcher
from producer_tools.files.fetch.part_file import PartFile, sweep
from producer_tools.files.library.finishing import finish
from producer_tools.files.library.index import Entry
from producer_tools.files.library.library import Library, Placed
from producer_tools.files.library.stems import unpack_stems
from producer_tools.files.library.wanted import Wanted, wanted_files
from producer_tools.files.renewal import Renewal
from producer_tools.files.saved import Downloads, FailedFile, SavedFile
from producer_tools.tasks.task import Task

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_TIMEOUT = 600.0
"""Seconds for the downloads of all files of a task."""

DEFAULT_DIRECTORY = Path("producer-downloads")
"""Below the current directory; made when the first file is saved."""


_directory_calls = Semaphore(4)
"""Calls that read or write a directory at the same time in this process. The other threads stay free for other calls,
such as paid ones: a large index is read in a tenth of a second, and an archive is unpacked in seconds."""


class Source(Protocol):
    """What a download needs of a client."""

    @property
    def files(self) -> FileFetcher:
        """Fetches the files."""

    def get_task(self, task_id: str) -> Coroutine[Any, Any, Task]:
        """Look up one task."""


@dataclass(frozen=True)
class _Outcome:
    """What became of one wanted file.

    Attributes:
        placed: what was saved: one file, or each file of an archive.
        failed: what could not be saved.
    """

    placed: tuple[Placed, ...] = ()
    failed: FailedFile | None = None


class Downloader:
    """Saves the files of finished tasks under their titles: ``First Day.m4a``, ``First Day.jpg``.

    The index ``songs.jsonl`` beside the files says which task and song each belongs to, so a complete file that is
    there already is not downloaded again. No file is ever overwritten, except for a damaged one of an earlier download.

    Each song and video gets tags (extra ``files``): title, lyrics, ids, cover, and that an AI has made it. It is also
    measured (extra ``sound``). Stems are unpacked.

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
        are. If the URLs of a task have expired, it is looked up once for new ones.

        Args:
            task: the task, or its id.
            timeout_seconds: how long the downloads may take in all; tagging and measuring comes after that. Files that
                are not saved by then are in ``failed``, with the code ``timeout``; another call goes on with them.

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
        may_renew = not isinstance(task, str)
        if isinstance(task, str):
            task = await self._look_up(task, timeout_seconds)
        renewal = Renewal(task, self._client.get_task if may_renew else None)
        files = wanted_files(task)
        library = Library(await in_thread(self._directory.absolute))
        await _on_disk(sweep, library.directory)
        # In one call, because a task may have thousands of files.
        wanted = await _on_disk(lambda: [library.described(file) for file in files])
        places = asyncio.Semaphore(MOST_AT_ONCE)
        saving = [asyncio.ensure_future(self._save_or_fail(file, library, places, renewal)) for file in wanted]
        try:
            await asyncio.wait(saving, timeout=max(0.0, until - time.monotonic()))
        finally:
            for one in saving:
                one.cancel()
            results = await asyncio.gather(*saving, return_exceptions=True)
        late = DownloadError("timeout", f"The file was not saved within {timeout_seconds:g} seconds.")
        outcomes = [
            _outcome(result, FailedFile(file.kind, renewal.url(file), late))
            for file, result in zip(wanted, results, strict=True)
        ]
        saved = await _finished(wanted, outcomes, library, renewal)
        failed = tuple(outcome.failed for outcome in outcomes if outcome.failed)
        return Downloads(renewal.task, saved, failed, str(library.directory))

    async def _look_up(self, task_id: str, seconds: float) -> Task:
        try:
            return await asyncio.wait_for(self._client.get_task(task_id), seconds)
        except asyncio.TimeoutError:
            message = f"The task could not be looked up within {seconds:g} seconds."
            raise AnswerError("timeout", message, task_id=task_id) from None

    async def _save_or_fail(
        self, file: Wanted, library: Library, places: asyncio.Semaphore, renewal: Renewal
    ) -> _Outcome:
        saved: list[Placed] = []
        try:
            async with places:
                if file.kind == "stems" and (stems := await _on_disk(library.find_stems, file)):
                    return _Outcome(tuple(Placed(stem, is_new=False) for stem in stems))
                saved.append(await self._save_one(file, library, renewal))
                if file.kind == "stems":
                    return _Outcome(tuple(await _on_disk(unpack_stems, library, file, saved[0].entry)))
                return _Outcome(tuple(saved))
        except ProducerToolError as error:
            return _Outcome(tuple(saved), FailedFile(file.kind, renewal.url(file), error))
        except ProducerError:
            raise  # the application is set up wrongly, which concerns every file
        except Exception as error:  # noqa: BLE001 - the URL is untrusted; what it breaks must not end the other files
            telemetry.logger.warning("A %s file could not be saved.", file.kind, exc_info=error)
            reason = f"The file could not be saved ({type(error).__name__})."  # the rest may name a path of the host
            failed = FailedFile(file.kind, renewal.url(file), DownloadError("unexpected_error", reason))
            return _Outcome(tuple(saved), failed)

    async def _save_one(self, file: Wanted, library: Library, renewal: Renewal) -> Placed:
        if (existing := await _on_disk(library.find, file)) is not None:
            return Placed(existing, is_new=False)
        part = PartFile(library.directory)
        try:
            file_type = await renewal.fetch(self._client.files, file, part)
            return await _on_disk(library.place, part, file, file_type)
        finally:
            await in_thread(part.discard)


async def _on_disk(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    async with _directory_calls.hold():
        return await in_thread(call, *args, **kwargs)


def _outcome(result: _Outcome | BaseException, late: FailedFile) -> _Outcome:
    """What became of a file whose task has ended or was cancelled."""
    if isinstance(result, asyncio.CancelledError):
        return _Outcome(failed=late)
    if isinstance(result, BaseException):
        raise result
    return result


async def _finished(
    wanted: list[Wanted], outcomes: list[_Outcome], library: Library, renewal: Renewal
) -> tuple[SavedFile, ...]:
    """The saved files, tagged and measured."""
    covers: dict[str, Entry] = {}
    for entry in [each.entry for outcome in outcomes for each in outcome.placed]:
        if entry.kind == "cover":
            covers.setdefault(entry.song, entry)

    async def one(file: Wanted, placed: Placed) -> SavedFile:
        entry = await finish(library, placed.entry, _lyrics(file), covers.get(placed.entry.song))
        if placed.is_new:
            path = library.directory / f"*{library.path(entry).suffix}"
            telemetry.saved(str(path), entry.bytes, entry.task_id)
        return _saved(file, entry, library, renewal.url(file), downloaded=placed.is_new)

    pairs = [(file, each) for file, outcome in zip(wanted, outcomes, strict=True) for each in outcome.placed]
    return tuple(await asyncio.gather(*(one(file, placed) for file, placed in pairs)))


def _lyrics(file: Wanted) -> str | None:
    return file.result.get("lyrics") or file.result.get("lyric")


def _saved(file: Wanted, entry: Entry, library: Library, url: str, *, downloaded: bool) -> SavedFile:
    result = file.result
    return SavedFile(
        kind=entry.kind,
        path=str(library.path(entry)),
        bytes=entry.bytes,
        content_type=entry.content_type,
        url=url,
        name=entry.name,
        task_id=file.task.task_id,
        audio_id=result.get("audio_id"),
        title=result.get("title"),
        model=result.get("model"),
        seed=result.get("seed"),
        prompt=result.get("sound"),
        lyrics=_lyrics(file),
        duration_seconds=file.duration_seconds,
        measured=entry.measured,
        downloaded=downloaded,
        ai_made=True,
    )
