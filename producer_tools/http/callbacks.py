"""Receives the service's callbacks: they end waits, and name the task of a submit whose answer was lost.

A callback has no signature that could be checked, so its content is never taken as the result: it only causes a
look-up of the task that it names. Each submit gets an address of its own that nobody can guess.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakMethod

from pydantic import SecretBytes, SecretStr
from typing_extensions import deprecated

from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import ConfigurationError
from producer_tools.http.safe_text import LONGEST_ID, safe_name

if TYPE_CHECKING:
    from aiohttp import web

LARGEST_BODY = 1024 * 1024
"""Bytes of a callback that are accepted; the result of a song has a few thousand."""

MOST_CANDIDATES = 5
"""Task ids that are collected for one address. The service sends one; more come from others who know the address."""

MOST_ADDRESSES = 10_000
"""Addresses whose task ids are kept in memory; that of the newest callback takes the place of the oldest."""

# Bytes of an HMAC that are used; 32 characters of an address.
_MAC_BYTES = 24

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_Wake = Callable[[str], None]


class CallbackReceiver:
    """Receives callbacks, each at an address made for one submit.

    Pass it to a `ProducerClient`, and serve it from your web application: `application` is a sub-application for
    aiohttp, `asgi` is an application for any ASGI server.

    The last part of an address is two codes, ``part.proof``. The first is an HMAC-SHA256 of the request's idempotency
    key; the second is an HMAC-SHA256 of the first. Nothing of the key, the API token or the prompt can
    be read from it. To check an address, a receiver needs only the secret. So workers with the same secret accept each
    other's callbacks, also those of a worker that has been restarted, and wake those who wait for the task.

    Args:
        public_url: where the service can reach the sub-application, such as ``https://app.example/producer``.
        secret: a secret of your application that nobody can guess, such as 32 random characters; the same in all of
            its workers. Default: a random one, so that only this receiver accepts its addresses.

    Raises:
        ConfigurationError: the secret is blank.
    """

    def __init__(self, public_url: str, *, secret: str | bytes | SecretStr | SecretBytes | None = None) -> None:
        secret = _secret(secret)  # a traceback shows this frame's variables
        if not secret.get_secret_value().strip():
            raise ConfigurationError("configuration", "The secret of a CallbackReceiver must not be blank.")
        self._secret = secret
        self._public_url = public_url.rstrip("/")
        self._arrived: dict[str, list[str]] = {}
        self._listeners: list[Callable[[], _Wake | None]] = []

    def address(self, key: str) -> str:
        """The URL for the callbacks of one request. The same key and secret make the same URL, in any worker.

        Args:
            key: the key under which the ledger files the request.
        """
        part = self._mac("key", key)
        return f"{self._public_url}/{part}.{self._mac('address', part)}"

    def arrived(self, url: str) -> tuple[str, ...]:
        """The task ids that callbacks have brought to an address of this receiver, at most `MOST_CANDIDATES`.

        Whoever knows the address can post any id. So look each one up, and compare the record's ``request`` with what
        was sent, before you take it for the task of the request.

        Args:
            url: an address that `address` made.
        """
        with shared_state:
            return tuple(self._arrived.get(url.rpartition("/")[2], ()))

    def on_callback(self, wake: _Wake) -> None:
        """Register ``wake``: it is called with the task id of each callback, from any thread, maybe more than once.

        Args:
            wake: a function, which is kept; or a method, which is called for as long as something else keeps its
                object, because the receiver holds only a weak reference to that.
        """
        with shared_state:
            self._listeners = [listener for listener in self._listeners if listener() is not None]
            self._listeners.append(_listener(wake))

    @deprecated("on_hint is now called on_callback")
    def on_hint(self, hint: _Wake) -> None:
        """The old name of `on_callback`."""
        self.on_callback(hint)

    def is_own(self, address: str) -> bool:
        """Whether a receiver with this secret has made the address.

        Args:
            address: the last part of the URL.
        """
        part, _, proof = address.partition(".")
        # As bytes, since strings can be compared in constant time only if they are ASCII.
        return hmac.compare_digest(proof.encode("utf-8", "replace"), self._mac("address", part).encode())

    def receive(self, address: str, body: bytes) -> HTTPStatus:
        """Take one callback. A wrong or repeated one does no harm: it can only cause look-ups.

        Args:
            address: the last part of the URL.
            body: what was posted.

        Returns:
            The status to answer with.
        """
        if not self.is_own(address):
            return HTTPStatus.NOT_FOUND
        if len(body) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        task_id = _task_id(body)
        if task_id is None:
            return HTTPStatus.BAD_REQUEST
        with shared_state:
            self._keep(address, task_id)
            listeners = list(self._listeners)
        for listener in listeners:
            if (wake := listener()) is not None:
                wake(task_id)
        return HTTPStatus.NO_CONTENT

    def application(self) -> "web.Application":
        """A new sub-application for aiohttp: ``app.add_subapp("/producer", receiver.application())``."""
        from aiohttp import web  # noqa: PLC0415 - the server half of aiohttp is slow to import, and few need it

        async def handle(request: web.Request) -> web.Response:
            # Not `request.read`: its limit is that of the application which this one is mounted in.
            chunks = request.content.iter_any()
            return web.Response(status=await self._read(request.match_info["address"], request.content_length, chunks))

        app = web.Application()
        app.router.add_post("/{address}", handle)
        return app

    async def asgi(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """An ASGI application: mount this method where ``public_url`` points. ASGI says what its arguments are."""
        if scope["type"] != "http":
            return
        status = HTTPStatus.METHOD_NOT_ALLOWED
        if scope["method"] == "POST":
            status = await self._read(scope["path"].rpartition("/")[2], _announced_length(scope), _chunks(receive))
        await send({"type": "http.response.start", "status": int(status), "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, address: str, announced: int | None, chunks: AsyncIterator[bytes]) -> HTTPStatus:
        """Take one callback, of whose body no more is read than need be; return the status to answer with."""
        if not self.is_own(address):
            return HTTPStatus.NOT_FOUND
        if (announced or 0) > LARGEST_BODY or (body := await _body(chunks)) is None:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return self.receive(address, body)

    def _keep(self, address: str, task_id: str) -> None:
        task_ids = self._arrived.setdefault(address, [])
        if task_id not in task_ids and len(task_ids) < MOST_CANDIDATES:
            task_ids.append(task_id)
        if len(self._arrived) > MOST_ADDRESSES:
            del self._arrived[next(iter(self._arrived))]

    def _mac(self, purpose: str, text: str) -> str:
        """The code of a text under the secret, in characters of a URL. Codes for different purposes differ."""
        message = f"producer-tools callback {purpose}\n{text}".encode("utf-8", "surrogatepass")
        code = hmac.digest(self._secret.get_secret_value(), message, hashlib.sha256)
        return base64.urlsafe_b64encode(code[:_MAC_BYTES]).decode()

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "configuration",
            "A CallbackReceiver cannot be pickled or copied: its secret would be written out. Make one in the worker, "
            "with the same public_url and secret.",
        )


def _secret(given: str | bytes | SecretStr | SecretBytes | None) -> SecretBytes:
    if given is None:
        return SecretBytes(secrets.token_bytes(32))
    value = given if isinstance(given, str | bytes) else given.get_secret_value()
    return SecretBytes(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


def _listener(wake: _Wake) -> Callable[[], _Wake | None]:
    """A function that returns ``wake``, or ``None`` once the object that it is a method of is gone."""
    try:
        return WeakMethod(wake)
    except TypeError:  # a function, or a method whose object allows no weak references
        return lambda: wake


def _announced_length(scope: _Scope) -> int | None:
    """The body's length by the request's head, where that is a number."""
    lengths = [value for name, value in scope.get("headers", ()) if name.lower() == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() and len(lengths[0]) < LONGEST_ID else None


async def _chunks(receive: _Receive) -> AsyncIterator[bytes]:
    """The parts of the body of an ASGI request."""
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _body(chunks: AsyncIterator[bytes]) -> bytes | None:
    """What was posted; ``None`` if it is too large."""
    body = bytearray()
    read = 0
    async for chunk in chunks:
        read += len(chunk) or 1  # so that empty parts come to an end as well
        if read > LARGEST_BODY:
            return None
        body += chunk
    return bytes(body)


def _task_id(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    task_id = value.get("task_id") if isinstance(value, dict) else None
    return safe_name(task_id, LONGEST_ID) if isinstance(task_id, str) and task_id.strip() else None
