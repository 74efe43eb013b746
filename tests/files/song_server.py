"""A song, servers that send it in whole or in part, and a download of it."""

import asyncio
import io
import struct
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from producer_tools import Downloader, Downloads, ProducerClient, Task
from producer_tools.tasks.results import Result
from tests.clocks import InstantClock
from tests.raw_server import RawServer, Reply, answering
from tests.saved_files import saved_files

SONG = b"\0\0\0\x10ftypM4A \0\0\0\0" + b"\0\0\0\x08moov" + b"\0\0\x28\x08mdat" + bytes(range(256)) * 40
"""An MP4 file with an empty index, 10 kB of media, and nothing else."""


def short_wav(seconds: float = 0.1) -> bytes:
    """A WAV file of a rising tone, which can be tagged and measured."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"".join(struct.pack("<h", number * 7 % 9000) for number in range(int(8000 * seconds))))
    return file.getvalue()


ETAG = '"v1"'


def reply(body: bytes, status: str = "200 OK", *, length: int | None = None, **headers: str) -> bytes:
    """An HTTP response.

    Args:
        body: its body.
        status: its status code and reason.
        length: its Content-Length; default the body's length, -1 leaves the header out.
        headers: further headers, with ``_`` for ``-``.
    """
    all_headers = {"Content-Length": str(len(body) if length is None else length), **headers, "Connection": "close"}
    if length == -1:
        del all_headers["Content-Length"]
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in all_headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


CUT_OFF = reply(SONG[:3000], length=len(SONG), ETag=ETAG)
"""The first 3000 bytes of the song, with the Content-Length of all of it."""


def partial(start: int, *, etag: str = ETAG, end: str = f"{len(SONG) - 1}/{len(SONG)}") -> bytes:
    """A 206 response with the song from byte ``start`` on; ``end`` is how its Content-Range ends."""
    return reply(SONG[start:], "206 Partial Content", Content_Range=f"bytes {start}-{end}", ETag=etag)


def song_at(url: str, **further_keys: Any) -> Task:
    """A finished task whose one song has its audio at ``url``."""
    result = {"audio_id": "a1", "title": "Song", "audio_url": url, **further_keys}
    return Task("t1", "complete", results=(cast("Result", result),))


@asynccontextmanager
async def serving(replies: Mapping[str, bytes]) -> AsyncIterator[str]:
    """Run a server that sends the reply of each path; the value is its URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(replies[request.split()[1].decode()])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


class Download:
    """Downloads one song from a server that sends the given replies.

    Attributes:
        directory: where the song is saved.
        clock: the client's clock.
        server: the server of the last download.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = InstantClock()
        self.server = RawServer([])

    def cut_off(self, first: bytes, size: int = 3000) -> Reply:
        """A reply that sends ``first`` and closes the connection.

        It closes only when ``size`` bytes are on the disk, since bytes that are still on their way would be lost.
        """

        async def send(writer: asyncio.StreamWriter) -> None:
            writer.write(first)
            await writer.drain()
            while not any(path.stat().st_size >= size for path in self.directory.glob(".producer-*")):
                await asyncio.sleep(0.001)

        return send

    async def __call__(self, *replies: Reply, timeout: float = 30) -> Downloads:
        """Save the song from a server that sends these replies, the last one again and again."""
        async with answering(*replies) as self.server:
            async with ProducerClient(
                "token-to-hide", self.server.base_url, request_timeout=timeout, clock=self.clock
            ) as client:
                return await Downloader(client, self.directory).save(song_at(f"{self.server.base_url}/files/x.bin"))

    async def fails(self, code: str, *replies: Reply, **options: float) -> str:
        """Assert that the download fails with ``code`` and leaves no file; return the error message."""
        downloads = await self(*replies, **options)
        assert downloads.files == ()
        (failed,) = downloads.failed
        assert failed.error.code == code
        assert not self.directory.exists() or saved_files(self.directory) == []
        return failed.error.message

    async def succeeds(self, *replies: Reply) -> Path:
        """Assert that the song is saved byte for byte and is the only file; return its path."""
        downloads = await self(*replies)
        assert downloads.failed == ()
        path = Path(downloads.files[0].path)
        assert path.read_bytes() == SONG
        assert saved_files(self.directory) == [path]
        return path
