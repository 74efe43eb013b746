"""Writes what is known of a song into its file, and reads it back. Needs the extra ``files``."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from producer_tools import telemetry
from producer_tools.files.audio.headers import TAGGED_TYPES, can_tag, content_type_of, open_with_mutagen
from producer_tools.files.audio.tag_places import MADE_WITH_AI, TOOL, read_id3, read_mp4, write_id3, write_mp4
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.formats.types import TYPES
from producer_tools.http.safe_text import LONGEST_ID, safe_text
from producer_tools.tasks.results import LONGEST_DESCRIPTION, LONGEST_LINE, LONGEST_LYRICS

AI_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that an AI model has made. It marks each file that was tagged."""

_SOURCE_TYPE = "digital_source_type"
_LONGEST = {
    "title": LONGEST_LINE,
    "lyrics": LONGEST_LYRICS,
    "model": LONGEST_ID,
    "seed": LONGEST_ID,
    "prompt": LONGEST_DESCRIPTION,
    "task_id": LONGEST_ID,
    "audio_id": LONGEST_ID,
}
_KNOWN_TO_PLAYERS = ("title", "lyrics")  # what has its usual place stays when another program converts the file
_CHUNK = 1 << 20
_SAME_LENGTH = 0.001  # seconds, by the header


@dataclass(frozen=True)
class Tags:
    """What a tagged file says of its song. ``None``: it does not say.

    Attributes:
        title: in one line of at most 500 characters.
        lyrics: at most 20,000 characters.
        model: that made the song.
        seed: that the song was made with.
        prompt: that the song was made from; at most 2,000 characters.
        task_id: of the task that made the song.
        audio_id: of the song.
        ai_made: whether the file says that an AI has made it. Each file that is tagged says so.
    """

    title: str | None = None
    lyrics: str | None = None
    model: str | None = None
    seed: str | None = None
    prompt: str | None = None
    task_id: str | None = None
    audio_id: str | None = None
    ai_made: bool = field(default=True, kw_only=True)


def write_tags(path: Path, content_type: str, tags: Tags, cover: bytes | None) -> bool:
    """Write the tags into a file, and that an AI has made the song. It blocks.

    A copy is tagged and checked, and then takes the file's place. So the file is complete at any time, and stays as it
    was if anything goes wrong: the disk is full, say, or the file is of a kind that mutagen cannot read. That is logged
    and not raised, because a song without tags is still the song that was paid for.

    Tags of others stay, except for those that are written. Texts are cut and cleaned like those of a `Result`.

    Args:
        path: an M4A, MP4, MP3 or WAV file.
        content_type: of `FileType`; a file of another type is left alone.
        tags: what is ``None`` is not written, and stays if it is there.
        cover: a JPEG or PNG picture of at most 4 MB. Another one is left out: players may not show it.

    Returns:
        Whether the tags are in the file. Without the extra ``files`` they are not, and nothing is logged.
    """
    if content_type not in TAGGED_TYPES or not can_tag():
        return False
    try:
        _replace_by_tagged(path, content_type, _texts(tags), cover)
    except Exception as error:  # noqa: BLE001 - mutagen raises exceptions of many kinds for a broken file
        reason = str(error).replace(path.name, "it")  # the name is the title, which is not logged
        telemetry.logger.warning("A %s file was saved without tags: %s", path.suffix, reason)
        return False
    return True


def read_tags(path: Path, *, of_anyone: bool = False) -> Tags | None:
    """The tags that `write_tags` has written. It blocks.

    Args:
        path: an M4A, MP4, MP3 or WAV file.
        of_anyone: whether a file that only other programs have tagged is read too: its title, its lyrics, and whether
            a comment says that an AI has made it.

    Returns:
        ``None`` if the file has no such tags, is missing or broken, or if the extra ``files`` is missing.
    """
    if not can_tag():
        return None
    try:
        content_type = content_type_of(path)
        tags = open_with_mutagen(path, content_type).tags if content_type else None
        if not tags:
            return None
        read = read_mp4 if content_type == "audio/mp4" else read_id3
        is_ours = read(tags, _SOURCE_TYPE) == AI_MADE
        if not (is_ours or of_anyone):
            return None
        comments = (read(tags, "comment") or "").splitlines()
        ai_made = is_ours or any(comment.startswith(MADE_WITH_AI) for comment in comments)
        names = _LONGEST if is_ours else _KNOWN_TO_PLAYERS
        texts: dict[str, Any] = _safe({name: read(tags, name) for name in names})
        return Tags(**texts, ai_made=ai_made)
    except Exception:  # noqa: BLE001 - mutagen raises exceptions of many kinds for a broken file
        return None


def _texts(tags: Tags) -> dict[str, str]:
    """All that is written, by its name."""
    known = _safe({name: getattr(tags, name) for name in _LONGEST})
    comment = f"{MADE_WITH_AI}: {known['model']}" if "model" in known else MADE_WITH_AI
    return {**known, "comment": comment, "tool": TOOL, _SOURCE_TYPE: AI_MADE}


def _safe(texts: dict[str, str | None]) -> dict[str, str]:
    """Those texts that are not empty, cut and cleaned. Only lyrics and prompts keep their lines."""
    safe = {name: safe_text(text, _LONGEST[name]) for name, text in texts.items() if text and not text.isspace()}
    return {name: text if name in ("lyrics", "prompt") else " ".join(text.split()) for name, text in safe.items()}


def _replace_by_tagged(path: Path, content_type: str, texts: dict[str, str], cover: bytes | None) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError("it is write-protected")
    open_with_mutagen(path, content_type)  # what it cannot read is not copied first
    part = PartFile(path.parent)
    try:
        part.restart()
        with path.open("rb") as original:
            while chunk := original.read(_CHUNK):
                part.write(chunk)
        shutil.copymode(path, part.path)
        _tag(part.path, content_type, texts, cover)
        part.keep(path)
    finally:
        part.discard()


def _tag(path: Path, content_type: str, texts: dict[str, str], cover: bytes | None) -> None:
    file = open_with_mutagen(path, content_type)
    length = file.info.length
    if file.tags is None:
        file.add_tags()
    write = write_mp4 if content_type.endswith("/mp4") else write_id3
    write(file.tags, texts, cover)
    file.save()
    same_length = abs(open_with_mutagen(path, content_type).info.length - length) < _SAME_LENGTH
    if not (same_length and _is_whole(path, content_type) and read_tags(path)):
        raise ValueError("the tagged copy is damaged")


def _is_whole(path: Path, content_type: str) -> bool:
    file_type = next(known for types in TYPES.values() for known in types if known.content_type == content_type)
    with path.open("rb") as opened:
        return file_type.is_whole(opened, path.stat().st_size)
