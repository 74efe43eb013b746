"""Lyrics are taken apart into sections, and nothing of them is lost."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools.notebook.lyrics import Section, sections


def test_markers_are_set_apart_from_what_is_sung() -> None:
    """[Chorus] within the words reads as if it were sung."""
    words = "Hm\n\n[Verse 1]\nla la\nla\n\n  [Chorus: softly]  \nlo\n[Solo]\n[End]"
    assert sections(words) == [
        Section("", "Hm"), Section("Verse 1", "la la\nla"), Section("Chorus: softly", "lo"), Section("Solo", ""),
        Section("End", ""),
    ]  # fmt: skip


def test_brackets_inside_a_line_are_words() -> None:
    """Only a line of its own is a marker."""
    assert sections("la [oh] la\n[oh] la") == [Section("", "la [oh] la\n[oh] la")]


def test_no_lyrics_have_no_sections() -> None:
    """A song without words would get an empty box."""
    assert sections("") == sections(" \n\n") == []


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine may stand still
@given(st.text(st.sampled_from("[]a \n"), max_size=40))
def test_nothing_is_lost(words: str) -> None:
    """A line that is taken for neither a marker nor words would be missing."""
    shown = "".join(name + sung for name, sung in sections(words))
    assert re.sub(r"[\s\[\]]", "", shown) == re.sub(r"[\s\[\]]", "", words)
