"""Makes short audio files for tests."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

RATE = 44_100
JPEG = b"\xff\xd8\xff\xe0\x03\xe8" + b"j" * 998 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 1000
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
TYPES = {".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".wav": "audio/wav", ".mp4": "video/mp4"}
_CODECS = {".m4a": "aac", ".mp4": "aac", ".mp3": "libmp3lame", ".wav": "pcm_s16le"}


def tone(seconds: float, level: float = 0.1, hertz: float = 997, rate: int = RATE, channels: int = 2) -> Wave:
    """A sine wave of this level, 1 being full scale, as (frames, channels)."""
    times = np.arange(round(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * hertz * times)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def silence(seconds: float, rate: int = RATE, channels: int = 2) -> Wave:
    return np.zeros((round(seconds * rate), channels), dtype=np.float32)


def noise(seconds: float, level: float, rate: int = RATE, channels: int = 2) -> Wave:
    shape = (round(seconds * rate), channels)
    return np.random.default_rng(1).uniform(-level, level, shape).astype(np.float32)


def save(path: Path, wave: Wave, rate: int = RATE) -> Path:
    """Encode samples in the format of the file's name. An MP4 gets a picture too."""
    layout = "mono" if wave.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", format="ipod" if path.suffix == ".m4a" else None) as container:
        video = container.add_stream("mpeg4", rate=1) if path.suffix == ".mp4" else None
        audio = container.add_stream(_CODECS[path.suffix], rate=rate, layout=layout)
        if video is not None:
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
            container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(video.encode(None))
        for start in range(0, len(wave), rate):
            block = np.ascontiguousarray(wave[start : start + rate].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def save_wav(path: Path, samples: NDArray[Any], codec: int = 3, *, extensible: bool = False) -> Path:
    """A WAV file with these samples, as they are: codec 1 has integers, 3 floating-point numbers, 7 mu-law.

    Args:
        path: of the file.
        samples: as (frames, channels).
        codec: how the samples are stored.
        extensible: whether the header has the longer form, which also names the loudspeakers.
    """
    channels, width = samples.shape[1], samples.itemsize
    sizes = RATE, RATE * channels * width, channels * width, 8 * width
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else codec, channels, *sizes)
    if extensible:
        form += struct.pack("<HHIH", 22, 8 * width, 3, codec) + bytes.fromhex("000000001000800000aa00389b71")
    data = samples.tobytes()
    chunks = b"".join(struct.pack("<4sI", name, len(each)) + each for name, each in ((b"fmt ", form), (b"data", data)))
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks)
    return path
