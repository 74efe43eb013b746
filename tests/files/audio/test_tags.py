"""The tags of a song's file: what is written, where players look for it, and what is read back."""

from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mutagen.id3 import APIC, COMM, TPE1, TSSE, TXXX, USLT, Encoding
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4
from mutagen.wave import WAVE

from producer_tools.files.audio.decoding import samples
from producer_tools.files.audio.tags import AI_MADE, Tags, read_tags, write_tags
from producer_tools.tasks.results import LONGEST_LYRICS
from tests.files.audio.songs import JPEG, PNG, TYPES, WEBP, Wave

TAGS = Tags("First Day", "[Verse]\nRain\n\nSun ☀", "FUZZ-2.0", "42", "a slow waltz\nin A", "task-1", "audio-1")
ID3_FILES = [".mp3", ".wav"]
MP4_FILES = [".m4a", ".mp4"]


def write(path: Path, tags: Tags = TAGS, cover: bytes | None = None) -> None:
    assert write_tags(path, TYPES[path.suffix], tags, cover)


def opened(path: Path) -> Any:
    """Mutagen's view of the file, with tags to change."""
    types: dict[str, Any] = {".mp3": MP3, ".wav": WAVE}
    file = types.get(path.suffix, MP4)(path)
    if file.tags is None:
        file.add_tags()
    return file


def decoded(path: Path) -> Wave:
    with samples(path) as audio:
        return np.concatenate(list(audio.blocks))


@pytest.mark.parametrize("suffix", TYPES)
def test_what_is_written_is_read_back(songs: dict[str, Path], suffix: str) -> None:
    path = songs[suffix]
    write(path, cover=JPEG)
    assert read_tags(path) == TAGS


@pytest.mark.parametrize("suffix", TYPES)
def test_the_sound_stays_the_same(songs: dict[str, Path], suffix: str) -> None:
    """Tags move the samples in the file. If its index were not changed too, the song would be noise."""
    path = songs[suffix]
    before = decoded(path)
    write(path, cover=b"\xff\xd8\xff" + b"j" * 300_000)
    assert np.array_equal(decoded(path), before)


@pytest.mark.parametrize("suffix", TYPES)
def test_tagging_again_changes_nothing(songs: dict[str, Path], suffix: str) -> None:
    """A second download of a task tags its files again; they must not grow."""
    path = songs[suffix]
    write(path, cover=JPEG)
    once = path.read_bytes()
    write(path, cover=JPEG)
    assert path.read_bytes() == once


@pytest.mark.parametrize("suffix", TYPES)
def test_another_program_finds_title_lyrics_and_comment(songs: dict[str, Path], suffix: str) -> None:
    """Players show what stands in the usual places. FFmpeg reads these."""
    path = songs[suffix]
    write(path)
    with av.open(str(path)) as container:
        found = container.metadata
    assert found["title"] == "First Day"
    assert found["comment"] == "Made with AI: FUZZ-2.0"
    assert next(text for name, text in found.items() if name.startswith("lyrics")) == TAGS.lyrics


@pytest.mark.parametrize("suffix", TYPES)
def test_a_file_says_that_an_ai_has_made_it_even_if_nothing_else_is_known(songs: dict[str, Path], suffix: str) -> None:
    path = songs[suffix]
    write(path, Tags())
    assert read_tags(path) == Tags()
    assert AI_MADE.encode() in path.read_bytes()
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "Made with AI"


@pytest.mark.parametrize("suffix", MP4_FILES)
@pytest.mark.parametrize("cover", [JPEG, PNG])
def test_an_mp4_file_gets_its_cover(songs: dict[str, Path], suffix: str, cover: bytes) -> None:
    path = songs[suffix]
    write(path, cover=cover)
    (picture,) = opened(path)["covr"]
    assert bytes(picture) == cover
    assert picture.imageformat == (picture.FORMAT_JPEG if cover == JPEG else picture.FORMAT_PNG)


@pytest.mark.parametrize("suffix", ID3_FILES)
@pytest.mark.parametrize(("cover", "media_type"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_an_id3_tag_gets_its_cover(songs: dict[str, Path], suffix: str, cover: bytes, media_type: str) -> None:
    path = songs[suffix]
    write(path, cover=JPEG)
    write(path, cover=cover)
    (picture,) = opened(path).tags.getall("APIC")
    assert (picture.data, picture.mime) == (cover, media_type)


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("cover", [None, WEBP, b"", PNG + bytes(4 * 10**6)], ids=["none", "webp", "empty", "large"])
def test_a_cover_that_players_do_not_show_is_left_out(songs: dict[str, Path], suffix: str, cover: bytes) -> None:
    """And the cover that was there stays."""
    path = songs[suffix]
    write(path, cover=JPEG)
    write(path, cover=cover)
    assert JPEG in path.read_bytes()
    assert WEBP not in path.read_bytes()
    assert PNG not in path.read_bytes()


def test_other_atoms_stay(songs: dict[str, Path]) -> None:
    """The service's own tags, and those of a user, are not ours to delete."""
    path = songs[".m4a"]
    file = opened(path)
    file["\xa9ART"], file["\xa9cmt"], file["\xa9too"], file["\xa9nam"] = ["Ada"], ["Mine"], ["Encoder 1"], ["Untitled"]
    file["----:com.example:mood"] = [b"calm"]
    file.save()
    write(path)
    file = opened(path)
    assert (file["\xa9ART"], file["\xa9cmt"], file["\xa9too"]) == (["Ada"], ["Mine"], ["Encoder 1"])
    assert file["----:com.example:mood"] == [b"calm"]
    assert file["\xa9nam"] == ["First Day"], "what is written replaces what was there"


@pytest.mark.parametrize("suffix", ID3_FILES)
def test_other_frames_stay(songs: dict[str, Path], suffix: str) -> None:
    path = songs[suffix]
    file = opened(path)
    others = [
        TPE1(text=["Ada"]), TSSE(text=["Encoder 1"]), TXXX(desc="mood", text=["calm"]),
        COMM(lang="eng", text=["Mine"]), APIC(type=4, desc="Back", mime="image/png", data=PNG),
    ]  # fmt: skip
    for frame in others:
        file.tags.add(frame)
    file.tags.add(USLT(lang="eng", text="old"))
    file.save()
    write(path, cover=JPEG)
    tags = opened(path).tags
    assert all(tags[frame.HashKey] == frame for frame in others)
    assert [str(lyrics) for lyrics in tags.getall("USLT")] == [TAGS.lyrics], "a player shows the first"
    assert {picture.type for picture in tags.getall("APIC")} == {3, 4}


@pytest.mark.parametrize("suffix", TYPES)
def test_what_is_not_known_any_more_stays(songs: dict[str, Path], suffix: str) -> None:
    """A look-up may say less than the first one did."""
    path = songs[suffix]
    write(path)
    write(path, Tags(title="Second Day", model="FUZZ-3"))
    read = read_tags(path)
    assert read is not None
    assert (read.title, read.model, read.lyrics, read.seed) == ("Second Day", "FUZZ-3", TAGS.lyrics, "42")
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "Made with AI: FUZZ-3"


@pytest.mark.parametrize("suffix", TYPES)
def test_no_text_breaks_the_tags(songs: dict[str, Path], suffix: str) -> None:
    """The service's text may be anything. NUL splits ID3 texts, and half surrogates cannot be encoded."""
    path = songs[suffix]
    write(path, Tags(title="a\r\nb\0c\ud800", lyrics="\0\ud800\n" * 3, seed="4\n2", prompt="/;\\ \ufeff 𝄞", model=""))
    read = read_tags(path)
    assert read == Tags(title="a b\ufffdc\ufffd", lyrics="\ufffd\ufffd\n" * 3, seed="4 2", prompt="/;\\ \ufeff 𝄞")


@pytest.mark.parametrize("suffix", TYPES)
def test_a_text_without_characters_is_not_written(songs: dict[str, Path], suffix: str) -> None:
    """A player would show an empty line in the place of the file's name."""
    write(songs[suffix], Tags(title="  ", lyrics="\n", prompt="", model="\u3000"))
    assert read_tags(songs[suffix]) == Tags()


@pytest.mark.parametrize("suffix", TYPES)
def test_long_texts_are_cut(songs: dict[str, Path], suffix: str) -> None:
    """10 MB of lyrics would make the file of a short song ten times as large."""
    path = songs[suffix]
    size = path.stat().st_size
    write(path, Tags(*(["la " * 3_500_000] * 7)))
    assert path.stat().st_size < size + 100_000
    read = read_tags(path)
    assert read is not None
    assert len(read.lyrics or "") == LONGEST_LYRICS
    assert "[cut: 10,500,000 characters]" in (read.lyrics or "")
    assert len(read.prompt or "") <= 2000
    assert len(read.title or "") <= 500


def test_long_texts_of_others_are_cut_when_they_are_read(songs: dict[str, Path]) -> None:
    """A user may have put a book into a tagged file; a model or a notebook would be shown all of it."""
    write(songs[".m4a"])
    write(songs[".mp3"])
    mp4, mp3 = opened(songs[".m4a"]), opened(songs[".mp3"])
    mp4["\xa9lyr"] = ["la" * 5_000_000]
    mp3.tags.setall("USLT", [USLT(encoding=Encoding.UTF8, lang="XXX", text="la" * 2_000_000)])
    mp4.save()
    mp3.save()
    for tags in map(read_tags, (songs[".m4a"], songs[".mp3"])):
        assert tags is not None
        assert len(tags.lyrics or "") == LONGEST_LYRICS


@pytest.mark.parametrize("suffix", ID3_FILES)
def test_huge_id3_tags_are_not_read(songs: dict[str, Path], suffix: str) -> None:
    """Mutagen would need 13 seconds for these lyrics, and hold up all other threads."""
    path = songs[suffix]
    write(path)
    file = opened(path)
    file.tags.setall("USLT", [USLT(encoding=Encoding.UTF16, lang="XXX", text="la" * 5_000_000)])
    file.save()
    content = path.read_bytes()
    assert read_tags(path) is None
    assert not write_tags(path, TYPES[suffix], TAGS, None)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", TYPES)
def test_tags_of_others_are_not_taken_for_ours(songs: dict[str, Path], suffix: str) -> None:
    """A file with any title would count as a song of the service, with its title as a fact."""
    path = songs[suffix]
    assert read_tags(path) is None
    file = opened(path)
    file.tags.update({"\xa9nam": ["Song"]} if suffix in MP4_FILES else {"COMM": COMM(text=["Made with AI"])})
    file.save()
    assert read_tags(path) is None


def test_all_formats_are_tested(songs: dict[str, Path]) -> None:
    assert set(chain(MP4_FILES, ID3_FILES)) == set(TYPES) == set(songs)
