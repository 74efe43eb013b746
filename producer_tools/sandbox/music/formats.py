"""File formats that need only the standard library: WAV and ZIP."""

import io
import struct
import zipfile
from array import array

from producer_tools.sandbox.music.track import RATE

NOTICE = "Made by ProducerSandbox, a local stand-in: this is not music of the Producer service."

_SAMPLE = 2  # bytes


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


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
