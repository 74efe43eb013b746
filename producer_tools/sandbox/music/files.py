"""File formats: WAV sound, a ZIP of files, and an MP4 film of one still picture."""

import io
import struct
import zipfile
from array import array

from producer_tools.sandbox.music.track import RATE

NOTICE = "Made by ProducerSandbox, a local stand-in: this is not music of the Producer service."

_SAMPLE = 2  # bytes
_WHOLE = 0x10000  # the number 1 where MP4 wants 16 bits before the point and 16 after
_MATRIX = struct.pack(">9I", _WHOLE, 0, 0, 0, _WHOLE, 0, 0, 0, 1 << 30)  # the picture neither turned nor stretched
_ENGLISH, _UNDETERMINED = 0x15C7, 0x55C4  # languages: "eng" and "und" in three times five bits
_PNG, _VISUAL = 0x6D, 0x04  # from the MPEG-4 registry: the coding is PNG, and the stream one of pictures


def wav(samples: "array[int]") -> bytes:
    """Write 16-bit mono samples as a WAVE file whose comment says where it comes from."""
    comment = NOTICE.encode("ascii") + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFO" + _chunk(b"ICMT", comment)
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE * _SAMPLE, _SAMPLE, 8 * _SAMPLE)
    return _chunk(b"RIFF", b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"LIST", info) + _chunk(b"data", samples.tobytes()))


def zipped(files: dict[str, bytes]) -> bytes:
    """Put files into a ZIP archive; the same files make the same bytes, so it is neither dated nor compressed."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3  # Unix, wherever this runs
            out.writestr(entry, content)
    return archive.getvalue()


def mp4(picture: bytes, samples: "array[int]") -> bytes:
    """Make a film that shows one PNG picture for as long as the 16-bit mono samples sound."""
    kinds = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isommp42qt  ")
    sound = samples.tobytes()
    # The index comes first and says where the media are, which depends on its own size; that does not change with the
    # places it names.
    start = len(kinds) + len(_movie(picture, len(samples), 0, 0)) + 8
    return kinds + _movie(picture, len(samples), start, start + len(picture)) + _box(b"mdat", picture, sound)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    """A box that starts with a version, always 0 here, and flags."""
    return _box(name, struct.pack(">I", flags), *content)


def _movie(picture: bytes, samples: int, picture_at: int, sound_at: int) -> bytes:
    """The index of the film. All its times are counted in samples of the sound."""
    width, height = struct.unpack_from(">II", picture, 16)
    header = struct.pack(">4IIH10x", 0, 0, RATE, samples, _WHOLE, 0x100) + _MATRIX + struct.pack(">24xI", 3)
    frames = _table(_png_entry(width, height), (1, samples), struct.pack(">3I", 0, 1, len(picture)), picture_at)
    sounds = _table(_pcm_entry(), (samples, 1), struct.pack(">2I", _SAMPLE, samples), sound_at)
    return _box(
        b"moov",
        _full(b"mvhd", header),
        _track(1, samples, (width, height), _handler(b"vide"), _media(_full(b"vmhd", bytes(8), flags=1), frames)),
        _track(2, samples, (0, 0), _handler(b"soun"), _media(_full(b"smhd", bytes(4)), sounds)),
        _box(b"udta", _box(b"\xa9cmt", struct.pack(">HH", len(NOTICE), _ENGLISH), NOTICE.encode("ascii"))),
    )


def _track(number: int, samples: int, size: tuple[int, int], *content: bytes) -> bytes:
    volume = 0 if any(size) else 0x100
    header = struct.pack(">5I8x3H2x", 0, 0, number, 0, samples, 0, 0, volume) + _MATRIX
    header += struct.pack(">2I", *(side * _WHOLE for side in size))
    times = _full(b"mdhd", struct.pack(">4IHH", 0, 0, RATE, samples, _UNDETERMINED, 0))
    return _box(b"trak", _full(b"tkhd", header, flags=7), _box(b"mdia", times, *content))


def _handler(kind: bytes) -> bytes:
    return _full(b"hdlr", bytes(4), kind, bytes(12), b"\0")


def _media(header: bytes, table: bytes) -> bytes:
    # The flag says that the media are in this same file.
    here = _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))
    return _box(b"minf", header, _box(b"dinf", here), table)


def _table(entry: bytes, times: tuple[int, int], sizes: bytes, place: int) -> bytes:
    """Where a track's samples lie: ``times`` is how many there are and how long each lasts; all are in one chunk."""
    return _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">3I", 1, *times)),
        _full(b"stsc", struct.pack(">4I", 1, 1, times[0], 1)),
        _full(b"stsz", sizes),
        _full(b"stco", struct.pack(">2I", 1, place)),
    )


def _png_entry(width: int, height: int) -> bytes:
    coding = _descriptor(4, struct.pack(">BBxxxII", _PNG, _VISUAL << 2 | 1, 0, 0))
    stream = _full(b"esds", _descriptor(3, struct.pack(">HB", 1, 0), coding, _descriptor(6, b"\2")))
    inches = 72 * _WHOLE
    layout = struct.pack(">6xH16xHHIIxxxxH32xHh", 1, width, height, inches, inches, 1, 24, -1)
    return _box(b"mp4v", layout, stream)


def _pcm_entry() -> bytes:
    # "sowt" is what QuickTime calls 16-bit samples with the low byte first, "twos" turned round.
    return _box(b"sowt", struct.pack(">6xH8xHHxxxxI", 1, 1, 8 * _SAMPLE, RATE * _WHOLE))


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">BB", tag, len(body)) + body
