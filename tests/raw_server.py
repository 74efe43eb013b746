"""A server that answers with the given bytes, unchanged, for answers that no HTTP library would send."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

RESET = b"reset"
"""A reply: the connection is reset."""


class Unfinished(bytes):
    """A reply: these bytes, and then nothing until the client closes the connection."""


SILENCE = Unfinished()
"""A reply: nothing is sent until the client closes the connection."""

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Answers each request with the next reply, and further requests with the last one.

    Attributes:
        replies: bytes to send, `RESET`, `Unfinished` bytes, or a function that writes to the connection.
        base_url: where it listens.
        requests: the requests so far, head and body as they came.
    """

    replies: list[Reply]
    base_url: str = ""
    requests: list[bytes] = field(default_factory=list)

    @property
    def paid(self) -> list[bytes]:
        """The requests that may be charged: not those that search for the task of a lost answer."""
        return [request for request in self.requests if b"/producer/tasks " not in request]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().splitlines()
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            self.requests.append(head + await reader.readexactly(length))
            reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
            if isinstance(reply, Unfinished):
                writer.write(reply)
                await reader.read()  # returns when the client closes the connection
            elif reply == RESET:
                writer.transport.abort()
            elif callable(reply):
                await reply(writer)
            else:
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed the connection first
        finally:
            writer.close()


def http(body: object, status: str = "200 OK", content_type: str = "application/json", *, cut: int = 0) -> bytes:
    """The bytes of an HTTP answer.

    Args:
        body: bytes, or a value that is sent as JSON.
        status: the status line's code and reason; further header lines may follow it.
        content_type: the media type.
        cut: how many more bytes the head announces than are sent.
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(raw) + cut}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + raw


@asynccontextmanager
async def answering(*replies: Reply) -> AsyncIterator[RawServer]:
    """Run a raw server during the block."""
    raw = RawServer(list(replies))
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        await asyncio.sleep(0)


@contextmanager
def nobody_listening() -> Iterator[str]:
    """The base URL of a port that refuses connections.

    The port is taken, so that no other program gets it meanwhile, as may happen to one that was only just free.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
