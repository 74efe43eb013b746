"""Covers and videos."""

import struct
import zlib
from array import array
from collections.abc import Iterator

import pytest

from producer_tools.sandbox.music import cover_png, plain_png
from tests.sandbox.songs import RATE, SONG, samples_of


def rows_of(png: bytes) -> list[bytes]:
    """The pixels of a PNG file, row by row, after checking its structure."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, {}
    while place < len(png):
        length, name = struct.unpack_from(">I4s", png, place)
        content = png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length) == (zlib.crc32(name + content),)
        chunks[name] = content
        place += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *kind = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    data = zlib.decompress(chunks[b"IDAT"])
    rows = [data[start : start + 3 * width + 1] for start in range(0, len(data), 3 * width + 1)]
    assert len(rows) == height
    assert all(len(row) == 3 * width + 1 and row[0] == 0 for row in rows)
    return [row[1:] for row in rows]


@pytest.mark.parametrize("seed", [str(number) for number in range(8)])
def test_a_cover_is_a_colourful_picture(seed: str) -> None:
    rows = rows_of(cover_png(seed))
    assert len(rows) == 256
    assert len({row[place : place + 3] for row in rows for place in range(0, len(row), 3)}) > 50


def test_a_plain_cover_is_small_and_has_one_colour() -> None:
    rows = rows_of(plain_png())
    assert len(rows) == 16
    assert len({row[place : place + 3] for row in rows for place in range(0, len(row), 3)}) == 1


def test_every_seed_has_its_own_cover() -> None:
    assert len({cover_png(str(number)) for number in range(10)}) == 10
    assert cover_png("a") == cover_png("a")


def boxes(data: bytes, path: str = "") -> Iterator[tuple[str, bytes]]:
    """The boxes of an MP4 file with their paths and contents, outer ones first."""
    place = 0
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        assert 8 <= size <= len(data) - place
        here, content = f"{path}/{name.decode('latin-1')}", data[place + 8 : place + size]
        yield here, content
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf"):
            yield from boxes(content, here)
        place += size


def test_a_video_has_the_picture_and_the_sound_for_the_same_time() -> None:
    """Players find the media by the numbers in these boxes, so a wrong one shows or plays something else."""
    picture = cover_png("a")
    film = SONG.video(picture)
    found: dict[str, list[bytes]] = {}
    for name, content in boxes(film):
        found.setdefault(name.rsplit("/", 1)[1], []).append(content)
    samples = round(SONG.duration * RATE)

    assert struct.unpack_from(">2I", found["mvhd"][0], 12) == (RATE, samples)
    assert [struct.unpack_from(">2I", content, 12) for content in found["mdhd"]] == [(RATE, samples)] * 2
    assert [content[8:12] for content in found["hdlr"]] == [b"vide", b"soun"]
    assert [content[12:16] for content in found["stsd"]] == [b"mp4v", b"sowt"]
    assert [struct.unpack(">4xIII", content) for content in found["stts"]] == [(1, 1, samples), (1, samples, 1)]

    (picture_at,), (sound_at,) = (struct.unpack(">8xI", content) for content in found["stco"])
    assert film[picture_at : picture_at + len(picture)] == picture
    assert array("h", film[sound_at:]) == samples_of(SONG.wav())
