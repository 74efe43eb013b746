"""Draws the waveform of a WAV file: a row of bars, longer where it is louder."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wave

_BARS = 240
# A bar stands for thousands of samples. This many of them are enough to see the loudness, and quick to read.
_SAMPLES_PER_BAR = 500
# Readable on a white and on a black page.
_COLOR = "#7c83e0"
_HALF = 50


def waveform(path: Path) -> bytes | None:
    """The loudness of a PCM WAV file over its length, as an SVG picture. The loudest bar has the full height.

    Args:
        path: the file.

    Returns:
        The SVG, or ``None`` if the file is missing, unreadable or of another type.
    """
    import wave  # noqa: PLC0415 - only needed when a waveform is drawn

    try:
        with path.open("rb") as file, wave.open(file) as sound:
            peaks = _peaks(sound)
    except (OSError, ValueError, EOFError, RuntimeError, wave.Error):  # wave raises any of them for a broken file
        return None
    return _svg(peaks) if peaks else None


def _peaks(sound: "wave.Wave_read") -> list[int]:
    """The loudest sample of each bar, in any channel. A very short file has fewer bars."""
    frames, width = sound.getnframes(), sound.getsampwidth()
    bars = min(_BARS, frames)
    ends = [frames * (bar + 1) // bars for bar in range(bars)]
    return [_peak(sound.readframes(end - start), width) for start, end in zip([0, *ends], ends, strict=False)]


def _peak(data: bytes, width: int) -> int:
    samples = len(data) // width
    step = samples // _SAMPLES_PER_BAR | 1  # odd, so that both channels of a stereo file are read
    starts = range(0, samples * width, step * width)
    return max((abs(_sample(data[start : start + width])) for start in starts), default=0)


def _sample(data: bytes) -> int:
    # Samples of one byte are unsigned, with silence at 128; longer ones are signed.
    return data[0] - 128 if len(data) == 1 else int.from_bytes(data, "little", signed=True)


def _svg(peaks: list[int]) -> bytes:
    loudest = max(peaks) or 1
    halves = [max(1, round(_HALF * peak / loudest)) for peak in peaks]
    bars = "".join(f"M{x} {_HALF - half}v{2 * half}" for x, half in enumerate(halves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-.5 0 {len(peaks)} {2 * _HALF}" preserveAspectRatio="none">'
        f'<path d="{bars}" stroke="{_COLOR}" stroke-width=".7"/></svg>'
    ).encode()
