"""File formats: WAV, ZIP, and MP4 with a single picture."""

import io
import struct
import zipfile
from array import array

from producer_tools.sandbox.music.track import RATE

NOTICE = "Made by ProducerSandbox, a local stand-in: this is not music of the Producer service."

_SAMPLE = 2  # bytes
_FIXED_ONE = 0x10000  # the number 1 as MP4's fixed-point number with 16 fractional bits
# The identity: the picture is not transformed.
_MATRIX = struct.pack(">9I", _FIXED_ONE, 0, 0, 0, _FIXED_ONE, 0, 0, 0, 1 << 30)
_ENGLISH, _UNDETERMINED = 0x15C7, 0x55C4  # languages: "eng" and "und", five bits for each letter
_PNG, _VISUAL = 0x6D, 0x04  # from the MPEG-4 registry: the codec PNG, and a visual stream


def wav(samples: "array[int]") -> bytes:
    """Make a WAVE file from 16-bit mono samples; its comment says that the sandbox made it."""
    comment = NOTICE.encode("ascii") + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFO" + _chunk(b"ICMT", comment)
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE * _SAMPLE, _SAMPLE, 8 * _SAMPLE)
    return _chunk(b"RIFF", b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"LIST", info) + _chunk(b"data", samples.tobytes()))


def zipped(files: dict[str, bytes]) -> bytes:
    """Make a ZIP archive, without dates or compression, so that the same files always give the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3  # Unix, on every platform
            out.writestr(entry, content)
    return archive.getvalue()


def mp4(picture: bytes, samples: "array[int]") -> bytes:
    """Make an MP4 file that shows one PNG picture while the 16-bit mono samples play."""
    kinds = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isommp42qt  ")
    sound = samples.tobytes()
    # The index comes first and contains the positions of the media, which depend on the size of the index. That size is
    # the same for all positions, so a first index with zeros gives it.
    start = len(kinds) + len(_movie(picture, len(samples), 0, 0)) + 8
    return kinds + _movie(picture, len(samples), start, start + len(picture)) + _box(b"mdat", picture, sound)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def _full_box(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    """A box that starts with a version, here always 0, and flags."""
    return _box(name, struct.pack(">I", flags), *content)


def _movie(picture: bytes, samples: int, picture_at: int, sound_at: int) -> bytes:
    """The index of the MP4 file. All its times are in samples of the sound."""
    width, height = struct.unpack_from(">II", picture, 16)
    header = struct.pack(">4IIH10x", 0, 0, RATE, samples, _FIXED_ONE, 0x100) + _MATRIX + struct.pack(">24xI", 3)
    frames = _table(_png_entry(width, height), (1, samples), struct.pack(">3I", 0, 1, len(picture)), picture_at)
    sounds = _table(_pcm_entry(), (samples, 1), struct.pack(">2I", _SAMPLE, samples), sound_at)
    return _box(
        b"moov",
        _full_box(b"mvhd", header),
        _track(1, samples, (width, height), _handler(b"vide"), _media(_full_box(b"vmhd", bytes(8), flags=1), frames)),
        _track(2, samples, (0, 0), _handler(b"soun"), _media(_full_box(b"smhd", bytes(4)), sounds)),
        _box(b"udta", _box(b"\xa9cmt", struct.pack(">HH", len(NOTICE), _ENGLISH), NOTICE.encode("ascii"))),
    )


def _track(number: int, samples: int, size: tuple[int, int], *content: bytes) -> bytes:
    volume = 0 if any(size) else 0x100
    header = struct.pack(">5I8x3H2x", 0, 0, number, 0, samples, 0, 0, volume) + _MATRIX
    header += struct.pack(">2I", *(side * _FIXED_ONE for side in size))
    times = _full_box(b"mdhd", struct.pack(">4IHH", 0, 0, RATE, samples, _UNDETERMINED, 0))
    return _box(b"trak", _full_box(b"tkhd", header, flags=7), _box(b"mdia", times, *content))


def _handler(kind: bytes) -> bytes:
    return _full_box(b"hdlr", bytes(4), kind, bytes(12), b"\0")


def _media(header: bytes, table: bytes) -> bytes:
    # The flag says that the media are in the same file.
    here = _full_box(b"dref", struct.pack(">I", 1), _full_box(b"url ", flags=1))
    return _box(b"minf", header, _box(b"dinf", here), table)


def _table(entry: bytes, times: tuple[int, int], sizes: bytes, place: int) -> bytes:
    """A track's sample table; ``times`` is the number of samples and the duration of each. All are in one chunk."""
    return _box(
        b"stbl",
        _full_box(b"stsd", struct.pack(">I", 1), entry),
        _full_box(b"stts", struct.pack(">3I", 1, *times)),
        _full_box(b"stsc", struct.pack(">4I", 1, 1, times[0], 1)),
        _full_box(b"stsz", sizes),
        _full_box(b"stco", struct.pack(">2I", 1, place)),
    )


def _png_entry(width: int, height: int) -> bytes:
    coding = _descriptor(4, struct.pack(">BBxxxII", _PNG, _VISUAL << 2 | 1, 0, 0))
    stream = _full_box(b"esds", _descriptor(3, struct.pack(">HB", 1, 0), coding, _descriptor(6, b"\2")))
    inches = 72 * _FIXED_ONE
    layout = struct.pack(">6xH16xHHIIxxxxH32xHh", 1, width, height, inches, inches, 1, 24, -1)
    return _box(b"mp4v", layout, stream)


def _pcm_entry() -> bytes:
    # "sowt" is QuickTime's code for 16-bit little-endian samples ("twos" reversed).
    return _box(b"sowt", struct.pack(">6xH8xHHxxxxI", 1, 1, 8 * _SAMPLE, RATE * _FIXED_ONE))


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">BB", tag, len(body)) + body
