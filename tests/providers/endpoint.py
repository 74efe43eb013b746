"""An HTTP endpoint on this machine that answers as a provider would, and keeps what it was sent."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Reply = Callable[[int], Any]
"""Makes the answer to a request from its number, which counts from 0: JSON, a list of JSON lines, or text of events."""


class Endpoint(ThreadingHTTPServer):
    """Listens on a free port, and answers every POST request.

    Attributes:
        reply: makes the answers.
        bodies: the JSON bodies of the requests so far.
    """

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.bodies: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        number = len(self.server.bodies)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = self.server.reply(number)
        if isinstance(answer, str):
            self._send("text/event-stream", answer)
        elif isinstance(answer, list):
            self._send("application/x-ndjson", "".join(json.dumps(part) + "\n" for part in answer))
        else:
            self._send("application/json", json.dumps(answer))

    def _send(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Keep the requests out of the tests' output."""


@contextmanager
def endpoint(reply: Reply) -> Iterator[Endpoint]:
    """An endpoint that runs as long as the block."""
    with Endpoint(reply) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
