"""Recordings as a user has them: whole, cut off, and of types that cannot be uploaded."""

import io
import struct
import wave


def wav(seconds: float = 0.05, *, note: int = 0) -> bytes:
    """A WAV file; another ``note`` makes another content."""
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(struct.pack("<h", note) * int(8000 * seconds))
    return written.getvalue()


_TAG = b"ID3\4\0\0" + bytes([0, 0, 2, 0]) + bytes(256)


def mp3() -> bytes:
    """Ten frames of silence at 128 kbit/s, with a tag before them."""
    return _TAG + (b"\xff\xfb\x90\x64" + bytes(413)) * 10


def mp4(*tracks: bytes) -> bytes:
    """An MP4 file with these tracks, such as ``soun`` and ``vide``."""
    handlers = b"".join(_box(b"hdlr", bytes(8) + track + bytes(12)) for track in tracks)
    return _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"moov", handlers) + _box(b"mdat", bytes(64))


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


OTHER_TYPES = [
    ("FLAC", b"fLaC" + bytes(60)),
    ("Ogg", b"OggS" + bytes(60)),
    ("AIFF", b"FORM\0\0\0\x3cAIFF" + bytes(60)),
    ("raw AAC", b"\xff\xf1\x50\x80" + bytes(60)),
    ("Windows Media", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(60)),
    ("MIDI", b"MThd" + bytes(60)),
    ("WebM", b"\x1a\x45\xdf\xa3" + bytes(60)),
    ("FLAC", b"ID3\4\0\0\0\0\0\4TAG!fLaC" + bytes(60)),
    ("AVI", b"RIFF\x3c\0\0\0AVI " + bytes(60)),
    ("RF64", b"RF64\xff\xff\xff\xffWAVE" + bytes(60)),
    ("BW64", b"BW64\xff\xff\xff\xffWAVE" + bytes(60)),
    ("a video", mp4(b"vide", b"soun")),
    ("without sound", mp4(b"text")),
    ("text", _TAG + b"Dear diary, behind a tag.\n" * 9),
    ("unknown", b"\xff\xfb\x90\x64" + b"Dear diary, behind a header.\n" * 9),
    ("unknown", _TAG + mp4(b"vide", b"soun")),
    ("unknown", _TAG + wav()),
    ("unknown", _TAG + b"\x89PNG\r\n\x1a\n" + bytes(400)),
    ("text", "Dear diary, naïve.\nThe take went well.\n".encode()),
    ("unknown", b"\x01\x02\x03\x04" + bytes(range(128, 188))),
]
"""A word that the error says, and a file that cannot be uploaded."""
