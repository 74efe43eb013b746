"""Receives the service's callbacks: they wake those who wait for a task, and recover submits whose answer was lost.

A callback has no signature that could be checked, so its content is never taken as the result: it only causes a
look-up of the task. Each submit gets a callback address of its own that nobody can guess.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from typing_extensions import deprecated

if TYPE_CHECKING:
    from aiohttp import web

LARGEST_BODY = 1024 * 1024
"""Bytes of a callback that are accepted; the result of a song has a few thousand."""

_MOST_EXPECTED = 10_000

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class ExpectedCallback:
    """The callback of one submit.

    Attributes:
        url: where the service is asked to post the result.
        task_id: the task's id once the callback has brought it. It can be awaited in any event loop or thread.
    """

    url: str
    task_id: "Future[str]" = field(default_factory=Future, repr=False)


class CallbackReceiver:
    """Receives callbacks, each at an address made for one submit.

    Pass it to a `ProducerClient`, and serve it from your web application: `application` is a sub-application for
    aiohttp, `asgi` is an application for any ASGI server.

    Args:
        public_url: where the service can reach the sub-application, such as ``https://app.example/producer``.
    """

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._expected: dict[str, ExpectedCallback] = {}
        self._listeners: list[Callable[[str], None]] = []

    def address(self, key: str) -> str:
        return f"{self._public_url}/{key}"

    def arrived(self, url: str) -> tuple[str, ...]:
        return ()

    def expect(self) -> ExpectedCallback:
        """Make the address for one submit. The 10,000 newest addresses are kept."""
        key = secrets.token_urlsafe(24)
        expected = ExpectedCallback(f"{self._public_url}/{key}")
        self._expected[key] = expected
        if len(self._expected) > _MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        return expected

    def on_callback(self, wake: Callable[[str], None]) -> None:
        """Register ``wake``: it is called with the task id of each callback, from any thread, maybe more than once."""
        self._listeners.append(wake)

    @deprecated("on_hint is now called on_callback")
    def on_hint(self, hint: Callable[[str], None]) -> None:
        """The old name of `on_callback`."""
        self.on_callback(hint)

    def receive(self, key: str, body: bytes) -> HTTPStatus:
        """Take one callback. A wrong or repeated one does no harm.

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
        # Only the first id counts, so an address that has leaked can cause look-ups and nothing else.
        for wake in self._listeners:
            wake(expected.task_id.result())
        return HTTPStatus.NO_CONTENT

    def application(self) -> "web.Application":
        """A sub-application: ``app.add_subapp("/producer", receiver.application())``."""
        from aiohttp import web  # noqa: PLC0415 - the server half of aiohttp is slow to import, and few need it

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
    """What was posted; of a body that is too large, enough to see that it is."""
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
