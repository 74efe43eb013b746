"""Measures the audio in a file: all of it with the extra ``sound``, its length without."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from producer_tools.errors import AudioError
from producer_tools.files.audio.decoding import Samples, can_decode, samples
from producer_tools.files.audio.headers import read_header
from producer_tools.files.audio.levels import loudest
from producer_tools.files.audio.loudness import Loudness
from producer_tools.files.audio.measured import UNDECODABLE, Measured

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

SILENCE_DBFS = -60.0
"""What is not louder than this is called silence."""

_WINDOWS = 20  # in a second: silence is a window in which no sample is louder
_FULL_SCALE = 0.99995  # the largest sample of 16 bits is 0.99997
_RUN = 3  # A file that was only normalised touches full scale in single samples, a clipped one stays there.


def measure(path: Path) -> Measured | None:
    """Measure the audio in an M4A, MP4, MP3, WAV or AAC file. It blocks, for about a second per song.

    Returns:
        With the extra ``sound``, everything, measured on the decoded samples; `UNDECODABLE` if there are none. Without,
        only the length, the sample rate and the channels, as the file's header names them; only of WAV files if the
        extra ``files`` is missing too. ``None`` if the file cannot be read, or its header says nothing.
    """
    if not can_decode():
        return read_header(path)
    try:
        with samples(path) as audio:
            return _measure(audio)
    except AudioError as error:
        return None if isinstance(error.__cause__, OSError) else UNDECODABLE


def _measure(audio: Samples) -> Measured:
    import numpy as np  # noqa: PLC0415 - optional

    rate = audio.sample_rate
    window = math.ceil(rate / _WINDOWS)
    loudness = Loudness(rate, audio.channels)
    windows, frames, clipped = [], 0, 0
    for block in audio.blocks:
        loudness.add(block)
        windows.append(loudest(block, window))
        frames += len(block)
        clipped += _clipped(block)
    levels = np.concatenate(windows)
    peak = float(levels.max())
    heard = np.flatnonzero(levels > 10 ** (SILENCE_DBFS / 20))
    seconds = frames / rate
    start, end = (heard[0] / _WINDOWS, (heard[-1] + 1) / _WINDOWS) if len(heard) else (seconds, 0.0)
    return Measured(
        duration_seconds=round(seconds, 3),
        sample_rate=rate,
        channels=audio.channels,
        loudness_lufs=loudness.integrated(),
        peak_dbfs=round(20 * math.log10(peak), 1) + 0.0 if peak else None,
        clipped_share=round(clipped / frames / audio.channels, 5),
        silent_share=round(1 - len(heard) / len(levels), 4),
        silent_start_seconds=round(float(start), 2),
        silent_end_seconds=round(max(0.0, float(seconds - end)), 2),
    )


def _clipped(block: "NDArray[numpy.float32]") -> int:
    """The samples, of all channels, that are in a run at full scale."""
    import numpy as np  # noqa: PLC0415 - optional

    full = np.abs(block) >= _FULL_SCALE
    if not full.any():
        return 0
    starts = full[:-2] & full[1:-1] & full[2:]
    in_run = np.zeros_like(full)
    for shift in range(_RUN):
        in_run[shift : len(starts) + shift] |= starts
    return int(in_run.sum())
