"""What a sound looks like: a WAV file as a row of bars, the louder the longer."""

import wave
from pathlib import Path

_BARS = 240
# A song has millions of samples and a bar thousands of them; these many show how loud it is, at the cost of a blink.
_SAMPLES_PER_BAR = 500
# A picture does not know the page it stands on: this reads on white and on black.
_COLOR = "#7c83e0"
_HALF = 50


def waveform(path: Path) -> bytes | None:
    """The loudness of a PCM WAV file over its length, as an SVG picture; the loudest bar is as high as the picture.

    Args:
        path: the file. It need not be there: ``None`` is returned for what cannot be read or is anything else.
    """
    try:
        with path.open("rb") as file, wave.open(file) as sound:
            peaks = _peaks(sound)
    except (OSError, ValueError, EOFError, RuntimeError, wave.Error):  # wave raises any of them at a broken file
        return None
    return _svg(peaks) if peaks else None


def _peaks(sound: wave.Wave_read) -> list[int]:
    """The loudest sample of each bar, of any channel; fewer bars if the sound is shorter than they are many."""
    frames, width = sound.getnframes(), sound.getsampwidth()
    bars = min(_BARS, frames)
    ends = [frames * (bar + 1) // bars for bar in range(bars)]
    return [_peak(sound.readframes(end - start), width) for start, end in zip([0, *ends], ends, strict=False)]


def _peak(data: bytes, width: int) -> int:
    samples = len(data) // width
    step = samples // _SAMPLES_PER_BAR | 1  # odd, so that it comes by both channels of a stereo file
    starts = range(0, samples * width, step * width)
    return max((abs(_sample(data[start : start + width])) for start in starts), default=0)


def _sample(data: bytes) -> int:
    # Samples of one byte are the only ones without a sign: their silence is in the middle.
    return data[0] - 128 if len(data) == 1 else int.from_bytes(data, "little", signed=True)


def _svg(peaks: list[int]) -> bytes:
    loudest = max(peaks) or 1
    halves = [max(1, round(_HALF * peak / loudest)) for peak in peaks]
    bars = "".join(f"M{x} {_HALF - half}v{2 * half}" for x, half in enumerate(halves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-.5 0 {len(peaks)} {2 * _HALF}" preserveAspectRatio="none">'
        f'<path d="{bars}" stroke="{_COLOR}" stroke-width=".7"/></svg>'
    ).encode()
