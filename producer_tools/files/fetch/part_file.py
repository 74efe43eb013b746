"""A file that is being downloaded. It gets its final name only when it is complete."""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from producer_tools.errors import DownloadError
from producer_tools.files.directory import disk_error
from producer_tools.files.formats.types import HEAD, FileType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy sees the module only

_PREFIX, _SUFFIX = ".producer-", ".part"
# A younger part may have been made just now and not be locked yet.
_ABANDONED_SECONDS = 3600


class PartFile:
    """A temporary file in the directory of the final one. Its methods block, so call them in a thread.

    Args:
        directory: made if it does not exist.

    Attributes:
        path: where it is, under a name that `sweep` finds.
        size: bytes written so far.
        head: the first bytes, enough to tell the type.
    """

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self.head = b""
        self._lock = threading.Lock()
        self._directory = directory
        self.path = directory / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        self._file: FileIO | None = None
        self._discarded = False

    def restart(self) -> None:
        """Make the file, or empty it to start again.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            if self._file is None:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("xb", buffering=0)
                with suppress(OSError):  # a file system without locks: `sweep` then leaves the file alone too
                    _lock(self._file.fileno())
            self._file.seek(0)
            self._file.truncate()
            self.size, self.head = 0, b""

    def write(self, data: bytes) -> None:
        """Append ``data``.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            assert self._file is not None, "restart() makes it"  # noqa: S101 - tells mypy
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self.size += len(data)
            self.head = (self.head + data)[:HEAD] if len(self.head) < HEAD else self.head

    def is_whole(self, file_type: FileType, *, knows_length: bool = True) -> bool:
        """Whether it is as long as its own header says.

        Args:
            file_type: its type.
            knows_length: whether its length was known before, and all of it arrived.

        Raises:
            DownloadError: ``no_write_access``: it cannot be read.
        """
        with self._held(), self.path.open("rb") as opened:
            ends_whole = knows_length or file_type.ends_whole(opened, self.size)
            return ends_whole and file_type.is_whole(opened, self.size)

    def keep(self, path: Path) -> None:
        """Flush the complete file to the disk and give it its final name. It takes the place of another file.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            self._flush()
            self.path.replace(path)

    def keep_unless_taken(self, path: Path) -> bool:
        """Like `keep`, but it leaves alone what has this name. It may then be called again, with another name.

        Returns:
            Whether the file has the name now.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            self._flush()
            return _rename_unless_taken(self.path, path)

    def discard(self) -> None:
        """Delete the temporary file. After `keep` this does nothing."""
        with self._lock, suppress(OSError):
            self._discarded = True
            if self._file is not None:
                self._file.close()
            self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        assert self._file is not None, "restart() makes it"  # noqa: S101 - tells mypy
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Lock the file. When a download is cancelled, its thread may still be writing."""
        with self._lock:
            if self._discarded:
                raise DownloadError("cancelled", "The download was cancelled.")
            try:
                yield
            except OSError as fault:
                raise disk_error(fault, self._directory) from fault


def sweep(directory: Path) -> None:
    """Remove parts that killed processes have left: old ones that no process holds."""
    paths: list[Path] = []
    with suppress(OSError):  # the directory cannot be read, which is reported when a file is saved in it
        paths += directory.glob(f"{_PREFIX}*{_SUFFIX}")
    for path in paths:
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS and not path.is_symlink():
                with path.open("r+b") as opened:
                    _lock(opened.fileno())
                path.unlink()


def _rename_unless_taken(source: Path, target: Path) -> bool:
    """Rename a file, unless there is something of the new name. POSIX can only replace it, so this makes a link."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            return False
        source.rename(target)
        return True
    with suppress(OSError):  # `sweep` removes it later
        source.unlink()
    return True


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed, also by the end of its process.

    Raises:
        OSError: another holds it, or the file system has no locks.
    """
    if fcntl is not None:  # Windows deletes no file that is open
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
