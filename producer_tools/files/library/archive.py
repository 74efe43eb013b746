"""Unpacks a stems archive. It is untrusted: nothing gets a name before all of it was checked and unpacked."""

import errno
import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from producer_tools.errors import DownloadError
from producer_tools.files.directory import disk_error
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.formats.types import LARGEST_MEDIA, FileType, detect
from producer_tools.files.library.names import comparable

MOST_STEMS = 64
"""Files in an archive."""

LARGEST_TOTAL = 1000 * 10**6
"""Bytes of all files in an archive together."""

MOST_COMPRESSED = 100
"""How many times its own length an archive may hold. Silence is compressed 1,000 times, so small ones may hold more."""

ALWAYS_ALLOWED = 100 * 10**6
"""Bytes that an archive may hold however short it is."""

UNSAFE = "unsafe_archive"
"""The code of the error for an archive that is not unpacked."""

_CHUNK = 256 * 1024
_LONGEST_DIRECTORY = 1024 * 1024  # bytes; each of 64 files may have a name and remarks of 16 kB
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Stem(NamedTuple):
    """One unpacked file.

    Attributes:
        member: its name in the archive.
        file_type: its type, by its first bytes.
        part: its content.
    """

    member: str
    file_type: FileType
    part: PartFile


@contextmanager
def unpacked(path: Path) -> Iterator[list[Stem]]:
    """The audio files in an archive, as parts in its directory. Parts that were not kept by the end are removed.

    Raises:
        DownloadError: ``unsafe_archive``: it is damaged, or something in it is no whole audio file, or could write
            outside the directory or fill the disk. ``no_write_access`` or ``disk_full``: it could not be unpacked.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_ArchiveFile(path.open("rb", buffering=0)))
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = _checked_members(archive, path.stat().st_size)
            stems = list(_read_all(archive, members, path.parent, stack))
        except DownloadError:
            raise
        except Exception as fault:
            if isinstance(fault, OSError) and fault.errno != errno.EINVAL:
                raise disk_error(fault, path.parent) from fault
            # zipfile raises exceptions of many kinds for a damaged archive. EINVAL: it names a place before its start.
            raise _unsafe(f"it cannot be read ({type(fault).__name__})") from fault
        yield stems


class _ArchiveFile(io.BufferedReader):
    """An archive whose directory is not read if it is very long: zipfile reads it at once, and keeps all of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            DownloadError: ``unsafe_archive``: it is more than a directory may have. Files are read in smaller parts.
        """
        if size is not None and size > _LONGEST_DIRECTORY:
            raise _unsafe("its directory is too long")
        return super().read(size)


def _checked_members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    members = [each for each in archive.infolist() if not each.is_dir() and not _is_ignored(each.filename)]
    if not 0 < len(members) <= MOST_STEMS:
        raise _unsafe(f"it has {len(members)} files")
    if len({comparable(each.filename) for each in members}) < len(members):
        raise _unsafe("two files in it have the same name")
    for each in members:
        _check_member(each)
    total = sum(each.file_size for each in members)
    if total > LARGEST_TOTAL or total > max(ALWAYS_ALLOWED, MOST_COMPRESSED * size):
        raise _unsafe("its files are too large")
    return members


def _is_ignored(name: str) -> bool:
    """Whether this is a hidden file, which programs that make archives add."""
    return PurePosixPath(name).name.startswith(".")


def _check_member(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or set(member.orig_filename) & set("\\:\0"):
        raise _unsafe("a name in it is a path that leads elsewhere")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _unsafe("something in it is no file")
    if member.flag_bits & _ENCRYPTED:
        raise _unsafe("it is encrypted")
    if member.compress_type not in _METHODS:
        raise _unsafe("it is compressed in an unusual way")
    if member.file_size > LARGEST_MEDIA:
        raise _unsafe("its files are too large")


def _read_all(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], directory: Path, stack: ExitStack
) -> Iterator[Stem]:
    for member in members:
        part = PartFile(directory)
        stack.callback(part.discard)
        part.restart()
        with archive.open(member) as file:  # zipfile ends it where its length says
            while chunk := file.read(_CHUNK):
                part.write(chunk)
        file_type = detect("stem", part.head)
        if file_type is None or not part.is_whole(file_type):
            raise _unsafe("a file in it is no whole audio file")
        yield Stem(member.filename, file_type, part)


def _unsafe(why: str) -> DownloadError:
    return DownloadError(UNSAFE, f"The stems stay in their archive, which was not unpacked: {why}.")
