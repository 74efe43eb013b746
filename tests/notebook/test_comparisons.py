"""Two takes in one player: what is embedded, how large it may be, and that it is shut off from the notebook."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from producer_tools import Downloads, Measured
from producer_tools.errors import InvalidArgumentError
from producer_tools.notebook import Comparison, compare, write_page
from tests.notebook.documents import Document, tone
from tests.notebook.page import SONG, complete, embedded, saved_file


class Frame(Document):
    """The parsed output of a notebook."""

    tags = frozenset({"iframe"})
    names = frozenset({"srcdoc", "sandbox", "title", "style"})


def framed(comparison: Comparison) -> Document:
    """The document in the frame that a notebook shows."""
    html = comparison._repr_html_()
    assert type(html) is str, "marimo shows nothing if it gets a subclass of str"
    assert len(html.encode()) < 8_000_000, "marimo shows no output that is larger"
    (frame,) = Frame(html).elements
    assert frame.attributes["sandbox"] == "allow-scripts", "with allow-same-origin it could run code in the notebook"
    document = Document(frame.attributes["srcdoc"])
    document.check_policy()
    return document


def test_both_takes_are_embedded_and_described(tmp_path: Path) -> None:
    """Without facts, takes look alike; with different scales, the playhead would be wrong in one of them."""
    first, second = tone(tmp_path / "First.wav", 4), tone(tmp_path / "Second.wav", 2)
    comparison = compare(first, second)
    shown = framed(comparison)
    assert [embedded(source)[1] for source in shown.sources("audio")] == [
        (tmp_path / name).read_bytes() for name in ("First.wav", "Second.wav")
    ]
    takes = [text for text in shown.classed("take") if text]
    assert takes[0].startswith("AFirst0:04 · FUZZ-2.0 · 8\u202fkHz · mono")
    assert takes[0].endswith("too short: 4.0 s")
    assert takes[1].startswith("BSecond0:02")
    bars = [element.attributes["d"].count("M") for element in shown.elements if element.tag == "path" and
            "v2" in element.attributes["d"]]  # fmt: skip
    assert bars == [180, 180, 90, 90]
    assert repr(comparison) == "Comparison('First', 'Second')"


@pytest.mark.parametrize("kind", ["SavedFile", "Downloads", "path", "str"])
def test_everything_that_is_a_song_can_be_compared(kind: str, tmp_path: Path) -> None:
    """Someone who has a path must not need to build a SavedFile."""
    file = tone(tmp_path / "First Day.wav", 1)
    songs: dict[str, Any] = {
        "SavedFile": file, "Downloads": Downloads(complete(SONG), (file,)), "path": tmp_path / "First Day.wav",
        "str": str(tmp_path / "First Day.wav"),
    }  # fmt: skip
    assert compare(songs[kind], file).name == "First Day"


def test_large_files_are_both_encoded_anew(tmp_path: Path) -> None:
    """Only one of them as MP3 would sound worse for a reason that is not in the song."""
    large, small = tone(tmp_path / "a.wav", 62, rate=48_000), tone(tmp_path / "b.wav", 2)
    assert large.bytes > 5_880_000
    comparison = compare(large, small)
    assert [embedded(take.source)[0] for take in comparison.takes] == ["audio/mpeg"] * 2
    assert "both are encoded as mono MP3" in framed(comparison).text


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """A comparison of its first ten minutes would end without a word."""
    long = replace(saved_file(tmp_path / "a.m4a", bytes(5_880_001)), measured=Measured(601.0), title="Long")
    with pytest.raises(InvalidArgumentError, match="Long is longer than ten minutes"):
        compare(long, long)


def test_two_songs_of_the_largest_size_are_not_too_much_for_marimo(tmp_path: Path) -> None:
    """There would be an error in place of the player."""
    songs = [saved_file(tmp_path / name, bytes(2_940_000)) for name in ("a.wav", "b.wav")]
    framed(compare(*songs))


def test_without_the_extra_a_large_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at all, or an error of a library, would not tell the user what to do."""
    large, small = saved_file(tmp_path / "a.m4a", bytes(5_880_001)), tone(tmp_path / "b.wav", 1)
    for module in ("av", "numpy", "soundfile"):
        monkeypatch.setitem(sys.modules, module, None)
    assert len(compare(small, small).takes) == 2, "small ones need no extra"
    with pytest.raises(ImportError, match=r'pip install "producer-tools\[sound\]"'):
        compare(large, small)


def test_a_file_that_is_gone_is_refused_by_its_name(tmp_path: Path) -> None:
    """A silent half of a comparison would look like a silent take."""
    first, second = tone(tmp_path / "a.wav", 1), tone(tmp_path / "b.wav", 1)
    Path(second.path).unlink()
    with pytest.raises(InvalidArgumentError, match=r"second: b\.wav is no longer there"):
        compare(first, second)
    with pytest.raises(InvalidArgumentError, match="first: there is no saved song"):
        compare(Downloads(complete(SONG), ()), first)
    Path(second.path).symlink_to(first.path)
    with pytest.raises(InvalidArgumentError, match=r"second: b\.wav is a link"):
        compare(first, second)


def test_titles_cannot_leave_the_frame(tmp_path: Path) -> None:
    """A title with quotes could end the frame's attribute, and its markup would run in the notebook."""
    title = '"></iframe><script>alert(1)</script>'
    file = tone(tmp_path / "a.wav", 1)
    shown = framed(compare(Downloads(complete({**SONG, "title": title}), (file,)), file))
    assert len(shown.named("script")) == 1
    assert title in shown.named("b")


def test_a_page_can_have_a_comparison(tmp_path: Path) -> None:
    """The page has no frame, so that its own policy must allow the comparison's script."""
    first, second = tone(tmp_path / "a.wav", 1), tone(tmp_path / "b.wav", 1, audio_id="a2")
    path = write_page([first, compare(first, second), second], tmp_path / "page.html")
    shown = Document(path.read_text("utf-8"))
    shown.check_policy()
    assert shown.named("h2") == ["a", "a and b", "b"]
    assert len(shown.sources("audio")) == 4
    assert "Made with AI, by FUZZ-2.0." in shown.named("p")
