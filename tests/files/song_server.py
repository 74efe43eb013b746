"""A song, the answers of a server that has it, and a download of it."""

import asyncio
from pathlib import Path
from typing import Any

from producer_tools import Downloader, Downloads, ProducerClient, Task
from producer_tools.tasks.results import Result
from tests.clocks import InstantClock
from tests.raw_server import RawServer, Reply, answering

SONG = b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(range(256)) * 40
ETAG = '"v1"'


def reply(body: bytes, status: str = "200 OK", *, length: int | None = None, **headers: str) -> bytes:
    """An answer; ``length`` is what it says of itself, -1 for nothing at all."""
    given = {"Content-Length": str(len(body) if length is None else length), **headers, "Connection": "close"}
    if length == -1:
        del given["Content-Length"]
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


BROKEN = reply(SONG[:3000], length=len(SONG), ETag=ETAG)


def part(start: int, *, etag: str = ETAG, given: str = f"{len(SONG) - 1}/{len(SONG)}") -> bytes:
    """The rest of the song from ``start`` on; ``given`` is how its Content-Range ends."""
    return reply(SONG[start:], "206 Partial Content", Content_Range=f"bytes {start}-{given}", ETag=etag)


def song_at(url: str, **more: Any) -> Task:
    result: Result = {"audio_id": "a1", "title": "Song", "audio_url": url, **more}  # type: ignore[typeddict-item]
    return Task("t1", "complete", results=(result,))


class Download:
    """Downloads one song from a server that gives the replies it is told to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = InstantClock()
        self.server = RawServer([])

    def broken(self, first: bytes, size: int = 3000) -> Reply:
        """Send ``first`` and break off when it is on the disk: what is under way when a connection breaks is lost."""

        async def send(writer: asyncio.StreamWriter) -> None:
            writer.write(first)
            await writer.drain()
            while not any(path.stat().st_size >= size for path in self.directory.glob(".producer-*")):
                await asyncio.sleep(0.001)

        return send

    async def __call__(self, *replies: Reply, timeout: float = 30) -> Downloads:
        async with answering(*replies) as self.server:
            async with ProducerClient(
                "token-to-hide", self.server.base_url, request_timeout=timeout, clock=self.clock
            ) as client:
                return await Downloader(client, self.directory).save(song_at(f"{self.server.base_url}/files/x.bin"))

    async def is_refused(self, code: str, *replies: Reply, **options: float) -> str:
        """Nothing is saved and nothing is left; returns what is said."""
        downloads = await self(*replies, **options)
        assert downloads.files == ()
        (failed,) = downloads.failed
        assert failed.error.code == code
        assert not self.directory.exists() or list(self.directory.iterdir()) == []
        return failed.error.message

    async def brings_the_song(self, *replies: Reply) -> Path:
        """The song is there, to the byte, and nothing else is."""
        downloads = await self(*replies)
        assert downloads.failed == ()
        path = Path(downloads.files[0].path)
        assert path.read_bytes() == SONG
        assert list(self.directory.iterdir()) == [path]
        return path
