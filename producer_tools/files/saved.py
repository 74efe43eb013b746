"""What became of a task's files: those that are on the disk, and those that could not be saved."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from producer_tools.errors import ProducerToolError
from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.files.audio.measured import Measured
from producer_tools.files.audio.measuring import measure
from producer_tools.files.audio.tags import Tags, read_tags
from producer_tools.files.formats.types import HEAD, TYPES
from producer_tools.tasks.display import count, minutes, quote, to_html, write_html
from producer_tools.tasks.results import Kind
from producer_tools.tasks.task import Task

_SECONDS_OFF = 2.0
"""By how much a whole file may be shorter than the service says: encoders pad, and services round."""


@dataclass(frozen=True)
class SavedFile:
    """A complete file on the disk.

    Attributes:
        kind: ``audio``, ``wav``, ``video``, ``stems``, ``stem`` or ``cover``.
        path: its absolute path.
        bytes: its length.
        content_type: its media type, by its content.
        url: where it was downloaded from; ``None`` if that is not known.
        name: its file name.
        task_id: of the task that made it, if it is known.
        audio_id: of the song, if it has one.
        title: of the song, if it has one.
        model: that made the song.
        seed: that the song was made with.
        prompt: that the song was made from.
        lyrics: of the song.
        duration_seconds: length of the audio, as the service reports it.
        measured: what was measured of the audio in this file; ``None`` if nothing was.
        downloaded: false if the file was there already.
        ai_made: whether an AI has made it: true of what the service has made, and of a file that says so in its tags.
    """

    kind: Kind
    path: str
    bytes: int
    content_type: str
    url: str | None = None
    name: str = ""
    task_id: str | None = None
    audio_id: str | None = None
    title: str | None = None
    model: str | None = None
    seed: str | None = None
    prompt: str | None = None
    lyrics: str | None = None
    duration_seconds: float | None = None
    measured: Measured | None = None
    downloaded: bool = True
    ai_made: bool = False

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> "SavedFile":
        """What a file says of itself: its kind, its tags (extra ``files``) and its measurements (extra ``sound``).

        It blocks. A link is followed. An MP4 file is a ``video`` if its name ends in ``.mp4``, else ``audio``; a WAV
        file is always ``wav``. The index ``songs.jsonl`` is not read. Of a file without this package's own tags, title
        and lyrics are read, and whether its comment says that an AI has made it.

        Args:
            path: a song, video, cover or stems archive.

        Raises:
            InvalidArgumentError: there is no file, it is no media file, or it is cut off.
        """
        place = Path(path).absolute()
        kind, content_type, size = _look_into(place)
        tags = (None if kind in ("cover", "stems") else read_tags(place, of_anyone=True)) or Tags(ai_made=False)
        return cls(
            kind=kind,
            path=str(place),
            bytes=size,
            content_type=content_type,
            name=place.name,
            **asdict(tags),
            measured=None if kind in ("cover", "stems") else measure(place),
            downloaded=False,
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the audio, as `Measured.findings`, and whether it is shorter than the service says."""
        if self.measured is None:
            return ()
        found, seconds = self.measured.findings, self.measured.duration_seconds
        if not seconds or self.duration_seconds is None or seconds >= self.duration_seconds - _SECONDS_OFF:
            return found
        return (*found, f"shorter than the service says: {seconds:.1f} s in place of {self.duration_seconds:.1f} s")

    def __repr__(self) -> str:
        """One line: ``SavedFile(audio, 'First Day.m4a', 2,163 kB, 2:15)``."""
        facts = [self.kind, repr(self.name or self.path), f"{self.bytes / 1000:,.0f} kB"]
        facts += [] if self.duration_seconds is None else [minutes(self.duration_seconds)]
        return f"SavedFile({', '.join(facts)})"


@dataclass(frozen=True)
class FailedFile:
    """A file that could not be saved.

    Attributes:
        kind: what it should have been.
        url: where it should have come from.
        error: why it could not be saved.
    """

    kind: Kind
    url: str
    error: ProducerToolError

    def __repr__(self) -> str:
        """One line: ``FailedFile(cover, 'disk_full: There is no room left.')``."""
        return f"FailedFile({self.kind}, {quote(f'{self.error.code}: {self.error.message}')})"


@dataclass(frozen=True)
class Downloads:
    """What became of a task's files.

    Attributes:
        task: the task, as it was looked up.
        files: the files on the disk.
        failed: the files that could not be saved.
        directory: the absolute path of the directory that the files' names are relative to.
    """

    task: Task
    files: tuple[SavedFile, ...]
    failed: tuple[FailedFile, ...] = ()
    directory: str = ""

    def __repr__(self) -> str:
        """One line: ``Downloads('1a6a…', complete, 2 files, 1 not saved)``. ``files`` has a line for each."""
        failed = f", {len(self.failed)} not saved" if self.failed else ""
        return f"Downloads({self.task.task_id!r}, {self.task.state}, {count(len(self.files), 'file')}{failed})"

    def _repr_html_(self) -> str:
        """In a notebook: the task's cards, which play the saved files, and the files that could not be saved."""
        return to_html(self)

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> Path:
        """Write an HTML page that plays these songs offline: `producer_tools.notebook.write_page`. It blocks.

        Args:
            path: of the page, such as ``album.html``. A file that is there is replaced.
            title: of the page; the song's title, if it is not given.

        Returns:
            The absolute path of the page.

        Raises:
            InvalidArgumentError: ``path`` is a directory, or there is no song.
            DownloadError: the page cannot be written.
        """
        return write_html(self, path, title)


def _look_into(path: Path) -> tuple[Kind, str, int]:
    """The kind of a complete media file, its media type, and its length in bytes."""
    try:
        if not path.is_file():  # a directory, or a pipe, which would be waited for
            raise InvalidArgumentError({"path": f"there is no file {path}"})
        with path.open("rb") as file:
            size, head = os.fstat(file.fileno()).st_size, file.read(HEAD)
            left_out = ("stem",) if path.suffix.lower() == ".mp4" else ("stem", "video")
            kinds = [(kind, types) for kind, types in TYPES.items() if kind not in left_out]
            found = [(kind, each) for kind, types in kinds for each in types if each.matches(head)]
            if not found:
                raise InvalidArgumentError(
                    {"path": f"this is no M4A, MP3, WAV or MP4 file, cover or stems archive: {path}"}
                )
            kind, file_type = found[-1]  # a video, or a WAV file, is of the kind "audio" too
            if not file_type.is_whole(file, size):
                raise InvalidArgumentError({"path": f"this file is cut off: {path}"})
            return kind, file_type.content_type, size
    except OSError as fault:
        raise InvalidArgumentError({"path": f"this file cannot be read ({fault.strerror or fault}): {path}"}) from fault
