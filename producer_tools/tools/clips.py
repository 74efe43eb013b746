"""The audio of a saved file as a content block for a chat model."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer_tools.errors.missing_extra import how_to_install
from producer_tools.files.audio.encoding import to_mp3
from producer_tools.files.formats.types import HEAD, FileType, detect
from producer_tools.files.saved import SavedFile
from producer_tools.files.unchanged import read, why_unusable
from producer_tools.tasks.display import minutes, quote
from producer_tools.telemetry import logger
from producer_tools.tools.file_facts import saved_file

LARGEST_CLIP = 4_000_000
"""Bytes of one song. In base64, two of them have 10.7 MB; Google refuses a request of more than 20 MB."""

LONGEST_CLIP = 480.0
"""Seconds of one song. It is the longest one that the service makes, and has 15,360 tokens at Google's 32 a second."""

_BIT_RATE = 64_000
"""Of an MP3 made here. Eight minutes have 3.84 MB. Google mixes to mono and reduces further by itself."""

_AS_IT_IS = {"audio/mpeg": "audio/mp3", "audio/wav": "audio/wav"}
"""Types that every provider takes, and what they are called in a content block.

OpenAI takes ``mp3`` and ``wav`` only, and LangChain gives it the second half of this name: ``mpeg`` would be refused.
"""


@dataclass(frozen=True)
class Clip:
    """A song for a model to hear.

    Attributes:
        text: which song it is; or, if there is no audio, why not.
        audio: LangChain's content block of the audio; ``None`` if it cannot be played.
    """

    text: str
    audio: dict[str, Any] | None = None

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The content blocks: the text, and the audio if there is any."""
        text = {"type": "text", "text": self.text}
        return [text] if self.audio is None else [text, self.audio]


class _CannotPlayError(Exception):
    """Says why a file cannot be played."""


def songs_in(files: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The audio files, one for each song; its WAV file only if there is no other.

    Args:
        files: each what `file_values` returned.
    """
    songs: dict[Any, Mapping[str, Any]] = {}
    for file in files:
        song = file.get("audio_id") or file.get("path")
        if file.get("kind") == "audio" or (file.get("kind") == "wav" and song not in songs):
            songs[song] = file
    return list(songs.values())


def clip_of(file: Mapping[str, Any], directory: Path | None = None) -> Clip:
    """The song in a file. A blocking call, which never fails: if there is no audio, the text says why.

    MP3 and WAV files are played as they are. Other ones, and those that are too large or too long, are converted to an
    MP3 of their beginning, which needs the extra ``sound``.

    Args:
        file: an audio file, as `file_values` returned it.
        directory: a file elsewhere is not read.
    """
    name = _name(file)
    try:
        content, mime_type, how = _audio(_allowed(saved_file(file), directory), _seconds(file))
    except _CannotPlayError as reason:
        return not_played(file, str(reason))
    except ImportError:
        return not_played(file, f"its format must be converted first, which needs {how_to_install('sound')}")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one file, the model must still be called
        logger.warning("A file cannot be played to a model.", exc_info=error)
        return not_played(file, f"the file cannot be read ({type(error).__name__})")
    audio = {"type": "audio", "base64": base64.b64encode(content).decode(), "mime_type": mime_type}
    return Clip(f"{name}{how}:", audio)


def not_played(file: Mapping[str, Any], reason: str) -> Clip:
    """The text for a song that is left out."""
    return Clip(f"{_name(file)} cannot be played: {reason}.")


def _allowed(file: SavedFile, directory: Path | None) -> SavedFile:
    if directory is not None and not Path(file.path).resolve().is_relative_to(directory.resolve()):
        raise _CannotPlayError("the file is not in the application's directory of downloads")
    if reason := why_unusable(file):
        raise _CannotPlayError(f"the file is {reason}")
    return file


def _audio(file: SavedFile, seconds: float) -> tuple[bytes, str, str]:
    """The audio, its type, and how it differs from the file."""
    path = Path(file.path)
    mime_type = _AS_IT_IS.get(_type_of(path).content_type)
    if mime_type and seconds <= LONGEST_CLIP and file.bytes <= LARGEST_CLIP:
        data = read(file)
        if data is None:
            raise _CannotPlayError("the file is changed")
        return data, mime_type, ""
    beginning = f", of which you hear the first {minutes(LONGEST_CLIP)}" if seconds > LONGEST_CLIP else ""
    how = f"{beginning} (converted to a mono MP3, by which its sound quality cannot be judged)"
    return to_mp3(path, LONGEST_CLIP, _BIT_RATE), "audio/mp3", how


def _type_of(path: Path) -> FileType:
    """The type of an audio file that is whole, by its content."""
    with path.open("rb") as opened:
        file_type = detect("audio", opened.read(HEAD))
        if file_type is None or not file_type.is_whole(opened, path.stat().st_size):
            raise _CannotPlayError("the file is no whole audio file")
    return file_type


def _name(file: Mapping[str, Any]) -> str:
    length = f", {minutes(_seconds(file))}" if _seconds(file) else ""
    song = f", audio_id {file['audio_id']}" if file.get("audio_id") else ""
    return f"The song {quote(file.get('title') or 'Untitled')}{song}{length}"


def _seconds(file: Mapping[str, Any]) -> float:
    """The length of the audio; 0 if it is not known."""
    measured = (file.get("measured") or {}).get("duration_seconds")
    return float(measured or file.get("duration_seconds") or 0)
