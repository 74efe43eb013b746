"""File names from titles: readable, safe on every file system, and different where files must be."""

import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools.files.library.names import candidates, comparable, readable_name, short_id

JOINERS = {"\u200c", "\u200d"}

TITLES = {
    "Summer Rain": "Summer Rain",
    "Don't Stop, Now (Live)!": "Don't Stop, Now (Live)!",
    "  Vol. 2: Don't / Stop? ": "Vol. 2 - Don't - Stop",
    "../../etc/passwd": "etc-passwd",
    "..\\..\\windows": "windows",
    ".hidden": "hidden",
    "-rf": "rf",
    "CON": "_CON",
    "con.txt": "_con.txt",
    "Lpt1 ": "_Lpt1",
    "Contact": "Contact",
    "Mr. Blue...": "Mr. Blue",
    "": "Untitled",
    "\0\n\t": "Untitled",
    "one\ntwo": "one two",
    "🎵🎶": "🎵🎶",
    "a\u202egpj.exe": "a gpj.exe",
    "\ud800x": "x",
    "夜曲": "夜曲",
    "Ночь": "Ночь",
    "हिन्दी गीत": "हिन्दी गीत",
    "เพลงรัก": "เพลงรัก",
    "Cafe\u0301": "Café",
    "👨\u200d👩\u200d👧 family": "👨\u200d👩\u200d👧 family",
    "می\u200cروم": "می\u200cروم",
    "ශ්\u200dරී": "ශ්\u200dරී",
    "\u200dx \u200c\u200d y\u200d": "x y",
    ".\u200d.x": "x",
    "\u200d": "Untitled",
}


@pytest.mark.parametrize(("title", "name"), TITLES.items())
def test_the_file_name_of_a_title(title: str, name: str) -> None:
    """A title is untrusted text: it could be a path. What a person reads in it must stay."""
    assert readable_name(title) == name


def test_a_long_title_is_cut_between_characters() -> None:
    """File systems limit names to 255 bytes, and half of a character is not valid text."""
    assert readable_name("夜" * 300) == "夜" * 40
    assert readable_name("👨\u200d" * 300) == "👨\u200d" * 16 + "👨"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine may stand still
@given(st.text(max_size=300), st.text(max_size=100))
def test_every_file_name_is_safe(title: str, untrusted_id: str) -> None:
    """Whatever the service sends, a file stays in its directory and is neither hidden nor an option of a command."""
    for stem in islice(candidates(readable_name(title), short_id(untrusted_id, "0f"), 2000), 3):
        name = f"{stem} (vocals and some more).webp"
        assert len(name.encode()) <= 255
        assert Path(name).name == name
        assert not name.startswith((".", "-", "~", " "))
        assert not set(name) & set('/\\:*?"<>|')
        assert all(unicodedata.category(char)[0] != "C" for char in name if char not in JOINERS)
        assert not any(set(word[0] + word[-1]) & JOINERS for word in stem.split())


def test_names_that_a_file_system_takes_for_one_are_compared_as_one() -> None:
    """On macOS and Windows, the second song would take the first one's place."""
    assert comparable("CAFÉ.m4a") == comparable("cafe\u0301.M4A")
    assert comparable("Straße") == comparable("STRASSE")
    assert comparable("Song") != comparable("Song 2")
    assert comparable("So\u200cng") == comparable("Song"), "a person could not tell the two apart"


def test_the_names_of_songs_with_one_title() -> None:
    """A second song must be told from the first one, and the third from the second."""
    found = list(islice(candidates("Same", short_id("1a6a2b3c-77", "t1"), 1), 3))
    assert found == ["Same", "Same (1a6a2b3c)", "Same (1a6a2b3c-2)"]
