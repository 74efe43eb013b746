"""`SavedFile.from_path`: what a file says of itself."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mutagen.id3 import COMM, ID3, TXXX, USLT
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.wave import WAVE

from producer_tools import SavedFile
from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.files.audio import headers
from producer_tools.files.audio.tags import Tags, write_tags
from tests.files.audio.songs import JPEG, TYPES, save, tone
from tests.files.own_recordings import mp3
from tests.files.song_server import SONG, short_wav


def test_a_tagged_song(tmp_path: Path) -> None:
    """An application that has only the file wants to know the task, to extend the song for instance."""
    path = save(tmp_path / "My favourite.m4a", tone(0.5))
    tags = Tags("Song", "la", "FUZZ-2.0", "7", "a waltz", "t1", "a1")
    write_tags(path, "audio/mp4", tags, None)
    file = SavedFile.from_path(path)
    assert (file.kind, file.name, file.content_type, file.bytes) == (
        "audio",
        "My favourite.m4a",
        "audio/mp4",
        path.stat().st_size,
    )
    assert (file.title, file.lyrics, file.model, file.seed, file.prompt, file.task_id, file.audio_id) == (
        "Song",
        "la",
        "FUZZ-2.0",
        "7",
        "a waltz",
        "t1",
        "a1",
    )
    assert file.measured is not None
    assert file.measured.duration_seconds == pytest.approx(0.5, abs=0.05)
    assert (file.downloaded, file.ai_made) == (False, True)


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_lyrics_that_another_program_has_changed(suffix: str, tmp_path: Path) -> None:
    """It names their language, and players show them: they are the song's lyrics now."""
    path = save(tmp_path / f"a{suffix}", tone(0.5))
    write_tags(path, TYPES[suffix], Tags("Song", "la", task_id="t1"), None)
    other = (MP3 if suffix == ".mp3" else WAVE)(path)
    assert other.tags is not None
    other.tags.setall("USLT", [USLT(lang="deu", desc="mine", text="lo")])
    other.save(v2_version=3)
    file = SavedFile.from_path(path)
    assert (file.title, file.lyrics, file.task_id, file.ai_made) == ("Song", "lo", "t1", True)


@pytest.mark.parametrize(("comment", "ai_made"), [("Made with AI: FUZZ-2.0", True), ("Mine", False)])
def test_a_song_that_another_program_has_written_anew(comment: str, ai_made: bool, tmp_path: Path) -> None:
    """FFmpeg, for one, keeps only what has a usual place in an M4A. A player shows that, and so does this."""
    path = save(tmp_path / "a.m4a", tone(0.5))
    other = MP4(path)
    other.update({"\xa9nam": ["Song"], "\xa9lyr": ["la"], "\xa9cmt": [comment]})
    other.save()
    file = SavedFile.from_path(path)
    assert (file.title, file.lyrics, file.task_id, file.model) == ("Song", "la", None, None)
    assert file.ai_made is ai_made


@pytest.mark.parametrize(
    "frame",
    [COMM(lang="eng", desc="", text=["Made with AI"]), TXXX(desc="comment", text=["Made with AI: FUZZ-2.0"])],
    ids=["another language", "ffmpeg"],
)
def test_an_mp3_that_another_program_has_written_anew(frame: Any, tmp_path: Path) -> None:
    """A page would not say that an AI has made the song, only because it was converted to MP3."""
    path = save(tmp_path / "a.mp3", tone(0.5))
    tags = ID3()
    tags.add(COMM(lang="eng", desc="iTunNORM", text=["00000AAA"]))
    tags.save(path)
    assert not SavedFile.from_path(path).ai_made
    tags.add(frame)
    tags.save(path)
    assert SavedFile.from_path(path).ai_made


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writing:
        writing.writestr("vocals.wav", short_wav())
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.wav", short_wav(), "wav"),
        ("a.m4a", SONG, "audio"),
        ("a.mp4", SONG, "video"),
        ("a.MP4", SONG, "video"),
        ("a", SONG, "audio"),
        ("a.m4a.bak", SONG, "audio"),
        ("a.mp3", mp3(), "audio"),
        ("a.mpga", mp3(), "audio"),
        ("a.wave", short_wav(), "wav"),
        ("a.jpg", JPEG, "cover"),
        ("a.jpeg", JPEG, "cover"),
        ("a.zip", archive(), "stems"),
    ],
)
def test_the_kind_of_a_file(name: str, content: bytes, kind: str, tmp_path: Path) -> None:
    """A video and a song are the same container, so its name decides; other names may end in anything."""
    (tmp_path / name).write_bytes(content)
    assert SavedFile.from_path(tmp_path / name).kind == kind


def test_without_the_extras_the_rest_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type and length need no library."""
    monkeypatch.setattr(headers, "find_spec", lambda _: None)
    (tmp_path / "a.m4a").write_bytes(SONG)
    file = SavedFile.from_path(tmp_path / "a.m4a")
    assert (file.kind, file.bytes, file.title) == ("audio", len(SONG), None)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "there is no file"),
        (lambda _: None, "there is no file"),
        (os.mkfifo, "there is no file"),
        (None, "File name too long"),
        (lambda path: path.write_bytes(b""), "is no M4A, MP3, WAV or MP4 file"),
        (lambda path: path.write_bytes(b"<html>"), "is no M4A, MP3, WAV or MP4 file"),
        (lambda path: path.write_bytes(SONG[:-1000]), "is cut off"),
    ],
    ids=["directory", "nothing", "pipe", "name", "empty", "text", "cut off"],
)
def test_what_is_no_media_file_is_refused(make: Any, reason: str, tmp_path: Path) -> None:
    """A half song, or a text, must not pass for a song."""
    path = tmp_path / ("a.m4a" if make else "a" * 300)
    if make:
        make(path)
    with pytest.raises(InvalidArgumentError, match=reason):
        SavedFile.from_path(path)


def test_a_link_leads_to_its_file(tmp_path: Path) -> None:
    """The caller has chosen it, so it is followed."""
    (tmp_path / "a.wav").write_bytes(short_wav())
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    assert SavedFile.from_path(tmp_path / "b.wav").bytes == len(short_wav())
