"""A file that ends before its own header says is not saved as the whole one; a file with an odd header is."""

import io
import struct
import wave
import zipfile
from array import array
from pathlib import Path

import pytest

from producer_tools import Downloader, ProducerClient
from producer_tools.files.formats.types import TYPES, detect
from producer_tools.sandbox.music import formats
from producer_tools.tasks.results import Kind
from tests.clocks import InstantClock
from tests.files.song_server import SONG, Download, reply, song_at
from tests.raw_server import answering

pytestmark = pytest.mark.usefixtures("untagged")


def wav_file() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(bytes(range(256)) * 8)
    return written.getvalue()


def with_number(data: bytes, position: int, number: int) -> bytes:
    return data[:position] + struct.pack("<I", number) + data[position + 4 :]


def zip_file(name: str, content: bytes, comment: bytes = b"") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as out:
        out.writestr(name, content)
        out.comment = comment
    return written.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + b"crc?"


def mp3_file(*, header: bytes = b"Xing", named: int = 4170, head: bytes = b"\xff\xfb\x90\x64") -> bytes:
    """Ten frames of MP3, of which the first holds a header that names the bytes of all."""
    side = bytes(32)
    body = header + (struct.pack(">III", 3, 9, named) if header != b"VBRI" else bytes(6) + struct.pack(">I", named))
    return (head + side + body).ljust(417, b"\0") + (b"\xff\xfb\x90\x64" + bytes(413)) * 9


def box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


WAV, XING, ZIP = wav_file(), mp3_file(), zip_file("vocals.wav", WAV_BYTES := bytes(range(256)) * 9)
ID3 = b"ID3\4\0\0" + bytes([0, 0, 2, 0]) + bytes(256)
FTYP = box(b"ftyp", b"M4A \0\0\0\0")
PNG = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", bytes(13)) + png_chunk(b"IDAT", bytes(900)) + png_chunk(b"IEND", b"")
WEBP = b"RIFF" + struct.pack("<I", 4 + 8 + 600) + b"WEBPVP8 " + struct.pack("<I", 600) + bytes(600)
THUMBNAIL = b"Exif\0\0" + b"\xff\xd8\xff\xd9" * 50
SCAN = b"\xff\xda\0\x08\1\1\0\0?\0" + b"\x12\xff\0\x34\xff\xd0" * 60
JPEG = b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(THUMBNAIL)) + THUMBNAIL + SCAN + b"\xff" + SCAN + b"\xff\xff\xd9"
LARGE_MDAT = struct.pack(">I4sQ", 1, b"mdat", 16 + 500) + bytes(500)

NAMES_ITS_LENGTH: dict[str, tuple[Kind, bytes]] = {
    "wav": ("wav", WAV),
    "wav with a list before the samples": ("audio", formats.wav(array("h", range(999)))),
    "wav of a streaming encoder that filled in the samples only": ("wav", with_number(WAV, 4, 0xFFFFFFFF)),
    "m4a": ("audio", SONG),
    "m4a with the index at the end": ("audio", FTYP + box(b"mdat", bytes(900)) + box(b"moov", bytes(90))),
    "m4a with a long mdat": ("audio", FTYP + box(b"moov", b"") + LARGE_MDAT),
    "fragmented mp4": ("video", FTYP + box(b"moov", b"") + box(b"moof", bytes(9)) + box(b"mdat", bytes(500))),
    "mp3 with Xing": ("audio", XING),
    "mp3 with Info behind a tag": ("audio", ID3 + mp3_file(header=b"Info")),
    "mp3 with VBRI": ("audio", mp3_file(header=b"VBRI")),
    "zip": ("stems", ZIP),
    "zip with a zip in it": ("stems", zip_file("inner.zip", ZIP)),
    "zip with a comment": ("stems", zip_file("a", WAV_BYTES, b"made by PK\5\6 " + bytes(300))),
    "png": ("cover", PNG),
    "webp": ("cover", WEBP),
    "jpeg": ("cover", JPEG),
}


def is_whole(kind: Kind, data: bytes) -> bool:
    file_type = detect(kind, data[:16])
    assert file_type is not None, "it is of a type that is accepted"
    return file_type.is_whole(io.BytesIO(data), len(data))


@pytest.mark.parametrize(("kind", "data"), NAMES_ITS_LENGTH.values(), ids=NAMES_ITS_LENGTH)
def test_every_cut_is_noticed(kind: Kind, data: bytes) -> None:
    """A cut file that passes is kept for ever, since a later run finds it and downloads nothing."""
    assert is_whole(kind, data)
    for end in {*range(16, len(data), 37), len(data) - 2, len(data) - 1}:
        assert not is_whole(kind, data[:end]), f"cut at {end} of {len(data)}"


def test_a_cut_after_as_many_bytes_as_the_header_names_is_noticed() -> None:
    """The header may count the tag too, so a song that ended there was taken for one whose header does."""
    song = ID3 + mp3_file(named=4170)
    assert is_whole("audio", song)
    assert not is_whole("audio", song[:4170])


ODD: dict[str, tuple[Kind, bytes]] = {
    "wav with no lengths": ("wav", with_number(with_number(WAV, 4, 0), 40, 0)),
    "wav with the largest lengths": ("wav", with_number(with_number(WAV, 4, 0xFFFFFFFF), 40, 0xFFFFFFFF)),
    "wav as sox streams it": ("wav", with_number(with_number(WAV, 4, 0x7FFFF024), 40, 0x7FFFF000)),
    "wav that counts its whole header": ("wav", with_number(WAV, 4, len(WAV))),
    "wav with an empty length in the header of a stream": ("wav", with_number(with_number(WAV, 4, 36), 40, 0)),
    "wav with a tag behind it": ("wav", WAV + b"id3 " + bytes(99)),
    "m4a whose mdat goes to the end": ("audio", FTYP + box(b"moov", b"") + b"\0\0\0\0mdat" + bytes(99)),
    "m4a with padding": ("audio", SONG + bytes(999)),
    "m4a with an old tag at the end": ("audio", SONG + b"TAGSong".ljust(128, b" ")),
    "m4a with a few bytes more": ("audio", SONG + b"\r\n"),
    "mp3 without a header": ("audio", mp3_file(header=b"LAME")),
    "mp3 with a header that names nothing": ("audio", mp3_file(named=0)),
    "mp3 whose header counts the tag before it": ("audio", ID3 + mp3_file(named=4170 + len(ID3))),
    "mp3 whose header counts a tag, with an old one at the end": (
        "audio",
        ID3 + mp3_file(named=4170 + len(ID3)) + b"TAG".ljust(128),
    ),
    "mp3 whose header counts a shorter tag": ("audio", ID3 * 2 + mp3_file(named=4170 + len(ID3))),
    "mp3 with an old tag at the end": ("audio", XING + b"TAG".ljust(128)),
    "an empty zip in the end record's words": ("stems", ZIP + bytes(20)),
    "png with something behind it": ("cover", PNG + b"more"),
    "jpeg with another picture behind it": ("cover", JPEG + JPEG[:99]),
    "mp3 whose last frame is cut": ("audio", mp3_file(header=b"LAME")[:-9]),
}


@pytest.mark.parametrize(("kind", "data"), ODD.values(), ids=ODD)
def test_an_odd_header_is_no_fault(kind: Kind, data: bytes) -> None:
    """Streaming encoders do not know the length; their songs would never be saved."""
    assert is_whole(kind, data)


@pytest.mark.parametrize("kind", TYPES)
def test_headers_without_end_end(kind: Kind) -> None:
    """A hostile file of two hundred megabytes of empty boxes must not keep a thread busy for minutes."""
    for head in (FTYP + box(b"free", b"") * 200_000, PNG[:33] + png_chunk(b"tEXt", b"") * 150_000, b"ID3" * 99, b"\0"):
        for file_type in TYPES[kind]:
            file_type.is_whole(io.BytesIO(head), len(head))


@pytest.mark.parametrize(
    ("kind", "beginning", "part", "end"),
    [("cover", b"\xff\xd8", b"\xff\xe0\0\2", b"\xff\xd9"), ("cover", PNG[:33], png_chunk(b"tEXt", b""), PNG[-12:])],
    ids=["jpeg", "png"],
)
def test_a_picture_of_very_many_parts_is_not_read_to_its_end(
    kind: Kind, beginning: bytes, part: bytes, end: bytes
) -> None:
    """One of 20 MB would keep a processor core busy for seconds, at the cost of all other threads."""
    assert is_whole(kind, beginning + part * 1000 + end)
    assert not is_whole(kind, beginning + part * 150_000 + end)


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path / "music")


async def test_an_answer_without_a_length_that_breaks_off_is_fetched_again(download: Download) -> None:
    """HTTP does not show the break: half a song would be saved as the whole one."""
    cut = reply(SONG[:3000], length=-1, ETag='"v1"')
    await download.succeeds(cut, cut, reply(SONG, length=-1))
    assert b"range" not in download.server.requests[2].lower()


@pytest.mark.parametrize("end", [5000, -9])
async def test_an_mp3_without_a_header_that_breaks_off_is_fetched_again(end: int, tmp_path: Path) -> None:
    """Only the last frame shows the break. A server that names the length may have such a song in whole."""
    song = mp3_file(header=b"LAME") * 2
    async with (
        answering(reply(song[:end], length=-1), reply(song)) as server,
        ProducerClient("t", server.base_url, clock=InstantClock()) as client,
    ):
        (file,) = (await Downloader(client, tmp_path / "1").save(song_at(server.base_url))).files
        assert Path(file.path).read_bytes() == song
        server.replies[:] = [reply(song[:end])]
        assert (await Downloader(client, tmp_path / "2").save(song_at(server.base_url))).files


async def test_an_answer_without_a_length_that_always_breaks_off_is_an_error(download: Download) -> None:
    """It must be named as failed, and leave no file that a later run takes for the song."""
    message = await download.fails("incomplete", reply(SONG[:3000], length=-1))
    assert "3000 bytes" in message
    assert len(download.server.requests) == 4


async def test_a_file_that_is_cut_on_the_server_is_an_error(download: Download) -> None:
    """Its Content-Length is right, so a retry would bring the same bytes."""
    await download.fails("incomplete", reply(SONG[:3000]))
    assert len(download.server.requests) == 1


async def test_a_cut_file_of_an_earlier_run_is_replaced(download: Download) -> None:
    """Earlier versions saved cut files; they would be taken for the whole song for ever."""
    path = await download.succeeds(reply(SONG))
    path.write_bytes(SONG[:3000])
    async with answering(reply(SONG)) as server, ProducerClient("t", server.base_url, clock=InstantClock()) as client:
        (file,) = (await Downloader(client, download.directory).save(song_at(server.base_url))).files
    assert file.downloaded
    assert path.read_bytes() == SONG


def test_very_many_tags_are_not_all_read() -> None:
    """Each has ten bytes, so a file of 200 MB kept a processor core busy for two minutes."""

    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return super().read(size)

    content = b"ID3\4\0\0\0\0\0\0" * 5000 + XING
    file_type = detect("audio", content[:16])
    assert file_type is not None
    file = Counted(content)
    file_type.is_whole(file, len(content))
    assert file.reads < 1000
