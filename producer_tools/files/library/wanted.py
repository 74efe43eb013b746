"""The files of a task that are to be saved."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import cast

from producer_tools.errors import NoFilesError, TaskNotFinishedError
from producer_tools.files.formats.types import FileType
from producer_tools.files.library.index import Entry, song_of
from producer_tools.files.library.names import readable_name, short_id
from producer_tools.http.safe_text import LONGEST_ID, safe_text
from producer_tools.tasks.display import iso_date
from producer_tools.tasks.results import LONGEST_DESCRIPTION, LONGEST_LINE, RESULT_KEYS, Kind, Result
from producer_tools.tasks.task import Task

_LONGEST_MEMBER = 20  # characters of a stem's own name, such as "vocals"; a file name has at most 255 bytes


@dataclass(frozen=True)
class Wanted:
    """A file that is to be saved.

    Attributes:
        kind: what it should be.
        url: where it is.
        key: tells it from all other files. The same file has the same key in a later run.
        stem: the name that it should have, without an extension.
        number: the place of its song in the task, from 1.
        is_identified: whether the ids in its tags tell it from all other files of its kind.
        task: the task that made it.
        result: the song that it belongs to.
    """

    kind: Kind
    url: str
    key: str
    stem: str
    number: int
    is_identified: bool
    task: Task
    result: Result

    @property
    def short_id(self) -> str:
        """Tells it from files with the same title."""
        return short_id(self.result.get("audio_id"), self.task.task_id, self.key)

    @property
    def song(self) -> str:
        """The song that it belongs to, as `Entry.song` names it."""
        audio_id, task_id = self.result.get("audio_id"), self.task.task_id
        return song_of(_safe(audio_id, LONGEST_ID), _safe(task_id, LONGEST_ID), self.number)

    @property
    def duration_seconds(self) -> float | None:
        """The length, as the service reports it; a cover has none."""
        return None if self.kind == "cover" else self.result.get("duration_seconds")

    def entry(self, name: str, file_type: FileType, size: int) -> Entry:
        """What the index says of it when its name is reserved."""
        result = self.result
        return Entry(
            state="reserved",
            key=self.key,
            name=name,
            kind=self.kind,
            content_type=file_type.content_type,
            bytes=size,
            task_id=_safe(self.task.task_id, LONGEST_ID),
            result=self.number,
            audio_id=_safe(result.get("audio_id"), LONGEST_ID),
            title=_safe(result.get("title"), LONGEST_LINE),
            model=_safe(result.get("model"), LONGEST_ID),
            seed=_safe(result.get("seed"), LONGEST_ID),
            prompt=_safe(result.get("sound"), LONGEST_DESCRIPTION),
            created=iso_date(self.task.created_at),
            links_until=self.task.links_until,
            duration_seconds=self.duration_seconds,
        )

    def described_by(self, song: Entry) -> "Wanted":
        """The file with what the index says of its song. The result of a video or a WAV file names little of it.

        Args:
            song: the audio file of the same song.
        """
        names = {"title": song.title, "model": song.model, "seed": song.seed, "sound": song.prompt}
        known = cast("Result", {name: text for name, text in names.items() if text is not None})
        result: Result = {**known, **self.result}
        return replace(self, result=result, stem=readable_name(result.get("title") or ""))

    def stem_file(self, member: str) -> "Wanted":
        """One file of this stems archive.

        Args:
            member: its name in the archive.
        """
        name = readable_name(PurePosixPath(member).stem[:_LONGEST_MEMBER])
        return Wanted(
            kind="stem",
            url=self.url,
            key=_key(self.key, member),
            stem=f"{self.stem} ({name})",
            number=self.number,
            is_identified=False,
            task=self.task,
            result=self.result,
        )


def wanted_files(task: Task) -> list[Wanted]:
    """The files of a task, in the order of its record.

    Raises:
        TaskNotFinishedError: it is not final yet.
        NoFilesError: it has none.
    """
    if not task.is_final:
        raise TaskNotFinishedError(task.task_id, task.state)
    files = list(_files_of(task))
    if files:
        return files
    if task.error is not None:
        reason = f"The task failed and made nothing. {task.error['code']}: {task.error['message']}"
        raise NoFilesError("task_failed", reason, task_id=task.task_id, trace_id=task.trace_id)
    reason = "The task is finished and made no files; producer_get_task shows its results."
    raise NoFilesError("no_files", reason, task_id=task.task_id)


def _files_of(task: Task) -> Iterator[Wanted]:
    results = [_of_song(task, result) for result in task.results or task.partial_results]
    songs = Counter(result.get("audio_id") for result in results)
    seen: Counter[tuple[str, str]] = Counter()
    for number, result in enumerate(results, start=1):
        audio_id = result.get("audio_id")
        for key in RESULT_KEYS:
            url = result.get(key.name)
            if key.file is None or not isinstance(url, str):
                continue
            # A song without an id is known by its number; in a task without an id, that is the same in every task.
            song = f"id {audio_id}" if audio_id else f"number {number}" if task.task_id else url
            seen[song, key.name] += 1
            yield Wanted(
                kind=key.file,
                url=url,
                # A final record does not change, so the second file of a song is the same one in a later run.
                key=_key(task.task_id or "", song, key.name, str(seen[song, key.name])),
                stem=readable_name(result.get("title") or ""),
                number=number,
                is_identified=None not in (task.task_id, audio_id) and songs[audio_id] == 1,
                task=task,
                result=result,
            )


def _of_song(task: Task, result: Result) -> Result:
    """The result with the id of its song: a video, a WAV file and stems belong to the song that they were made from."""
    if task.source_audio_id is None or "audio_id" in result or "audio_url" in result:
        return result
    return {**result, "audio_id": task.source_audio_id}


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def _safe(text: str | None, longest: int) -> str | None:
    return None if text is None else safe_text(text, longest)
