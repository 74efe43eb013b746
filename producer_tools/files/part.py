"""A file that is being written: nobody sees it under its name before it is whole."""

import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from producer_tools.errors import DownloadError
from producer_tools.files.types import HEAD

_PREFIX, _SUFFIX = ".producer-", ".part"
# A download writes every minute or is given up; what is an hour old was left by a process that was killed.
_ABANDONED_SECONDS = 3600
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota of its own


class PartFile:
    """A temporary file in the directory where it is to stay. Its methods block: call them in a thread.

    Args:
        directory: made if it is not there.

    Attributes:
        size: bytes written so far.
        head: the first of them.
    """

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self.head = b""
        self._lock = threading.Lock()
        self._directory = directory
        self._path = directory / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        self._file: FileIO | None = None
        self._discarded = False

    def restart(self) -> None:
        """Make the file, or begin it anew: nothing is written yet.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            if self._file is None:
                self._directory.mkdir(parents=True, exist_ok=True)
                _sweep(self._directory)
                self._file = self._path.open("xb", buffering=0)
            self._file.seek(0)
            self._file.truncate()
            self.size, self.head = 0, b""

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            assert self._file is not None, "restart() makes it"  # noqa: S101
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self.size += len(data)
            self.head = (self.head + data)[:HEAD] if len(self.head) < HEAD else self.head

    def keep(self, path: Path) -> None:
        """Give the file its name, now that it is whole and safely on the disk.

        Raises:
            DownloadError: ``no_write_access`` or ``disk_full``.
        """
        with self._held():
            assert self._file is not None, "restart() makes it"  # noqa: S101
            os.fsync(self._file.fileno())
            self._file.close()
            self._path.replace(path)

    def discard(self) -> None:
        """Leave nothing behind; after `keep` there is nothing to leave."""
        with self._lock, suppress(OSError):
            self._discarded = True
            if self._file is not None:
                self._file.close()
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the file: a thread may be at it still, though whoever waited for that thread was cancelled."""
        with self._lock:
            if self._discarded:
                raise DownloadError("cancelled", "The download was cancelled.")
            try:
                yield
            except OSError as fault:
                raise self._error(fault) from fault

    def _error(self, fault: OSError) -> DownloadError:
        reason = os.strerror(fault.errno) if fault.errno else str(fault)
        if fault.errno in _FULL:
            return DownloadError("disk_full", f"There is no room left in {self._directory} ({reason}).")
        return DownloadError("no_write_access", f"No file can be written in {self._directory} ({reason}).")


def _sweep(directory: Path) -> None:
    """Remove what a killed process has left."""
    for path in directory.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                path.unlink()
