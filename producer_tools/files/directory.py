"""Whether files can be saved in a directory."""

import errno
import os
import tempfile
from pathlib import Path

from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import ConfigurationError, DownloadError
from producer_tools.telemetry import logger

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota of its own


def why_unwritable(directory: str | os.PathLike[str]) -> str | None:
    """Why no file can be written in a directory, or where it will be made; ``None`` if one can. It blocks."""
    whole = Path(directory).absolute()
    there = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
    except OSError as fault:
        return fault.strerror or type(fault).__name__
    return None


def disk_error(fault: OSError, directory: Path) -> DownloadError:
    """The error for a file that cannot be written. A model may read it, so only the log names the whole path."""
    reason = os.strerror(fault.errno) if fault.errno else str(fault)
    logger.warning("No file can be written in %s (%s).", directory, reason)
    if fault.errno in _FULL:
        return DownloadError("disk_full", f"There is no room left in the directory {directory.name} ({reason}).")
    return DownloadError("no_write_access", f"No file can be written in the directory {directory.name} ({reason}).")


class DirectoryCheck:
    """Finds out before a song is paid for whether its files can be saved.

    Args:
        directory: where the files will go. It is not made yet.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = directory
        self._is_writable = False

    async def __call__(self) -> None:
        """Try to write a file there, until that has worked once.

        Raises:
            ConfigurationError: no file can be written.
        """
        if self._is_writable:
            return
        if reason := await in_thread(why_unwritable, self._directory):
            raise ConfigurationError(
                "no_write_access",
                f"No file can be saved in {os.fspath(self._directory)} ({reason}), so this call was not sent and not "
                "charged. Make the directory writable, or choose another one.",
            )
        self._is_writable = True
