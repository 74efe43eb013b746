"""Compressed files, made by PyAV (extra ``sound``): M4A, MP3, and MP4 with a still picture.

Their comment says that the sandbox made them. They contain no dates: the same samples give the same bytes, so that a
download that broke off can be resumed.
"""

import io
from array import array
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from producer_tools.errors.missing_extra import needing_extra
from producer_tools.sandbox.music.formats import NOTICE
from producer_tools.sandbox.music.track import RATE

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer

_SoundCodec = Literal["aac", "libmp3lame"]

_BIT_RATE = 96_000  # bits per second of sound
_REPEATABLE = "+bitexact"  # FFmpeg writes no dates, versions or random ids


def check_installed(what: str) -> None:
    """Check that files of this module can be made.

    Args:
        what: What needs them, for the message.

    Raises:
        ImportError: PyAV is not installed; the message says how to install it.
    """
    with needing_extra("sound", what):
        import av  # noqa: F401, PLC0415 - PyAV is an extra


def m4a(samples: "array[int]") -> bytes:
    """Make an M4A file (AAC) from 16-bit mono samples."""
    return _encoded("song.m4a", "aac", samples, movflags="+faststart")


def mp3(samples: "array[int]") -> bytes:
    """Make an MP3 file from 16-bit mono samples."""
    return _encoded("song.mp3", "libmp3lame", samples)


def mp4(samples: "array[int]", picture: bytes) -> bytes:
    """Make an MP4 file (H.264 and AAC) that shows a picture while 16-bit mono samples play.

    Args:
        samples: The sound.
        picture: A JPEG file, whose width and height are even.
    """
    return _encoded("song.mp4", "aac", samples, picture, movflags="+faststart")


def _encoded(
    name: str, codec: _SoundCodec, samples: "array[int]", picture: bytes | None = None, **options: str
) -> bytes:
    """Make a file whose type is the ending of ``name``; ``options`` are for the FFmpeg muxer of that type."""
    import av  # noqa: PLC0415 - PyAV is an extra

    # With faststart, FFmpeg opens the file by its name to move the index to the front. It cannot do that in memory.
    with TemporaryDirectory(prefix="producer-sandbox-") as folder:
        path = Path(folder, name)
        with av.open(str(path), "w", options={"fflags": _REPEATABLE, **options}) as out:
            out.metadata["comment"] = NOTICE
            packets = _sound(out, codec, samples)
            if picture is not None:
                packets += _film(out, picture, len(samples))
            out.mux(packets)
        return path.read_bytes()


def _sound(out: "OutputContainer", codec: _SoundCodec, samples: "array[int]") -> "list[Packet[Any]]":
    """Add a track with the sound; returns its packets."""
    from av import AudioFrame  # noqa: PLC0415 - PyAV is an extra

    options = {"flags": _REPEATABLE}
    track = out.add_stream(codec, rate=RATE, options=options, layout="mono", bit_rate=_BIT_RATE)
    frame = AudioFrame("s16", "mono", len(samples))
    frame.sample_rate = RATE
    frame.pts = 0  # without it, the file would be longer by the encoder's delay
    frame.planes[0].update(samples.tobytes())
    return [*track.encode(frame), *track.encode()]


def _film(out: "OutputContainer", picture: bytes, samples: int) -> "list[Packet[Any]]":
    """Add a track that shows the picture for as long as that many samples of sound; returns its packets."""
    import av  # noqa: PLC0415 - PyAV is an extra
    from av.video.frame import PictureType  # noqa: PLC0415 - PyAV is an extra

    with av.open(io.BytesIO(picture)) as file:
        frame = next(file.decode(video=0)).reformat(format="yuv420p")
    frame.pict_type = PictureType.NONE  # the encoder decides which frames are key frames
    # About one frame a second, so that a player can seek. All of them together last exactly as long as the sound.
    count = max(1, round(samples / RATE))
    rate = Fraction(count * RATE, samples)
    options = {"flags": _REPEATABLE, "preset": "veryfast", "tune": "stillimage"}
    track = out.add_stream(
        "libx264", rate=rate, options=options, width=frame.width, height=frame.height, pix_fmt="yuv420p"
    )
    frame.time_base = 1 / rate
    packets: list[Packet[Any]] = []
    for number in range(count):
        frame.pts = number
        packets += track.encode(frame)
    return packets + track.encode()
