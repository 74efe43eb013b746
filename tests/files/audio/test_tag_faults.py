"""Whatever goes wrong with tags, the song's file stays complete."""

import errno
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from producer_tools.files.audio import tags as module
from producer_tools.files.audio.tags import Tags, read_tags, write_tags
from producer_tools.files.fetch.part_file import PartFile
from tests.files.audio.songs import JPEG, TYPES

TAGS = Tags(title="First Day", model="FUZZ-2.0")


def assert_untouched(path: Path, content: bytes, tags: Tags = TAGS) -> None:
    """Tagging fails, the file stays as it was, and nothing is left beside it."""
    others = sorted(path.parent.iterdir())
    assert not write_tags(path, TYPES.get(path.suffix, "audio/wav"), tags, JPEG)
    assert path.read_bytes() == content
    assert sorted(path.parent.iterdir()) == others


def own_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What this package has logged. Others may log at any time, such as asyncio about what another test has left."""
    return [record for record in caplog.records if record.name == "producer_tools"]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty.m4a": lambda _: b"",
    "empty.mp3": lambda _: b"",
    "empty.wav": lambda _: b"",
    "text.wav": lambda _: b"There is no song.",
    "text.m4a": lambda _: b"There is no song.",
    "cut.m4a": lambda song: song[: len(song) // 2],
    "random.m4a": lambda song: song[:40] + Random(1).randbytes(4000),
    "random.wav": lambda song: song[:12] + Random(1).randbytes(4000),
    "id3.mp3": lambda song: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + song,
    "id3v9.mp3": lambda _: b"ID3\x09\0\0\0\0\0\x0a" + bytes(10) + b"no frames",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_left_alone(
    songs: dict[str, Path], name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at it would copy it first, and it may have 200 MB."""
    monkeypatch.setattr(PartFile, "restart", lambda _: pytest.fail("it was copied"))
    path = songs[Path(name).suffix].with_name(name)
    content = BROKEN[name](songs[path.suffix].read_bytes())
    path.write_bytes(content)
    assert_untouched(path, content)
    assert f"A {path.suffix} file was saved without tags" in caplog.text
    assert path.name not in caplog.text
    assert read_tags(path) is None


def test_an_mp4_file_of_very_many_boxes_is_not_read(songs: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    """200 MB of empty boxes would take 6 GB of memory."""
    path = songs[".m4a"]
    content = path.read_bytes() + (8).to_bytes(4, "big") + b"free" + (16 * 10**6).to_bytes(4, "big") + b"free"
    path.write_bytes(content + bytes(16 * 10**6 - 8))
    assert_untouched(path, path.read_bytes())
    assert "at most 15 MB are read" in caplog.text


def test_a_write_protected_file_is_left_alone(songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """It could be replaced, but whoever protected it wants it to stay."""
    path = songs[".m4a"]
    content = path.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to any file
    assert_untouched(path, content)


@pytest.mark.parametrize("where", ["copy", "tags", "keep"])
def test_a_full_disk_leaves_the_file_as_it_was(
    songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = songs[".m4a"]
    content = path.read_bytes()
    target, name = {"copy": (PartFile, "write"), "tags": (module, "_tag"), "keep": (os, "fsync")}[where]
    monkeypatch.setattr(target, name, full)
    assert_untouched(path, content)
    assert os.strerror(errno.ENOSPC) in caplog.text


def test_a_copy_that_is_damaged_does_not_replace_the_file(
    songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = songs[".m4a"]
    content = path.read_bytes()
    monkeypatch.setattr(module, "write_mp4", lambda *_: None)
    monkeypatch.setattr(module, "_is_whole", lambda *_: False)
    assert_untouched(path, content)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    assert not write_tags(tmp_path / "song.m4a", "audio/mp4", TAGS, None)
    assert not list(tmp_path.iterdir())
    assert read_tags(tmp_path / "song.m4a") is None
    assert read_tags(tmp_path) is None


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/zip", ""])
def test_files_of_other_types_are_left_alone(
    songs: dict[str, Path], caplog: pytest.LogCaptureFixture, content_type: str
) -> None:
    """Covers and archives are no failures, so nothing is logged."""
    path = songs[".m4a"]
    content = path.read_bytes()
    assert not write_tags(path, content_type, TAGS, None)
    assert path.read_bytes() == content
    assert own_records(caplog) == []


def test_without_the_extra_nothing_is_written_or_logged(
    songs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Tags are optional: a user who has not installed mutagen has chosen so."""
    caplog.set_level(logging.DEBUG)
    path = songs[".m4a"]
    assert write_tags(path, "audio/mp4", TAGS, None)
    content = path.read_bytes()
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert_untouched(path, content)
    assert read_tags(path) is None
    assert own_records(caplog) == []


def test_the_mode_of_a_file_stays(songs: dict[str, Path]) -> None:
    """A song that a web server may read must not become private, or the other way round."""
    path = songs[".m4a"]
    path.chmod(0o640)
    assert write_tags(path, "audio/mp4", TAGS, None)
    assert path.stat().st_mode & 0o777 == 0o640


def test_two_threads_may_tag_the_same_file(songs: dict[str, Path]) -> None:
    """Two downloads of one task may end at the same time. The file has the tags of one of them."""
    path = songs[".m4a"]
    wanted = [Tags(title=f"Title {number}", lyrics=f"Verse {number}") for number in range(8)]
    threads = [threading.Thread(target=write_tags, args=(path, "audio/mp4", tags, JPEG)) for tags in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_tags(path) in wanted
    assert {entry.suffix for entry in path.parent.iterdir()} == set(TYPES)
