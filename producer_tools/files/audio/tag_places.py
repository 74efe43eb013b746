"""Where each tag stands in an MP4 file's atoms and in an ID3 tag, which MP3 and WAV files have.

What players know has its usual place. The rest stands under a namespace of this package, where no other program looks.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

MADE_WITH_AI = "Made with AI"
"""How the comment begins."""

_NAMESPACE = "producer-tools"
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_MP4_ATOMS = {"title": "\xa9nam", "lyrics": "\xa9lyr", "comment": "\xa9cmt"}
_UNKNOWN_LANGUAGE = "XXX"  # ID3 v2.4, section 4.8
_FRONT_COVER = 3


def write_mp4(tags: "MP4Tags", texts: Mapping[str, str], cover: bytes | None) -> None:
    """Set the atoms of these texts and of the cover. Others stay."""
    from mutagen.mp4 import MP4Cover, MP4FreeForm  # noqa: PLC0415 - optional

    for name, text in texts.items():
        atom = _MP4_ATOMS.get(name)
        if atom is None:
            tags[_mp4_freeform(name)] = [MP4FreeForm(text.encode())]
        elif name != "comment" or _may_replace(tags.get(atom)):
            tags[atom] = [text]
    if cover is not None and _picture_type(cover):
        form = MP4Cover.FORMAT_PNG if cover.startswith(_PNG) else MP4Cover.FORMAT_JPEG
        tags["covr"] = [MP4Cover(cover, form)]


def read_mp4(tags: "MP4Tags", names: tuple[str, ...]) -> dict[str, str]:
    """The texts of these names that the file has."""
    found = {}
    for name in names:
        value = tags.get(_MP4_ATOMS.get(name) or _mp4_freeform(name))
        if value:
            found[name] = value[0] if isinstance(value[0], str) else bytes(value[0]).decode(errors="replace")
    return found


def write_id3(tags: "ID3", texts: Mapping[str, str], cover: bytes | None) -> None:
    """Set the frames of these texts and of the cover. Others stay."""
    from mutagen.id3 import APIC, COMM, TIT2, TXXX, USLT, Encoding  # noqa: PLC0415 - optional

    for name, text in texts.items():
        common = {"encoding": Encoding.UTF8, "lang": _UNKNOWN_LANGUAGE, "desc": ""}
        if name == "title":
            tags.add(TIT2(encoding=Encoding.UTF8, text=[text]))
        elif name == "lyrics":
            tags.setall("USLT", [USLT(text=text, **common)])
        elif name == "comment":
            comment = COMM(text=[text], **common)
            if _may_replace(tags.get(comment.HashKey)):
                tags.add(comment)
        else:
            tags.add(TXXX(encoding=Encoding.UTF8, desc=_id3_description(name), text=[text]))
    if cover is not None and (picture_type := _picture_type(cover)):
        others = [picture for picture in tags.getall("APIC") if picture.type != _FRONT_COVER]
        front = APIC(encoding=Encoding.UTF8, mime=picture_type, type=_FRONT_COVER, desc="Cover", data=cover)
        tags.setall("APIC", [*others, front])


def read_id3(tags: "ID3", names: tuple[str, ...]) -> dict[str, str]:
    """The texts of these names that the file has."""
    frames = {"title": "TIT2", "lyrics": "USLT"}
    found = {}
    for name in names:
        value = tags.getall(frames.get(name) or f"TXXX:{_id3_description(name)}")
        if value:
            found[name] = str(value[0])
    return found


def _mp4_freeform(name: str) -> str:
    return f"----:{_NAMESPACE}:{name}"


def _id3_description(name: str) -> str:
    return f"{_NAMESPACE}:{name}"


def _may_replace(comment: object) -> bool:
    """Whether there is no comment yet, or one of this package."""
    text = comment[0] if isinstance(comment, list) and comment else comment
    return not text or str(text).startswith(MADE_WITH_AI)


def _picture_type(cover: bytes) -> str | None:
    """JPEG or PNG; ``None`` for anything else, which players do not show as a cover."""
    if cover.startswith(_JPEG):
        return "image/jpeg"
    return "image/png" if cover.startswith(_PNG) else None
