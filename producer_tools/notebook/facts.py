"""What is known of a saved file, in words."""

from producer_tools.files.audio.measured import Measured

_NO_BREAK = "\N{NO-BREAK SPACE}"
_HALF_SPACE = "\N{NARROW NO-BREAK SPACE}"


def measured_facts(measured: Measured | None) -> str:
    """What was measured, on one line: ``44.1 kHz · stereo · -14.2 LUFS · peak -1.0 dBFS``; empty if nothing was."""
    if measured is None:
        return ""
    rate, loudness, peak = measured.sample_rate, measured.loudness_lufs, measured.peak_dbfs
    facts = (
        "" if rate is None else f"{rate / 1000:g}{_HALF_SPACE}kHz",
        {1: "mono", 2: "stereo"}.get(measured.channels or 0, ""),
        "" if loudness is None else f"{_signed(loudness)}{_HALF_SPACE}LUFS",
        "" if peak is None else f"peak{_NO_BREAK}{_signed(peak)}{_HALF_SPACE}dBFS",
    )
    return " · ".join(filter(None, facts))


def size(count: int) -> str:
    """The length of a file: ``640 kB``, ``2.9 MB``."""
    return f"{count / 1000:,.0f}{_HALF_SPACE}kB" if count < 10**6 else f"{count / 10**6:,.1f}{_HALF_SPACE}MB"


def _signed(decibels: float) -> str:
    """With a minus sign that is as wide as a plus, and without one before zero."""
    return f"{round(decibels, 1) + 0:.1f}".replace("-", "\N{MINUS SIGN}")
