"""Two takes of a song in one player, in step: one is heard, and a switch changes which."""

from dataclasses import dataclass, replace
from pathlib import Path

from producer_tools.errors.invalid_argument import InvalidArgumentError
from producer_tools.errors.missing_extra import needing_extra
from producer_tools.files.audio.encoding import to_mp3
from producer_tools.files.audio.measuring import measure
from producer_tools.files.audio.peaks import peaks
from producer_tools.files.saved import SavedFile
from producer_tools.files.unchanged import read, why_unusable
from producer_tools.notebook.deck import Take, bars, pair
from producer_tools.notebook.document import document
from producer_tools.notebook.facts import measured_facts
from producer_tools.notebook.html import data_uri, tag
from producer_tools.notebook.tracks import Songs, Track, tracks
from producer_tools.tasks.display import minutes, quote

_MOST_BYTES = 5_880_000
"""Bytes of both files: two of three minutes at 128 kbit/s. Embedded, they are less than the 8 MB that marimo shows."""

_MOST_SECONDS = 600
_BIT_RATE, _BIT_RATE_OF_LONG = 64_000, 32_000
_LONG = 300.0
"""Seconds from which 64 kbit/s would be too much."""

_HEIGHT = "max(360px,calc(540px - 25vw))"
"""Of the frame in a notebook, which cannot grow with what is in it. On a narrow page, facts need more lines."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two takes, ready to be played. A notebook shows it as a player; `write_page` takes it too.

    Attributes:
        tracks: the songs.
        takes: what is played of them.
        note: what differs from the files; empty if nothing does.
    """

    tracks: tuple[Track, Track]
    takes: tuple[Take, Take]
    note: str = ""

    @property
    def name(self) -> str:
        """Both titles."""
        return " and ".join(dict.fromkeys(track.title for track in self.tracks))

    def section(self) -> str:
        """The player, for a page that has the style sheet and the script."""
        note = tag("p", self.note, class_="soft") if self.note else ""
        return tag("section", pair(self.name, self.takes), note, class_="compared")

    def __repr__(self) -> str:
        """One line: ``Comparison('First Day', 'Second Day')``."""
        return f"Comparison({', '.join(quote(take.title) for take in self.takes)})"

    def _repr_html_(self) -> str:
        """In a notebook: the player, in a frame that can reach neither the notebook nor the network."""
        frame = document(self.name, framed=True)
        inside = f"{frame.start}<main>{self.section()}</main>{frame.end}"
        style = f"width:100%;height:{_HEIGHT};border:1px solid rgba(128,128,128,.35);border-radius:10px"
        title = f"Compare {self.name}"
        return str(tag("iframe", srcdoc=inside, sandbox="allow-scripts", title=title, style=style))


def compare(first: Songs, second: Songs) -> Comparison:
    """Compare two takes by ear, in a notebook: both play in step, and a switch changes which one is heard.

    Both are embedded. If they are larger than 5.88 MB together, which is six minutes at 128 kbit/s, both are encoded
    anew for it as mono MP3, with the extra ``sound``, so that neither has an advantage. It blocks, for some seconds: in
    async code, call it with `asyncio.to_thread`.

    Args:
        first: `Downloads`, `SavedFile`, the state of a song of an album graph, or a path. Of several songs, the first
            one is taken. It is called A.
        second: the same. It is called B.

    Returns:
        What a notebook shows as a player, if it is the last value of a cell.

    Raises:
        InvalidArgumentError: there is no file, it has changed since it was saved, or it is too large to be embedded and
            longer than ten minutes.
        AudioError: it has to be encoded anew, and cannot be decoded.
        ImportError: it has to be encoded anew, and the extra ``sound`` is missing.
    """
    found = (_track("first", first), _track("second", second))
    sources, note = _sources(found)
    longest = max(track.seconds or 0 for track in found)
    one, two = (_take(track, source, longest) for track, source in zip(found, sources, strict=True))
    return Comparison(found, (one, two), note)


def _track(argument: str, song: Songs) -> Track:
    """The first song that can be played, with what is measured of it."""
    found = tracks(song)
    track = next((each for each in found if each.file and not why_unusable(each.file)), None)
    if track is None or track.file is None:
        reasons = [f"{Path(each.file.path).name} is {why_unusable(each.file)}" for each in found if each.file]
        raise InvalidArgumentError({argument: "; ".join(reasons) or "there is no saved song in it"})
    measured = track.measured or measure(Path(track.file.path))
    seconds = measured.duration_seconds if measured else track.seconds
    return replace(track, file=replace(track.file, measured=measured), seconds=seconds)


def _sources(found: tuple[Track, Track]) -> tuple[list[str], str]:
    """Both songs as data URIs, and what was done to them."""
    files = [track.file for track in found if track.file]
    if sum(file.bytes for file in files) <= _MOST_BYTES:
        return [data_uri(file.content_type, _bytes(file)) for file in files], ""
    encoded = [_encoded(track) for track in found]
    return [data_uri("audio/mpeg", data) for data in encoded], "For this comparison, both are encoded as mono MP3."


def _bytes(file: SavedFile) -> bytes:
    data = read(file)
    if data is None:
        raise InvalidArgumentError({"songs": f"{Path(file.path).name} is {why_unusable(file) or 'unreadable'}"})
    return data


def _encoded(track: Track) -> bytes:
    """The song as a small MP3."""
    assert track.file is not None, "_track returns no other"  # noqa: S101 - tells mypy
    seconds = track.seconds or 0
    if seconds > _MOST_SECONDS:
        raise InvalidArgumentError({"songs": f"{track.title} is longer than ten minutes, so it cannot be compared"})
    with needing_extra("sound", "Comparing files of more than 5.88 MB together"):
        return to_mp3(Path(track.file.path), _MOST_SECONDS, _BIT_RATE if seconds < _LONG else _BIT_RATE_OF_LONG)


def _take(track: Track, source: str, longest: float) -> Take:
    assert track.file is not None, "_track returns no other"  # noqa: S101 - tells mypy
    seconds = track.seconds or 0
    length = minutes(seconds) if seconds else ""
    facts = " · ".join(filter(None, (length, track.model, measured_facts(track.measured))))
    drawn = peaks(Path(track.file.path), bars(seconds, longest))
    return Take(track.title, source, seconds, drawn, facts, track.findings)
