"""Receiving the service's callbacks: they wake whoever waits, and bring back submits whose answer was lost.

A callback carries no signature that could be relied on, so nothing it says is believed: it is a hint to look the task
up. Only who was given its address can call: each submit has one of its own, that nobody can guess.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

LARGEST_BODY = 1024 * 1024
"""Bytes of a callback; the result of a song is some thousand."""

_MOST_EXPECTED = 10_000

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class ExpectedCallback:
    """The callback of one submit.

    Attributes:
        url: where the service is asked to post the result.
        task_id: the task's id, as soon as the callback has brought it; to be waited for in any loop or thread.
    """

    url: str
    task_id: "Future[str]" = field(default_factory=Future, repr=False)


class CallbackReceiver:
    """Receives callbacks at addresses that it makes, one for each submit.

    Give it to a `ProducerClient`, and serve it from your web application: `application` is a sub-application for
    aiohttp, `asgi` one for any ASGI server.

    Args:
        public_url: where the service reaches the sub-application, such as ``https://app.example/producer``.
    """

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._expected: dict[str, ExpectedCallback] = {}
        self._hints: list[Callable[[str], None]] = []

    def expect(self) -> ExpectedCallback:
        """Make an address for one submit. The 10,000 newest are remembered."""
        key = secrets.token_urlsafe(24)
        expected = ExpectedCallback(f"{self._public_url}/{key}")
        self._expected[key] = expected
        if len(self._expected) > _MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        return expected

    def on_hint(self, hint: Callable[[str], None]) -> None:
        """Call ``hint`` with the id of each task that a callback tells of; from any thread, and more than once."""
        self._hints.append(hint)

    def receive(self, key: str, body: bytes) -> HTTPStatus:
        """Take one callback; a wrong or a repeated one does no harm.

        Args:
            key: the last part of the address.
            body: what was posted.

        Returns:
            The status to answer with.
        """
        expected = self._expected.get(key)
        if expected is None:
            return HTTPStatus.NOT_FOUND
        if len(body) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        task_id = _task_id(body)
        if task_id is None:
            return HTTPStatus.BAD_REQUEST
        if not expected.task_id.done():
            expected.task_id.set_result(task_id)
        # The first id stands: an address that has leaked can make us look again, and nothing else.
        for hint in self._hints:
            hint(expected.task_id.result())
        return HTTPStatus.NO_CONTENT

    def application(self) -> web.Application:
        """A sub-application: ``app.add_subapp("/producer", receiver.application())``."""

        async def handle(request: web.Request) -> web.Response:
            return web.Response(status=self.receive(request.match_info["key"], await request.read()))

        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/{key}", handle)
        return app

    async def asgi(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """An ASGI application, to be mounted where ``public_url`` points."""
        if scope["type"] != "http":
            return
        status = HTTPStatus.METHOD_NOT_ALLOWED
        if scope["method"] == "POST":
            status = self.receive(scope["path"].rpartition("/")[2], await _body(receive))
        await send({"type": "http.response.start", "status": int(status), "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def _body(receive: _Receive) -> bytes:
    """What was posted; of one that is too large, enough to see that."""
    body = b""
    while len(body) <= LARGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


def _task_id(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    task_id = value.get("task_id") if isinstance(value, dict) else None
    return task_id if isinstance(task_id, str) and task_id.strip() else None
