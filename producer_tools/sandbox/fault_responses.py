"""Answers a request with a fault: carries it out or not, and then sends a faulty answer."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web
from pydantic_core import from_json

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Fault, Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SLOW_PARTS = 8
_SLOW_PAUSE_SECONDS = 0.025
_CLIENT_CHECK_SECONDS = 0.01
_HUGE_PART = b'"' + b"x" * (2**20 - 3) + b'",'
_HUGE_PARTS = 50
# With SO_LINGER at zero seconds, closing a socket sends a reset in place of an orderly end.
_NO_LINGER = struct.pack("ii", 1, 0)
_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_REFUSALS = {
    Fault.RATE_LIMITED: "too_many_requests",
    Fault.ERROR_BEFORE_WORK: "api_error",
    Fault.ERROR_AFTER_WORK: "api_error",
    Fault.TIMEOUT_AFTER_WORK: "timeout",
}


async def respond_with_fault(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let ``handler`` do the work if ``fault`` includes it, and then send a faulty answer.

    Raises:
        ApiError: The fault is an error of the API, or the request is refused in the normal way.
    """
    body = await _carry_out(request, handler) if fault.does_work else b""
    await request.read()
    if fault in _REFUSALS:
        raise ApiError(_REFUSALS[fault], "wanted so")
    send = _SENDERS.get(fault)
    return await send(request, body) if send else _complete_response(fault, body)


async def refused(refusal: Refusal, request: web.Request, handler: Handler) -> dict[str, Any]:
    """Let ``handler`` do the work if ``refusal`` includes it; returns the answer without its trace id.

    Raises:
        ApiError: The request is refused in the normal way.
    """
    if not refusal.after_work:
        return refusal.body(None)
    answer = from_json(await _carry_out(request, handler))
    return refusal.body(answer.get("task_id", answer.get("id")))


async def _carry_out(request: web.Request, handler: Handler) -> bytes:
    """Do the work of a request; returns the body of its correct answer."""
    answer = await handler(request)
    return answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""


def _complete_response(fault: Fault, body: bytes) -> web.Response:
    """A complete HTTP response with a faulty body."""
    if fault in {Fault.GATEWAY_BEFORE_WORK, Fault.GATEWAY_AFTER_WORK}:
        return web.Response(status=502, body=_GATEWAY, content_type="text/html")
    if fault is Fault.HTML:
        return web.Response(body=b"<html><body>Welcome</body></html>", content_type="text/html")
    bodies = {
        Fault.CUT_OFF: body[: len(body) // 2],
        Fault.EMPTY: b"",
        Fault.LIST: b"[" + body + b"]",
        Fault.OTHER_OBJECT: b'{"message": "Welcome", "version": 3}',
    }
    return web.Response(body=bodies[fault], content_type="application/json")


async def _reset(request: web.Request, _: bytes) -> web.StreamResponse:
    """Reset the connection; the returned response is not sent."""
    if request.transport is not None:
        peer: socket.socket = request.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()
    return web.Response()


async def _reset_in_answer(request: web.Request, body: bytes) -> web.StreamResponse:
    await _send(request, [body[: len(body) // 2]], length=len(body))
    return await _reset(request, body)


async def _silence(request: web.Request, _: bytes) -> web.StreamResponse:
    # aiohttp has no event for a client that disconnects. Closing the sandbox cancels this loop.
    while request.transport is not None:  # noqa: ASYNC110
        await asyncio.sleep(_CLIENT_CHECK_SECONDS)
    return web.Response()


async def _huge(request: web.Request, _: bytes) -> web.StreamResponse:
    parts = [b"[", *[_HUGE_PART] * _HUGE_PARTS, b"0]"]
    return await _send(request, parts, length=sum(map(len, parts)))


async def _slow(request: web.Request, body: bytes) -> web.StreamResponse:
    step = len(body) // _SLOW_PARTS + 1
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    return await _send(request, parts, length=len(body), pause=_SLOW_PAUSE_SECONDS)


async def _send(request: web.Request, parts: Iterable[bytes], *, length: int, pause: float = 0.0) -> web.StreamResponse:
    """Send an answer in parts, until the client disconnects; ``length`` is its Content-Length."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = length
    try:
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass  # the client disconnected
    return response


_SENDERS: dict[Fault, Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]] = {
    Fault.RESET_BEFORE_WORK: _reset,
    Fault.RESET_AFTER_WORK: _reset,
    Fault.RESET_IN_ANSWER: _reset_in_answer,
    Fault.SILENCE_BEFORE_WORK: _silence,
    Fault.SILENCE_AFTER_WORK: _silence,
    Fault.HUGE: _huge,
    Fault.SLOW: _slow,
}
