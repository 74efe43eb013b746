"""The index of a download directory: ``songs.jsonl``, one line of JSON for each step of a saved file.

A file has a line with the state ``reserved`` before it gets its name, and one with the state ``saved`` when it is
finished; the last line of a file counts. Lines are only ever added, each with one write, under a lock and synced to the
disk, so a process that is killed can damage at most its own line. Nothing in the file is trusted: what is no valid line
is skipped, and a name in it is never a path.
"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Literal
from weakref import WeakValueDictionary

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import DownloadError
from producer_tools.files.audio.measured import Measured
from producer_tools.files.directory import disk_error
from producer_tools.files.library.names import comparable
from producer_tools.tasks.results import Kind

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy sees the module only

INDEX_NAME = "songs.jsonl"

_LONGEST_LINE = 256 * 1024
# A link could lead anywhere, and opening a pipe would wait for its other end.
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FILE = {errno.EISDIR, errno.ELOOP, errno.ENXIO}  # a directory, a link, a pipe that nobody reads
_BINARY = getattr(os, "O_BINARY", 0)
# JSON allows them in a text, and many programs take them for the end of a line.
_OTHER_LINE_BREAKS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}


def _is_no_path(name: str) -> str:
    if not name or name.startswith(".") or set(name) & set("/\\:\0"):
        raise ValueError("a name, and not a path, is needed")
    return name


def song_of(audio_id: str | None, task_id: str | None, number: int) -> str:
    """What tells a song from all others: its id, or its place in the task that made it."""
    return audio_id or f"{task_id}#{number}"


class Entry(BaseModel):
    """What the index says of one file.

    Attributes:
        state: ``reserved``: the name belongs to this file, which may not be there yet. ``saved``: it is finished.
        key: tells the file from all others; see `producer_tools.files.library.wanted.Wanted`.
        name: of the file.
        kind: what it is.
        content_type: its media type.
        bytes: its length.
        task_id: of the task that made it.
        result: the place of the song in its task, from 1.
        audio_id: of the song.
        title: of the song.
        model: that made the song.
        seed: that the song was made with.
        prompt: that the song was made from.
        created: the day on which the task was made.
        links_until: the last day on which the service has the file.
        ai_made: always true.
        duration_seconds: the length, as the service reports it.
        tagged: whether the file has its tags.
        measured: what was measured of it.
        unpacked: of a stems archive whose files are saved: their keys.
        refused: of a stems archive that is not unpacked: why.
    """

    model_config = ConfigDict(frozen=True)

    state: Literal["reserved", "saved"]
    key: str
    name: Annotated[str, AfterValidator(_is_no_path)]
    kind: Kind
    content_type: str
    bytes: int
    task_id: str | None = None
    result: int = 1
    audio_id: str | None = None
    title: str | None = None
    model: str | None = None
    seed: str | None = None
    prompt: str | None = None
    created: str | None = None
    links_until: str | None = None
    ai_made: Literal[True] = True
    duration_seconds: float | None = None
    tagged: bool = False
    measured: Measured | None = None
    unpacked: tuple[str, ...] | None = None
    refused: str | None = None

    @property
    def song(self) -> str:
        """The same for all files of a song."""
        return song_of(self.audio_id, self.task_id, self.result)

    @property
    def stem(self) -> str:
        """The name without the extension."""
        return self.name.rpartition(".")[0]


class Index:
    """Reads and writes the index of a directory. Its methods block, and any thread may call them.

    Args:
        directory: it need not exist yet.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / INDEX_NAME
        self._lock = threading.RLock()
        self._file_read: os.stat_result | None = None
        self._forget()

    def get(self, key: str) -> Entry | None:
        """What is known of a file.

        Raises:
            DownloadError: ``no_write_access``: the index cannot be read, or there is something else in its place.
        """
        with self._lock, self._faults():
            self._read_new_lines()
            return self._entry(key)

    def of_song(self, song: str, kind: Kind) -> Entry | None:
        """The newest file of this kind that a song has.

        Args:
            song: as `Entry.song` names it.
            kind: what the file is.

        Raises:
            DownloadError: ``no_write_access``: as for `get`.
        """
        with self._lock, self._faults():
            self._read_new_lines()
            return self._entry(self._of_songs.get((song, kind)))

    @contextmanager
    def changing(self) -> Iterator[Callable[[Entry], None]]:
        """Keep others from changing the index during the block, which gets a function that adds a line.

        Without locks (Windows, some network file systems), only other threads with the same object are kept out:
        two processes may then write two lines for one file, and the later one counts.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._lock, self._faults():
            file = _open_safely(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY)
            try:
                _check_regular(file)
                _lock(file, "LOCK_EX")
                self._read_new_lines()
                yield lambda entry: self._add(file, entry)
            finally:
                _lock(file, "LOCK_UN")  # closing does not unlock it if a process was forked meanwhile
                os.close(file)

    def owner_of_name(self, name: str) -> str | None:
        """The key of the file that a name belongs to."""
        return self._names.get(comparable(name))

    def owner_of_stem(self, stem: str) -> str | None:
        """The song whose files have this name, whatever their extension."""
        return self._stems.get(comparable(stem))

    def stem_of(self, song: str) -> str | None:
        """The name that the other files of a song have."""
        return self._songs.get(song)

    def _add(self, file: int, entry: Entry) -> None:
        line = entry.model_dump_json(exclude_none=True).translate(_OTHER_LINE_BREAKS).encode() + b"\n"
        size = os.fstat(file).st_size
        if size:
            os.lseek(file, size - 1, os.SEEK_SET)
            if os.read(file, 1) != b"\n":
                line = b"\n" + line  # the last writer was killed in the middle of its line
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
        self._read_new_lines()

    def _read_new_lines(self) -> None:
        """Read what was added since the last time; everything if it is another file now."""
        try:
            with open(self._path, "rb", opener=_open_safely) as file:
                status = _check_regular(file.fileno())
                if not self._is_the_same(file, status):
                    self._forget()
                if status.st_size > self._read_to:
                    file.seek(self._read_to)
                    self._read_lines(file)
                self._file_read = status
        except FileNotFoundError:
            self._forget()

    def _is_the_same(self, file: BufferedReader, status: os.stat_result) -> bool:
        """Whether lines were only added since the last time. An editor may also write into the same file."""
        before = self._file_read
        if before is None or (status.st_dev, status.st_ino) != (before.st_dev, before.st_ino):
            return False
        if status.st_size <= before.st_size:
            return (status.st_size, status.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        file.seek(self._read_to - len(self._last_line))
        return file.read(len(self._last_line)) == self._last_line

    def _read_lines(self, file: BufferedReader) -> None:
        is_rest = False  # of a line that is too long
        while line := file.readline(_LONGEST_LINE):
            is_end = line.endswith(b"\n")
            if not is_end and len(line) < _LONGEST_LINE:
                # Still being written or torn, and then no JSON; or whole, after an editor has removed the line break.
                self._learn(line)
                return
            if is_end and not is_rest:
                self._learn(line)
            is_rest = not is_end
            self._read_to += len(line)
            self._last_line = line

    def _learn(self, line: bytes) -> None:
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            return  # damaged, or of a later version
        self._lines[entry.key] = line
        self._names[comparable(entry.name)] = entry.key
        self._stems[comparable(entry.stem)] = entry.song
        self._of_songs[entry.song, entry.kind] = entry.key
        if entry.kind != "stem":
            self._songs[entry.song] = entry.stem

    def _entry(self, key: str | None) -> Entry | None:
        line = self._lines.get(key) if key else None
        return None if line is None else Entry.model_validate_json(line)

    def _forget(self) -> None:
        self._read_to = 0
        self._last_line = b""
        self._file_read = None
        self._lines: dict[str, bytes] = {}  # as objects, they would take three times the memory
        self._of_songs: dict[tuple[str, Kind], str] = {}
        self._names: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._songs: dict[str, str] = {}

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise _no_file() if fault.errno in _NO_FILE else disk_error(fault, self._directory) from fault


def _open_safely(path: str | os.PathLike[str], flags: int) -> int:
    """Open what is no link, and never wait. Whether it is a file is to be checked then."""
    return os.open(path, flags | _SAFELY, 0o666)


def _lock(file: int, operation: Literal["LOCK_EX", "LOCK_UN"]) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, getattr(fcntl, operation))


_in_use: WeakValueDictionary[Path, Index] = WeakValueDictionary()


@lru_cache(maxsize=8)
def index_of(directory: Path) -> Index:
    """The index of a directory, the same for all who use it: it is read once, and then only what was added.

    It takes a few kilobytes of memory for each file that it knows. Only the last eight are kept when nobody uses them.
    """
    with shared_state:
        return _in_use.setdefault(directory, Index(directory))


def _reset_after_fork() -> None:
    """Start afresh in a forked child: a thread that it does not have may have held the lock of an index."""
    index_of.cache_clear()
    _in_use.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def _check_regular(file: int) -> os.stat_result:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise _no_file()
    return status


def _no_file() -> DownloadError:
    return DownloadError("no_write_access", f"{INDEX_NAME} is not a file. Rename it, so that files can be saved.")
