"""Draws the waveform of a song: a row of bars, longer where it is louder."""

from collections.abc import Sequence

from producer_tools.notebook.html import data_uri, tag

BARS = 180
"""The bars of a waveform."""

# Readable on a white and on a black page.
_COLOR = "#7c83e0"
_HALF = 50
_SVG = {"xmlns": "http://www.w3.org/2000/svg", "preserveAspectRatio": "none"}


def waveform(peaks: Sequence[float]) -> str:
    """A waveform as the address of a picture, for a page without a style sheet."""
    bars = tag("path", d=_path(peaks), stroke=_COLOR, stroke_width=".65")
    return data_uri("image/svg+xml", tag("svg", bars, viewBox=_box(len(peaks)), **_SVG).encode())


def drawing(peaks: Sequence[float], width: int) -> str:
    """A waveform in the colour of its page, twice: above the first, the second can show how far the song has played.

    Args:
        peaks: the loudness of each bar, 0-1.
        width: the number of bars that have room; a song with fewer ends earlier.
    """
    path = tag("path", d=_path(peaks))
    layers = (tag("svg", path, viewBox=_box(width), class_=name, aria_hidden="true", **_SVG)
              for name in ("ahead", "played"))  # fmt: skip
    return tag("div", *layers, class_="wave")


def _box(width: int) -> str:
    return f"-.5 0 {width} {2 * _HALF}"


def _path(peaks: Sequence[float]) -> str:
    """The bars, of which the loudest has the full height. Silence is a thin line."""
    loudest = max(peaks, default=0) or 1
    halves = [max(1, round(_HALF * peak / loudest)) for peak in peaks]
    return "".join(f"M{x} {_HALF - half}v{2 * half}" for x, half in enumerate(halves))
