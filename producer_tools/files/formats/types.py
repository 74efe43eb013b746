"""The types of file that a task makes: how large they may be, how they begin, and how one tells that they are whole."""

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from producer_tools.files.formats import completeness
from producer_tools.tasks.results import Kind

LARGEST_MEDIA = 200 * 10**6
"""Bytes of an audio, video or stems file: 19 minutes of WAV in CD quality."""

LARGEST_COVER = 20 * 10**6
"""Bytes of a cover picture."""

HEAD = 16
"""How many of a file's first bytes show its type."""


class FileType(NamedTuple):
    """One type of file.

    Attributes:
        extension: of the file name, without the dot.
        content_type: the media type.
        matches: whether a file with these first bytes is of this type.
        is_whole: whether an open file, of this length, is as long as its own header says.
        ends_whole: whether its last part is whole. Where the length is known, that does not matter: a whole song of
            another program may end in the middle of a part.
    """

    extension: str
    content_type: str
    matches: Callable[[bytes], bool]
    is_whole: Callable[[BinaryIO, int], bool]
    ends_whole: Callable[[BinaryIO, int], bool] = completeness.says_nothing


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


def _is_mp3(head: bytes) -> bool:
    if head.startswith(b"ID3"):
        return True
    # A frame header: eleven bits set, then version, layer (III), bitrate and sample rate, none of them a reserved one.
    return (
        len(head) > 2  # noqa: PLR2004 - the bytes looked at
        and head[0] == 0xFF  # noqa: PLR2004
        and head[1] & 0xE6 == 0xE2  # noqa: PLR2004
        and head[1] & 0x18 != 0x08  # noqa: PLR2004
        and head[2] & 0xF0 != 0xF0  # noqa: PLR2004
        and head[2] & 0x0C != 0x0C  # noqa: PLR2004
    )


def _riff(form: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == form


def _starts_with(prefix: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefix)


_WAV = FileType("wav", "audio/wav", _riff(b"WAVE"), completeness.wav)
# m4a and mp4 are the same container, so the kind decides the extension. SVG is not accepted: it can contain scripts.
_AUDIO = (
    FileType("m4a", "audio/mp4", _is_mp4, completeness.mp4),
    FileType("mp3", "audio/mpeg", _is_mp3, completeness.mp3, completeness.ends_with_whole_frame),
    _WAV,
)
TYPES: dict[Kind, tuple[FileType, ...]] = {
    "audio": _AUDIO,
    "stem": _AUDIO,
    "wav": (_WAV,),
    "video": (FileType("mp4", "video/mp4", _is_mp4, completeness.mp4),),
    "stems": (FileType("zip", "application/zip", _starts_with(b"PK\3\4"), completeness.zipped),),
    "cover": (
        FileType("jpg", "image/jpeg", _starts_with(b"\xff\xd8\xff"), completeness.jpeg),
        FileType("png", "image/png", _starts_with(b"\x89PNG\r\n\x1a\n"), completeness.png),
        FileType("webp", "image/webp", _riff(b"WEBP"), completeness.webp),
    ),
}
"""The types that a file of each kind may have."""


def detect(kind: Kind, head: bytes) -> FileType | None:
    """The type of a file of this kind by its first bytes; ``None`` if it has none of the accepted types."""
    return next((file_type for file_type in TYPES[kind] if file_type.matches(head)), None)


def largest(kind: Kind) -> int:
    """The most bytes that a file of this kind may have."""
    return LARGEST_COVER if kind == "cover" else LARGEST_MEDIA


def describe(head: bytes) -> str:
    """Why a file has none of the accepted types."""
    if not head:
        return "it is empty"
    return "it is HTML or XML" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "its first bytes say so"
