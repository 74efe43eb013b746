"""Whether a file is as long as its own header says. A server may stop in the middle and not say so.

Each function takes a file that is open for reading and its length in bytes. It returns false only if something that the
file names is not there. Encoders that write into a stream do not know the length when they write the header, so a
length of zero, or one that is larger than any file that is downloaded, says nothing.
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from producer_tools.files.formats.mp3_frames import frame_length

_MOST_PARTS = 100_000  # boxes, chunks, segments or frames; only an mp3 of more than 40 minutes has so many
_MOST_TAGS = 100  # at the beginning of an mp3; a real file has one, and seldom a second one
_PLACEHOLDER = 0x7FFF0000  # sox writes 0x7FFFF000, ffmpeg 0xFFFFFFFF
_ID3_HEADER, _ID3V1 = 10, 128
_ID3_FOOTER = 0x10
_FIRST_FRAME = 64  # bytes that hold the frame's header and the lengths behind it
_MPEG1, _MONO = 0x18, 0xC0
_ZIP_END = struct.Struct("<4s4x2H2IH")
_LONGEST_ZIP_COMMENT = 0xFFFF
_ZIP64 = 0xFFFFFFFF
# In the data of a picture, 0xFF stands before 0 or the number of a restart, or is repeated as padding.
_JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]", re.DOTALL)
_JPEG_END = b"\xff\xd9"


def says_nothing(_: BinaryIO, __: int) -> bool:
    """For types of which nothing else is known."""
    return True


def wav(file: BinaryIO, size: int) -> bool:
    """The samples are all there."""
    riff = _number(file, 4, "<I")
    # Some encoders count the eight bytes before the length too. The samples decide then.
    if _says_length(riff) and riff > size:
        return False
    for name, start, length in chunks(file, size):
        if name == b"data":
            return not _says_length(length) or start + length <= size
    return _says_length(riff)


def chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the content and length of each chunk of a RIFF file, up to the end."""
    position = 12
    for _ in range(_MOST_PARTS):
        if position + 8 > size:
            return
        name, length = _read(file, position, 4), _number(file, position + 4, "<I")
        yield name, position + 8, length
        position += 8 + length + length % 2


def webp(file: BinaryIO, size: int) -> bool:
    """The picture is as long as its RIFF header says."""
    riff = _number(file, 4, "<I")
    return not _says_length(riff) or 8 + riff <= size


def mp4(file: BinaryIO, size: int) -> bool:
    """No box is cut off, and there is an index and something to play."""
    names: set[bytes] = set()
    for name, position, length in boxes(file, size):
        if position + length > size:
            return {b"moov", b"mdat"} <= names and _is_id3v1(file, position, size)
        names.add(name)
    return {b"moov", b"mdat"} <= names


def mp3(file: BinaryIO, size: int) -> bool:
    """The frames are as long as a Xing or VBRI header says; without one, nothing is known."""
    start = after_id3(file, size)
    frame = _read(file, start, _FIRST_FRAME)
    if len(frame) < _FIRST_FRAME:
        return False  # not even the frame that may hold the header
    length = _named_by_first_frame(frame)
    if size - start < length <= size:  # some encoders count the tags before the frames too
        return ends_with_whole_frame(file, size)
    return not _says_length(length) or start + length <= size


def after_id3(file: BinaryIO, size: int) -> int:
    """Where the ID3 tags at the beginning end; behind the end, if they are cut off."""
    start = 0
    for _ in range(_MOST_TAGS):
        if start >= size or _read(file, start, 3) != b"ID3":
            break
        sizes = _read(file, start + 6, 4)
        flags = _number(file, start + 5, ">B")
        length = sum((byte & 0x7F) << shift for byte, shift in zip(sizes, (21, 14, 7, 0), strict=False))
        start += _ID3_HEADER + length + (_ID3_HEADER if flags & _ID3_FOOTER else 0)
    return start


def ends_with_whole_frame(file: BinaryIO, size: int) -> bool:
    """No frame of an mp3 is cut off, as far as one stands right behind the other: tags and padding may follow them.

    Players forgive such a cut, so songs of editors and of live recordings may end with one.
    """
    position = after_id3(file, size)
    for _ in range(_MOST_PARTS):
        header = _read(file, position, 4)
        if len(header) < 4:  # noqa: PLR2004 - a frame's header
            return position <= size and not header.startswith(b"\xff")
        if not (length := frame_length(header)):
            break
        position += length
    return True


def zipped(file: BinaryIO, size: int) -> bool:
    """The directory and the record at the end are there."""
    start = max(0, size - _ZIP_END.size - _LONGEST_ZIP_COMMENT)
    tail = _read(file, start, size - start)
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if _is_zip_end(file, tail[at : at + _ZIP_END.size], start + at, size):
            return True
        at = tail.rfind(b"PK\5\6", 0, at)
    return False


def png(file: BinaryIO, size: int) -> bool:
    """The chunk that ends a picture is there."""
    position = 8
    for _ in range(_MOST_PARTS):
        length, name = _number(file, position, ">I"), _read(file, position + 4, 4)
        position += 12 + length
        if position > size or name == b"IEND":
            return position <= size
    return False


def jpeg(file: BinaryIO, size: int) -> bool:
    """The marker that ends a picture is there."""
    content = _read(file, 0, size)
    position = 2
    for _ in range(_MOST_PARTS):
        found = _JPEG_MARKER.search(content, position)
        if found is None or found.group() == _JPEG_END:
            return found is not None
        # The segment may hold a small picture of its own, with such a marker.
        position = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return False


def boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, position and length of each box, up to the end or to something that is no box, such as padding."""
    position = 0
    for _ in range(_MOST_PARTS):
        length, name = _number(file, position, ">I"), _read(file, position + 4, 4)
        if length == 1:
            length = _number(file, position + 8, ">Q") or 16
        elif length == 0:
            length = size - position  # to the end of the file
        if position + 8 > size or length < 8 or not _is_box_name(name):  # noqa: PLR2004 - length and name
            return
        yield name, position, length
        position += length


def _is_box_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name)  # noqa: PLR2004 - printable, and Apple's ©


def _is_id3v1(file: BinaryIO, position: int, size: int) -> bool:
    return size - position == _ID3V1 and _read(file, position, 3) == b"TAG"


def _named_by_first_frame(frame: bytes) -> int:
    """The bytes of all frames, by the header in the first one; 0 if it has none."""
    is_mpeg1, is_mono = frame[1] & _MPEG1 == _MPEG1, frame[3] & _MONO == _MONO
    side = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    for at in (4 + side, 6 + side):  # a frame may have a checksum of two bytes
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            bytes_at = at + 8 + 4 * (flags & 1)  # behind the number of frames
            return int.from_bytes(frame[bytes_at : bytes_at + 4], "big") if flags & 2 else 0
    return int.from_bytes(frame[46:50], "big") if frame[36:40] == b"VBRI" else 0


def _is_zip_end(file: BinaryIO, record: bytes, position: int, size: int) -> bool:
    """Whether this is the end of the whole archive, and not of one that is stored inside it."""
    if len(record) < _ZIP_END.size:
        return False
    _, __, ___, length, start, comment = _ZIP_END.unpack(record)
    if position + _ZIP_END.size + comment > size:
        return False
    if _ZIP64 in (start, length):
        return True  # the lengths are elsewhere
    return start + length <= position and _read(file, start, 4) == b"PK\1\2"


def _says_length(length: int) -> bool:
    return 0 < length < _PLACEHOLDER


def _number(file: BinaryIO, position: int, form: str) -> int:
    """The number at this place; 0 behind the end."""
    form_size = struct.calcsize(form)
    data = _read(file, position, form_size)
    return int(struct.unpack(form, data)[0]) if len(data) == form_size else 0


def _read(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    return file.read(length)
