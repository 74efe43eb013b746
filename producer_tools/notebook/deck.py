"""The player of a song, or of two takes at once. `player.js` moves it; without scripts, the browser's own is shown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from producer_tools.notebook.html import tag
from producer_tools.notebook.waveform import BARS, drawing
from producer_tools.tasks.display import minutes

_ICON = {"viewBox": "0 0 24 24", "aria_hidden": "true"}
_PLAY = tag("svg", tag("path", d="M7 4.5v15l13-7.5z"), class_="on", **_ICON)
_PAUSE = tag("svg", tag("path", d="M6 4.5h4.2v15H6zM13.8 4.5H18v15h-4.2z"), class_="off", **_ICON)
_PREVIOUS = tag("svg", tag("path", d="M6 5h2.6v14H6zM20 5v14L9.6 12z"), **_ICON)
_NEXT = tag("svg", tag("path", d="M15.4 5H18v14h-2.6zM4 5l10.4 7L4 19z"), **_ICON)


class Take(NamedTuple):
    """What a deck plays.

    Attributes:
        title: of the song.
        source: the audio, as a data URI.
        seconds: its length; 0 if that is not known before it plays.
        peaks: the loudness of each bar, 0-1, as many as are drawn for this length; ``None`` for no waveform.
        facts: a line about it, which only a pair shows.
        findings: what is wrong with it, which only a pair shows.
    """

    title: str
    source: str
    seconds: float
    peaks: Sequence[float] | None
    facts: str = ""
    findings: tuple[str, ...] = ()


def bars(seconds: float, longest: float) -> int:
    """The bars of a take, so that takes above each other have the same scale."""
    return max(1, round(BARS * seconds / longest)) if longest else BARS


def deck(take: Take) -> str:
    """The player of one song."""
    controls = (_play_button(take.title), _waves(take.title, [take]), _times(take.seconds))
    return _deck(take.title, [take], *controls)


def pair(name: str, takes: tuple[Take, Take]) -> str:
    """The player of two takes, in step, with a switch for the one that is heard.

    Args:
        name: what it is called.
        takes: the first and the second one.
    """
    first, second = (_about(letter, take) for letter, take in zip("AB", takes, strict=True))
    longest = max(take.seconds for take in takes)
    bench = tag("div", _play_button(name), _choice(takes), _times(longest), class_="bench")
    return _deck(name, takes, bench, first, _waves(name, takes), second, class_="deck pair")


def play_bar() -> str:
    """The bar that shows what plays, with buttons for the song before it and the one after it."""
    return tag(
        "div",
        tag("button", _PREVIOUS, type="button", aria_label="Previous song"),
        _play_button(""),
        tag("button", _NEXT, type="button", aria_label="Next song"),
        tag("div", tag("div", class_="title", role="status"), tag("div", class_="time"), class_="what"),
        class_="bar", role="region", aria_label="Now playing", hidden="",
    )  # fmt: skip


def _deck(name: str, takes: Sequence[Take], *controls: str, class_: str = "deck") -> str:
    players = [
        part for letter, take in zip("AB", takes, strict=False) for part in _browsers_own(letter, take, len(takes) > 1)
    ]
    seconds = f"{max(take.seconds for take in takes):.3f}"
    return tag("div", *players, tag("div", *controls, class_="controls", hidden=""),
               class_=class_, data_name=name, data_seconds=seconds)  # fmt: skip


def _browsers_own(letter: str, take: Take, named: bool) -> Iterator[str]:  # noqa: FBT001
    """The browser's own player, which `player.js` replaces. A notebook may forbid scripts."""
    if named:
        yield tag("p", f"{letter}: {take.title}", class_="named")
    yield tag("audio", controls="", preload="none", src=take.source, aria_label=take.title)


def _play_button(name: str) -> str:
    return tag("button", _PLAY, _PAUSE, type="button", class_="play", aria_label=f"Play {name}".rstrip())


def _waves(name: str, takes: Sequence[Take]) -> str:
    """The waveforms above each other, under one slider, which pointers and keys move."""
    longest = max(take.seconds for take in takes)
    peaks = [take.peaks or [0.0] * bars(take.seconds, longest) for take in takes]
    drawn = (drawing(each, max(map(len, peaks))) for each in peaks)
    slider = tag("input", type="range", class_="seek", min="0", max=f"{longest:.3f}", step="any", value="0",
                 aria_label=f"Position in {name}")  # fmt: skip
    return tag("div", *drawn, tag("div", class_="head-line"), slider, class_="waves")


def _times(seconds: float) -> str:
    fault = tag("span", class_="fault", role="status")
    return tag("div", tag("span", minutes(0), class_="now"), fault, tag("span", minutes(seconds), class_="all"),
               class_="times")  # fmt: skip


def _choice(takes: Sequence[Take]) -> str:
    """The switch between the takes."""
    choices = [
        tag("label", tag("input", type="radio", aria_label=f"{letter}: {take.title}"), tag("span", letter))
        for letter, take in zip("AB", takes, strict=True)
    ]
    return tag("div", *choices, class_="choice", role="radiogroup", aria_label="Which one is heard")


def _about(letter: str, take: Take) -> str:
    return tag(
        "div",
        tag("span", letter, class_="letter"),
        tag("b", take.title),
        tag("div", tag("span", take.facts, class_="soft"), *findings(take.findings), class_="about"),
        class_=f"take {letter}",
    )


def findings(found: Iterable[str]) -> Iterator[str]:
    """What is wrong with a song, in words that stand out."""
    return (tag("span", finding, class_="finding") for finding in found)
