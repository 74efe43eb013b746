"""Encodes the beginning of a file as a small MP3, for models that listen to nothing else. Needs the extra ``sound``."""

import io
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from producer_tools.errors.missing_extra import needing_extra
from producer_tools.files.audio.decoding import samples

if TYPE_CHECKING:
    import av
    import numpy
    from numpy.typing import NDArray

_RATE = 44_100  # MP3 knows few sample rates


def to_mp3(path: Path, most_seconds: float, bit_rate: int = 64_000) -> bytes:
    """The beginning of the audio as a mono MP3. It blocks.

    Args:
        path: an M4A, MP4, MP3, WAV or AAC file.
        most_seconds: how much of it to encode.
        bit_rate: in bits per second. A minute has 480 kB with the default.

    Raises:
        AudioError: the file has no audio that can be decoded.
        ImportError: the extra ``sound`` is missing.
    """
    with needing_extra("sound", "Encoding audio"):
        import av  # noqa: PLC0415 - optional
    encoded = io.BytesIO()
    with samples(path) as audio, av.open(encoded, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=_RATE, layout="mono")
        stream.bit_rate = bit_rate
        left = round(most_seconds * audio.sample_rate)
        for block in islice(audio.blocks, ceil(most_seconds)):
            container.mux(stream.encode(_mono(block[:left], audio.sample_rate)))
            left -= len(block)
        container.mux(stream.encode(None))
    return encoded.getvalue()


def _mono(block: "NDArray[numpy.float32]", rate: int) -> "av.AudioFrame":
    import av  # noqa: PLC0415 - optional

    frame = av.AudioFrame.from_ndarray(block.mean(axis=1)[None, :], format="fltp", layout="mono")
    frame.sample_rate = rate
    return frame
