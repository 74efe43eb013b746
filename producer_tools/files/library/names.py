"""File names from titles and ids, which are untrusted text."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import count

UNTITLED = "Untitled"
"""Stands in the place of a title of which nothing can be in a file name."""

_LONGEST = 120  # bytes; with what stands behind it, a name stays below the usual limit of 255
# What Windows or another file system forbids, and what stands in its place.
_FORBIDDEN = str.maketrans({**dict.fromkeys("/\\:|", "-"), **dict.fromkeys('<>"?*', " ")})
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\..*)?", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # invisible: they hold an emoji together, and shape the letters of some scripts
_LOOSE_JOINERS = re.compile(rf"(?<!\S)[{_JOINERS}]+|[{_JOINERS}]+(?!\S)")
_SHORT_ID = re.compile(r"[A-Za-z0-9]{1,8}")


def readable_name(title: str) -> str:
    """The title as the name of a file without its extension: ``Don't Stop, Now``.

    Letters of any script, punctuation, spaces and emoji stay. The name is never a path, a hidden file, an option of a
    command, a name that Windows reserves, or too long.
    """
    text = unicodedata.normalize("NFC", title).replace(": ", " - ")
    shown = "".join(char if _is_shown(char) else " " for char in text).translate(_FORBIDDEN)
    line = " ".join(_LOOSE_JOINERS.sub("", shown).split()).lstrip(f" .-~{_JOINERS}")
    name = line.encode()[:_LONGEST].decode(errors="ignore").rstrip(f" .-{_JOINERS}")
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    return name or UNTITLED


def _is_shown(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char)[0] not in "CZ"


def short_id(*ids: str | None) -> str:
    """At most eight letters and digits from the first of these ids that begins with some."""
    found = (_SHORT_ID.match(each) for each in ids if each)
    return next(match.group() for match in found if match)


def candidates(stem: str, short: str, number: int) -> Iterator[str]:
    """The names that a file may get, best first: ``Title``, ``Title (1a6a2b3c)``, ``Title (1a6a2b3c-2)`` and so on.

    Args:
        stem: the name without an extension.
        short: tells the file from others with the same name.
        number: the place of the song in its task, from 1, with which the numbers begin.
    """
    yield stem
    yield f"{stem} ({short})"
    for each in count(max(2, number)):
        yield f"{stem} ({short}-{each})"


def comparable(name: str) -> str:
    """The same for two names that some file system takes for one: it ignores case, or how accents are written.

    Names that look the same, since they differ only in invisible characters, are the same too.
    """
    visible = "".join(char for char in name if char not in _JOINERS)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", visible).casefold())
