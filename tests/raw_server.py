"""A server that answers with the very bytes it is told to, for answers that no real server library would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

RESET = b"reset"
SILENCE = b"silence"

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Answers each request with the next reply; the last one again and again."""

    replies: list[Reply]
    base_url: str = ""
    requests: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().splitlines()
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            self.requests.append(head + await reader.readexactly(length))
            reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
            if reply == SILENCE:
                await reader.read()  # until the client gives up
            elif reply == RESET:
                writer.transport.abort()
            elif callable(reply):
                await reply(writer)
            else:
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()


def http(body: object, status: str = "200 OK", content_type: str = "application/json", *, cut: int = 0) -> bytes:
    """A whole answer; ``cut`` announces that many more bytes than are sent."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(raw) + cut}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + raw


@asynccontextmanager
async def answering(*replies: Reply) -> AsyncIterator[RawServer]:
    """Run a raw server for the block."""
    raw = RawServer(list(replies))
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        await asyncio.sleep(0)
