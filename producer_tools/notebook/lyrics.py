"""Takes lyrics apart into their sections, so that a page can set the markers apart from what is sung."""

import re
from typing import NamedTuple

# A line of its own, such as [Chorus] or [Verse 2: softly].
_MARKER = re.compile(r"^[ \t]*\[([^\]\n]{1,80})\][ \t]*$", re.MULTILINE)


class Section(NamedTuple):
    """A part of the lyrics.

    Attributes:
        name: what its marker says, without the brackets; empty if the lyrics begin without a marker.
        words: what is sung, with its line breaks; empty for a part without words.
    """

    name: str
    words: str


def sections(lyrics: str) -> list[Section]:
    """The parts of lyrics in their order."""
    first, *rest = _MARKER.split(lyrics)
    parts = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
    found = (Section(name.strip(), words.strip("\r\n")) for name, words in parts)
    return [section for section in found if section.name or section.words.strip()]
