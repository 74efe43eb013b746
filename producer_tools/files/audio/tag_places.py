"""Where each tag stands: in the atoms of an MP4 file, or in the ID3 frames of an MP3 or WAV file.

What players know has its usual place. The rest is in free places whose names begin with this package's.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

LARGEST_COVER = 4 * 10**6
"""Bytes of a cover in a file; the service's have some 100 kB."""

MADE_WITH_AI = "Made with AI"
"""How the comment begins."""

TOOL = "producer-tools"
"""What stands as the tool that made a file, if the file names no encoder. The free places are named after it too."""

_OWN = {"comment": MADE_WITH_AI, "tool": TOOL}  # where another text stands there, it is kept
_ATOMS = {"title": "\xa9nam", "lyrics": "\xa9lyr", "comment": "\xa9cmt", "tool": "\xa9too"}
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_FRONT_COVER = 3


def write_mp4(tags: "MP4Tags", texts: Mapping[str, str], cover: bytes | None) -> None:
    """Set the atoms of these texts and of the cover. Others stay."""
    from mutagen.mp4 import MP4Cover, MP4FreeForm  # noqa: PLC0415 - optional

    for name, text in texts.items():
        atom = _atom(name)
        if not _is_of_others(name, tags.get(atom)):
            tags[atom] = [text] if name in _ATOMS else [MP4FreeForm(text.encode())]
    kind = _picture_type(cover)
    if kind:
        tags["covr"] = [MP4Cover(cover, MP4Cover.FORMAT_PNG if kind == "image/png" else MP4Cover.FORMAT_JPEG)]


def read_mp4(tags: "MP4Tags", name: str) -> str | None:
    """The text of this name."""
    value = tags.get(_atom(name))
    if not value:
        return None
    return str(value[0]) if name in _ATOMS else bytes(value[0]).decode(errors="replace")


def write_id3(tags: "ID3", texts: Mapping[str, str], cover: bytes | None) -> None:
    """Set the frames of these texts and of the cover. Others stay."""
    from mutagen.id3 import APIC, Encoding  # noqa: PLC0415 - optional

    for name, text in texts.items():
        frame = _frame(name, text)
        if name == "lyrics":
            tags.delall(frame.FrameID)  # also those that name a language: a player shows the first
        if not _is_of_others(name, tags.get(frame.HashKey)):
            tags.add(frame)
    kind = _picture_type(cover)
    if kind:
        others = [picture for picture in tags.getall("APIC") if picture.type != _FRONT_COVER]
        front = APIC(encoding=Encoding.UTF8, mime=kind, type=_FRONT_COVER, desc="Cover", data=cover)
        tags.setall("APIC", [*others, front])


def read_id3(tags: "ID3", name: str) -> str | None:
    """The text of this name. Of comments a file may have several; each begins a line.

    Other programs write lyrics and comments under the name of a language, and FFmpeg writes comments elsewhere.
    """
    places = {"lyrics": ("USLT",), "comment": ("COMM", "TXXX:comment")}.get(name) or (_frame(name, "").HashKey,)
    texts = [str(frame) for place in places for frame in tags.getall(place)]
    if name == "comment":
        return "\n".join(texts) or None
    return next(iter(texts), None)


def _atom(name: str) -> str:
    return _ATOMS.get(name) or f"----:{TOOL}:{name}"


def _frame(name: str, text: str) -> Any:
    from mutagen.id3 import COMM, TIT2, TSSE, TXXX, USLT, Encoding  # noqa: PLC0415 - optional

    unknown_language = "XXX"  # as section 4.8 of ID3 v2.4 has it
    if name == "lyrics":
        return USLT(encoding=Encoding.UTF8, lang=unknown_language, desc="", text=text)
    if name == "comment":
        return COMM(encoding=Encoding.UTF8, lang=unknown_language, desc="", text=[text])
    if name in ("title", "tool"):
        return (TIT2 if name == "title" else TSSE)(encoding=Encoding.UTF8, text=[text])
    return TXXX(encoding=Encoding.UTF8, desc=f"{TOOL}:{name}", text=[text])


def _is_of_others(name: str, value: Any) -> bool:
    """Whether a comment or a tool is there that this package has not written."""
    return bool(value) and name in _OWN and not str(value[0]).startswith(_OWN[name])


def _picture_type(picture: bytes | None) -> str | None:
    """JPEG or PNG; ``None`` for what is too large or anything else, which players do not show as a cover."""
    if picture is None or len(picture) > LARGEST_COVER:
        return None
    if picture.startswith(_JPEG):
        return "image/jpeg"
    return "image/png" if picture.startswith(_PNG) else None
