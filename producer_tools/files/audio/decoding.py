"""Decodes audio files into samples, a second at a time. Needs the extra ``sound``."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from producer_tools.errors import AudioError
from producer_tools.errors.missing_extra import needing_extra

if TYPE_CHECKING:
    import av
    import av.container
    import numpy
    from numpy.typing import NDArray

    Block = NDArray[numpy.float32]

LONGEST = 30 * 60
"""Seconds of a file that are decoded. The rest is left out; the longest song has eight minutes."""

_FORMATS = "mov,mp3,wav,aac"  # without a list, FFmpeg also plays playlists, which name other files and URLs
_RATES = range(4_000, 384_001)  # Hz
_MOST_CHANNELS = 8
_LOUDEST = 1000.0  # 60 dB above full scale; a file of floating-point numbers may hold any, and also none (NaN)


@dataclass(frozen=True)
class Samples:
    """The audio of an open file.

    Attributes:
        sample_rate: in Hz.
        channels: 1 is mono, 2 is stereo.
        blocks: float32 arrays of shape (frames, channels), to be read once, before the file is closed. Each is one
            second long, and the last one at most that. Full scale is from -1 to 1, and lossy formats overshoot it. All
            samples are finite.
    """

    sample_rate: int
    channels: int
    blocks: "Generator[Block, None, None]"


def can_decode() -> bool:
    """Whether the libraries of the extra ``sound`` are installed."""
    return all(find_spec(name) for name in ("av", "numpy", "pyloudnorm"))


@contextmanager
def samples(path: Path) -> Iterator[Samples]:
    """Open the audio of an M4A, MP4, MP3, WAV or AAC file, until the end of the ``with`` block.

    Damaged parts are left out, and a file that is cut off ends there: reading ``blocks`` raises nothing.

    Args:
        path: the file; of a video, its first audio track is read.

    Raises:
        AudioError: the file cannot be read, or it has no audio that can be decoded.
        ImportError: the extra ``sound`` is missing.
    """
    with needing_extra("sound", "Decoding audio"):
        import av  # noqa: PLC0415 - optional
        import numpy  # noqa: F401, PLC0415 - optional, and av needs it
    with ExitStack() as opened:
        try:
            # With the protocol before it, FFmpeg does not take a path such as a:b.m4a for a URL.
            container = opened.enter_context(av.open(f"file:{path}", options={"format_whitelist": _FORMATS}))
            audio = _decode(container)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            message = f"The audio in {path.name} cannot be decoded ({type(error).__name__})."
            raise AudioError("undecodable", message) from error
        opened.callback(audio.blocks.close)  # PyAV would crash the process if they were read from a closed file
        yield audio


def _decode(container: "av.container.InputContainer") -> Samples:
    frames = _frames(container)
    first = next(frames, None)
    if first is None:
        raise ValueError("nothing in it can be played")
    # Only the frames know: the header of an HE-AAC file names half the sample rate.
    rate, channels = first.sample_rate, len(first.layout.channels)
    if rate not in _RATES or channels > _MOST_CHANNELS:
        raise ValueError(f"it has {channels} channels of {rate} Hz")
    blocks = _blocks(chain([first], frames), first)
    return Samples(rate, channels, (block for block in islice(blocks, LONGEST)))


def _frames(container: "av.container.InputContainer") -> "Iterator[av.AudioFrame]":
    """The decoded frames, without those that are damaged."""
    import av  # noqa: PLC0415 - optional

    packets = container.demux(audio=0) if container.streams.audio else iter(())
    while True:
        try:
            packet = next(packets, None)
        except (OSError, av.error.FFmpegError):  # the rest of the file cannot be read
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if isinstance(frame, av.AudioFrame))


def _blocks(frames: "Iterator[av.AudioFrame]", first: "av.AudioFrame") -> "Iterator[Block]":
    """The samples of all frames, one second at a time."""
    import av  # noqa: PLC0415 - optional

    rate = first.sample_rate
    # Not "fltp", where each channel has its own plane: for eight of them, PyAV reads behind the end of the list of
    # planes, and the process may crash.
    seconds = av.AudioResampler(format="flt", layout=first.layout, rate=rate, frame_size=rate)
    for frame in frames:
        if _form(frame) == _form(first):  # otherwise it is damaged
            frame.pts = None  # gaps are not filled, and nothing is left out
            yield from map(_block, seconds.resample(frame))
    yield from map(_block, seconds.resample(None))


def _block(second: "av.AudioFrame") -> "Block":
    """The samples of a frame in which the channels take turns."""
    import numpy as np  # noqa: PLC0415 - optional

    samples = np.nan_to_num(second.to_ndarray()).reshape(-1, len(second.layout.channels))
    return samples.clip(-_LOUDEST, _LOUDEST)


def _form(frame: "av.AudioFrame") -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
