"""Whether an audio file that was saved can be played, by what the file itself says."""

import struct
import wave
from pathlib import Path
from typing import BinaryIO, NamedTuple

from producer_tools.files.formats.types import HEAD, detect

_LARGEST_INDEX = 16 * 1024 * 1024


class Playable(NamedTuple):
    """What a file says about itself.

    Attributes:
        content_type: its media type, by its first bytes; ``None`` if it is no audio.
        is_whole: whether all that its header names is there.
        seconds: how long it plays; ``None`` if its header does not say.
    """

    content_type: str | None
    is_whole: bool
    seconds: float | None


def read_audio(path: Path) -> Playable:
    """Look into a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        file_type = detect("audio", file.read(HEAD))
        if file_type is None:
            return Playable(None, is_whole=False, seconds=None)
        read = {"wav": _wav_seconds, "m4a": _mp4_seconds}.get(file_type.extension)
        file.seek(0)
        seconds = read(file) if read else None
        return Playable(file_type.content_type, file_type.is_whole(file, size), seconds)


def _wav_seconds(file: BinaryIO) -> float | None:
    try:
        with wave.open(file) as opened:
            return float(opened.getnframes() / opened.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def _mp4_seconds(file: BinaryIO) -> float | None:
    """The length by the movie header (``mvhd``) in the index, which stands at the start or at the end of a file."""
    start = file.read(_LARGEST_INDEX)
    file.seek(max(0, file.seek(0, 2) - _LARGEST_INDEX))
    for part in (start, file.read()):
        at = part.find(b"mvhd") + 4
        # The version, the flags, when it was made and changed, the ticks of a second, the length in ticks.
        layout = struct.Struct(">4x16xIQ" if part[at : at + 1] == b"\1" else ">4x8xII")
        if at >= len(b"mvhd") and len(part) >= at + layout.size:
            scale, length = layout.unpack_from(part, at)
            return float(length / scale) if scale else None
    return None
