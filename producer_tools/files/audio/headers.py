"""What the header of an audio file says, without decoding it, and mutagen's view of the file."""

import os
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from producer_tools.files.audio.measured import Measured
from producer_tools.files.formats.completeness import boxes
from producer_tools.files.formats.types import HEAD, detect

_MOST_ID3 = 5 * 10**6  # bytes; mutagen needs more than a second for each MB of UTF-16 text
_MOST_BOXES = 15 * 10**6  # bytes; for each MB of empty boxes, mutagen needs half a second and 30 MB of memory
_CHUNK_HEADER = struct.Struct("<4sI")
_FORM = struct.Struct("<2H2I")  # codec, channels, sample rate, bytes in a second
_MOST_CHUNKS = 1000

TAGGED_TYPES = ("audio/mp4", "video/mp4", "audio/mpeg", "audio/wav")
"""The media types of files that can have tags."""


def can_tag() -> bool:
    """Whether the extra ``files`` is installed."""
    return find_spec("mutagen") is not None


def open_with_mutagen(path: Path, content_type: str) -> Any:
    """Mutagen's object for an M4A, MP4, MP3 or WAV file: the header is its ``info``, and it has ``tags`` and ``save``.

    Raises:
        Exception: the file is broken. Mutagen raises many kinds.
    """
    from mutagen.mp3 import MP3  # noqa: PLC0415 - optional
    from mutagen.mp4 import MP4  # noqa: PLC0415 - optional
    from mutagen.wave import WAVE  # noqa: PLC0415 - optional

    size, most = _bytes_of_tags(path, content_type), _MOST_BOXES if content_type.endswith("/mp4") else _MOST_ID3
    if size > most:
        raise ValueError(f"it has {size / 10**6:.0f} MB of tags, and at most {most / 10**6:.0f} MB are read")
    openers: dict[str, Any] = {"audio/mp4": MP4, "video/mp4": MP4, "audio/mpeg": MP3, "audio/wav": WAVE}
    return openers[content_type](path)


def _bytes_of_tags(path: Path, content_type: str) -> int:
    """How many bytes mutagen would look into: the ID3 tag, or all of an MP4 file except for its media."""
    with path.open("rb") as file:
        if content_type == "audio/mpeg":
            return _id3_of_mp3(file)
        if content_type == "audio/wav":
            return len(_chunk(file, b"id3 ") or ())
        size = os.fstat(file.fileno()).st_size
        return size - sum(length for name, _, length in boxes(file, size) if name == b"mdat")


def _id3_of_mp3(file: BinaryIO) -> int:
    header = file.read(10)
    if not header.startswith(b"ID3"):
        return 0
    return sum((byte & 0x7F) << shift for byte, shift in zip(header[6:], (21, 14, 7, 0), strict=False))


def content_type_of(path: Path) -> str | None:
    """The media type by the first bytes; ``None`` if it is no audio. A video is ``audio/mp4`` too.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        file_type = detect("audio", file.read(HEAD))
    return file_type.content_type if file_type else None


def read_header(path: Path) -> Measured | None:
    """Length, sample rate and channels, by the header; of WAV files only, if the extra ``files`` is missing.

    Returns:
        ``None`` if the file is missing or broken, or of another type.
    """
    try:
        content_type = content_type_of(path)
        if content_type == "audio/wav":
            return _read_wav(path)
        if content_type is None or not can_tag():
            return None
        info = open_with_mutagen(path, content_type).info
        return Measured(round(info.length, 3), info.sample_rate, info.channels)
    except Exception:  # noqa: BLE001 - mutagen and wave raise exceptions of many kinds for a broken file
        return None


def _read_wav(path: Path) -> Measured | None:
    """By the chunks: the standard library's reader refuses floating-point samples, for instance."""
    with path.open("rb") as file:
        form, samples = _chunk(file, b"fmt "), _chunk(file, b"data")
        if form is None or samples is None:
            return None
        file.seek(form.start)
        _, channels, rate, bytes_per_second = _FORM.unpack(file.read(_FORM.size))
        # The header of a file that was written into a stream may name any length.
        length = min(samples.stop, path.stat().st_size) - samples.start
        return Measured(round(length / bytes_per_second, 3), rate, channels)


def _chunk(file: BinaryIO, wanted: bytes) -> range | None:
    """Where the content of the first chunk with this name is."""
    file.seek(12)
    for _ in range(_MOST_CHUNKS):
        header = file.read(_CHUNK_HEADER.size)
        if len(header) < _CHUNK_HEADER.size:
            break
        name, length = _CHUNK_HEADER.unpack(header)
        start = file.tell()
        if name.lower() == wanted:
            return range(start, start + length)
        file.seek(length + length % 2, os.SEEK_CUR)
    return None
