"""Recordings to upload: read once, and checked by their content before anything is sent.

What is checked is what is sent: the file is opened once, and its bytes are kept.
"""

import hashlib
import io
import os
import re
import stat
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from producer_tools.concurrency.paths import from_home
from producer_tools.errors import ConfigurationError, InvalidArgumentError
from producer_tools.files.formats.completeness import after_id3, chunks
from producer_tools.files.formats.mp3_frames import has_frames
from producer_tools.files.formats.types import HEAD, detect

LARGEST_RECORDING = 25 * 10**6
"""Bytes of a file that the provider's file endpoint takes (faq: 25 MB)."""

_LONGEST_SHOWN = 100
_LONGEST_STEM = 80
_LOOKED_AT = 512
_CONVERT = "convert it to mp3, wav or m4a"
_AN_ADDRESS = "is an address on the web, not a file: give it as audio_url (in Python, to UploadAudio)"
_NOT_A_FILE = "is no regular file: name one mp3, wav or m4a file"
# Without O_NONBLOCK, opening a named pipe waits for somebody who writes into it. Windows needs O_BINARY.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HAS_DIR_FD = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

_OTHER_TYPES: dict[bytes, str] = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg (Vorbis or Opus)",
    b"FORM....AIF[FC]": "AIFF",
    b"\xff[\xf0\xf1\xf8\xf9]": "raw AAC",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA or another Windows Media file",
    b"MThd": "MIDI",
    b"caff": "a Core Audio file",
    b"#!AMR": "AMR",
    b"\x1a\x45\xdf\xa3": "WebM or Matroska",
    b"RIFF....AVI ": "an AVI video",
    b"RF64|BW64": "RF64 or BW64, another form of WAV",
    b"PK\x03\x04": "a ZIP archive",
}
"""What other files begin with, as regular expressions."""


class Recording(NamedTuple):
    """A file that may be uploaded.

    Attributes:
        name: a safe file name to send, which ends in the extension of its type.
        content_type: the media type.
        content: all bytes.
        sha256: their hash in hexadecimal, which identifies the recording.
    """

    name: str
    content_type: str
    content: bytes
    sha256: str

    def __repr__(self) -> str:
        return f"Recording({self.name!r}, {len(self.content):,} bytes, SHA-256 {self.sha256[:12]}…)"


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read and check a file. It blocks, but never waits for a pipe or a device.

    Args:
        path: where the file is; links are followed, and a ``~`` at its start is the home directory.

    Raises:
        InvalidArgumentError: it cannot be read, is no regular file, is empty or larger than 25 MB, is not mp3, wav or
            m4a by its content, is cut off, or holds no sound.
    """
    try:
        given = os.fspath(path)
    except TypeError:
        given = None
    if not isinstance(given, str):
        raise InvalidArgumentError({"path": f"a path as text is needed, not a {type(path).__name__}"})
    with _errors_about(given):
        return _recording(os.open(from_home(given), _READ), given)


def read_inside(directory: str | os.PathLike[str], path: str) -> Recording:
    """Read and check a file that a model has named. Only files inside a directory can be read.

    No error tells where the directory is, or whether something outside of it exists.

    Args:
        directory: where the file must be. It may itself be a link.
        path: relative to the directory, without ``..``, hidden files and folders, and links of any kind.

    Raises:
        InvalidArgumentError: the path is not allowed, or as in `read_recording`.
        ConfigurationError: there is no such directory, or it cannot be read.
    """
    if "://" in path:
        raise _refused(path, _AN_ADDRESS)
    parts = re.split(r"[/\\]" if os.sep == "\\" else "/", path)
    if Path(path).anchor or any(not part or part.startswith(".") for part in parts):
        raise InvalidArgumentError(
            {
                "path": f"{_shown(path)} is not allowed: name a file in the folder for uploads by its relative path, "
                "without '..' and without hidden files and folders (names that begin with a dot)"
            }
        )
    try:
        root = Path(directory).resolve(strict=True)
        os.scandir(root).close()
    except (OSError, RuntimeError) as error:  # before Python 3.13, a link that leads to itself is a RuntimeError
        reason = getattr(error, "strerror", error)
        raise ConfigurationError(
            "configuration", f"upload_dir {os.fspath(directory)!r} cannot be read ({reason}). Nothing was sent."
        ) from None
    opened = _opened_below if _HAS_DIR_FD else _opened_if_unlinked
    with _errors_about(path):
        return _recording(opened(root, parts), path, one_name=True)


def _opened_below(root: Path, parts: list[str]) -> int:
    """Open a file step by step, so that no part can be exchanged for a link in the meantime."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _READ | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _opened_if_unlinked(root: Path, parts: list[str]) -> int:
    """Open a file where the system cannot do it step by step (Windows)."""
    whole = root.joinpath(*parts)
    if whole.resolve() != whole:
        raise FileNotFoundError
    return os.open(whole, _READ)


@contextmanager
def _errors_about(path: str) -> Iterator[None]:
    """Turn the system's errors into `InvalidArgumentError`. Their own texts may show the whole path."""
    try:
        yield
    except InvalidArgumentError:
        raise
    except (OSError, ValueError) as error:
        raise _refused(path, _AN_ADDRESS if "://" in path else _problem_of(error)) from None


def _problem_of(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, IsADirectoryError):
        return _NOT_A_FILE
    if isinstance(error, ValueError):  # it has a NUL
        return "is not a path"
    # Missing, too long, a socket, below something that is no folder, or a link where none may be: a model is not told
    # which, because that would tell what is outside.
    return "does not exist, or is not a file that can be read"


def _recording(descriptor: int, path: str, *, one_name: bool = False) -> Recording:
    """Read and check an open file, and close it.

    Args:
        descriptor: of the open file.
        path: as it was given, for errors.
        one_name: whether it must have this name only: the other name of a hard link may be anywhere.
    """
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, _NOT_A_FILE)
        if one_name and status.st_nlink > 1:
            raise _refused(path, "is not allowed: it has a second name (a hard link). Put a copy into the folder")
        if status.st_size > LARGEST_RECORDING:
            raise _refused(path, _too_large(status.st_size))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # It may have grown. A file of the system that has nothing to read now gives None.
            content = file.read(LARGEST_RECORDING + 1) or b""
    finally:
        os.close(descriptor)
    if len(content) > LARGEST_RECORDING:
        raise _refused(path, _too_large(len(content)))
    if not content:
        raise _refused(path, "is empty (0 bytes)")
    return _checked(content, path)


def _checked(content: bytes, path: str) -> Recording:
    """The recording with this content.

    Raises:
        InvalidArgumentError: it is of another type, cut off, or without sound.
    """
    file_type = detect("audio", content[:HEAD])
    start = after_id3(io.BytesIO(content), len(content))  # a FLAC or AAC file may have the tag of an mp3 too
    other = _other_type(content[start : start + HEAD])
    if file_type is None or other is not None:
        raise _refused(path, f"is {other or _text_or_unknown(content)}: {_CONVERT}")
    if not file_type.is_whole(io.BytesIO(content), len(content)):
        raise _refused(path, f"is cut off: it is shorter than its {file_type.extension} header says. Copy it again")
    if file_type.extension == "wav" and not _has_samples(content):
        raise _refused(path, "holds no sound: record or export it again")
    if file_type.extension == "mp3" and not has_frames(content, start):
        raise _refused(path, f"is {_text_or_unknown(content[start:])}: {_CONVERT}")
    if file_type.extension == "m4a" and (problem := _problem_of_mp4(content)):
        raise _refused(path, f"is {problem}: {_CONVERT}")
    return Recording(
        f"{_safe_stem(path)}.{file_type.extension}",
        file_type.content_type,
        content,
        hashlib.sha256(content).hexdigest(),
    )


def _other_type(head: bytes) -> str | None:
    """The name of a type that cannot be uploaded."""
    return next((name for beginning, name in _OTHER_TYPES.items() if re.match(beginning, head, re.DOTALL)), None)


def _text_or_unknown(content: bytes) -> str:
    try:
        text = getincrementaldecoder("utf-8")().decode(content[:_LOOKED_AT])  # which may end inside a character
    except UnicodeDecodeError:
        return "of an unknown type"
    return "text, not audio" if "".join(text.split()).isprintable() else "of an unknown type"


def _has_samples(content: bytes) -> bool:
    """Whether a WAV file says what its samples are, and has some.

    Their number is not looked at: a program that was ended while it recorded has left none.
    """
    is_described = False
    for name, start, _ in chunks(io.BytesIO(content), len(content)):
        if name == b"data":
            return is_described and start < len(content)
        is_described = is_described or name == b"fmt "
    return False


def _problem_of_mp4(content: bytes) -> str | None:
    """What is wrong with an MP4 file, of which m4a is the kind that holds sound only; ``None`` if nothing is.

    Each track says in its ``hdlr`` box, eight bytes behind the box's name, what it holds.
    """
    tracks = {each.group(1) for each in re.finditer(rb"hdlr.{8}(soun|vide)", content, re.DOTALL)}
    if b"vide" in tracks:
        return "a video"
    return None if b"soun" in tracks else "an MP4 file without sound"


def _safe_stem(path: str) -> str:
    """The file's name without its folder and extension, in letters, digits, ``-`` and ``_`` of ASCII."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", Path(path).stem).strip("_")[:_LONGEST_STEM] or "recording"


def _too_large(size: int) -> str:
    return (
        f"has {size:,} bytes, and a file may have {LARGEST_RECORDING:,} (25 MB) at most: shorten it, or convert it to "
        "mp3 or m4a"
    )


def _refused(path: str, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError({"path": f"{_shown(path)} {problem}"})


def _shown(path: str) -> str:
    """The path as it was given, in quotes, with invisible characters escaped; of a long one the end."""
    return repr(path) if len(path) <= _LONGEST_SHOWN else f"…{path[-_LONGEST_SHOWN:]!r}"
