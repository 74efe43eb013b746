"""The shape of a song for a waveform: how loud it is over its length."""

from pathlib import Path

from producer_tools.errors import AudioError
from producer_tools.files.audio.decoding import can_decode, samples
from producer_tools.files.audio.levels import loudest

_STRETCH = 128  # frames, 3 ms: the shortest bar


def peaks(path: Path, bars: int) -> list[float] | None:
    """The loudest sample of each bar, over the length of the audio. It blocks.

    Args:
        path: an M4A, MP4, MP3, WAV or AAC file.
        bars: how many to return. A very short file has fewer.

    Returns:
        Numbers from 0 to 1, which is full scale; ``None`` if nothing can be decoded, or the extra ``sound`` is
        missing.
    """
    if not can_decode():
        return None
    import numpy as np  # noqa: PLC0415 - optional

    try:
        with samples(path) as audio:
            stretches = np.concatenate([loudest(block, _STRETCH) for block in audio.blocks])
    except AudioError:
        return None
    parts = np.array_split(stretches, min(bars, len(stretches)))
    return [min(1.0, round(float(part.max()), 4)) for part in parts]
