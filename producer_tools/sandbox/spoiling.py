"""How a request goes wrong: the work is done or not, and then the answer is spoiled."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Fault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_DRIPS = 8
_DRIP_SECONDS = 0.025
_LOOK_SECONDS = 0.01
_HUGE_PART = b'"' + b"x" * (2**20 - 3) + b'",'
_HUGE_PARTS = 50
# Lingering for no time at all makes the system send a reset in place of an orderly end.
_NO_LINGER = struct.pack("ii", 1, 0)
_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_REFUSALS = {
    Fault.RATE_LIMITED: "too_many_requests",
    Fault.ERROR_BEFORE_WORK: "api_error",
    Fault.ERROR_AFTER_WORK: "api_error",
    Fault.TIMEOUT_AFTER_WORK: "timeout",
}


async def go_wrong(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let ``handler`` do the work, if it is to be done, and spoil the answer.

    Raises:
        ApiError: The refusal that the fault is, or one that the request deserves by itself.
    """
    body = b""
    if fault.does_work:
        answer = await handler(request)
        body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    else:
        await request.read()
    if fault in _REFUSALS:
        raise ApiError(_REFUSALS[fault], "wanted so")
    spoil = _BREAKS.get(fault)
    return await spoil(request, body) if spoil else _foreign(fault, body)


def _foreign(fault: Fault, body: bytes) -> web.Response:
    """A whole answer that is not what was asked for."""
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
    """Break the connection; what is returned reaches nobody."""
    if request.transport is not None:
        peer: socket.socket = request.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()
    return web.Response()


async def _reset_half_way(request: web.Request, body: bytes) -> web.StreamResponse:
    await _send(request, [body[: len(body) // 2]], announced=len(body))
    return await _reset(request, body)


async def _silence(request: web.Request, _: bytes) -> web.StreamResponse:
    # aiohttp has no event for a client that is gone; a sandbox that closes cancels this.
    while request.transport is not None:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    return web.Response()


async def _huge(request: web.Request, _: bytes) -> web.StreamResponse:
    parts = [b"[", *[_HUGE_PART] * _HUGE_PARTS, b"0]"]
    return await _send(request, parts, announced=sum(map(len, parts)))


async def _slow(request: web.Request, body: bytes) -> web.StreamResponse:
    step = len(body) // _DRIPS + 1
    drips = [body[at : at + step] for at in range(0, len(body), step)]
    return await _send(request, drips, announced=len(body), pause=_DRIP_SECONDS)


async def _send(
    request: web.Request, parts: Iterable[bytes], *, announced: int, pause: float = 0.0
) -> web.StreamResponse:
    """Answer in parts, as far as the client reads them."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = announced
    try:
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass  # the client had enough
    return response


_BREAKS: dict[Fault, Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]] = {
    Fault.RESET_BEFORE_WORK: _reset,
    Fault.RESET_AFTER_WORK: _reset,
    Fault.RESET_IN_ANSWER: _reset_half_way,
    Fault.SILENCE_BEFORE_WORK: _silence,
    Fault.SILENCE_AFTER_WORK: _silence,
    Fault.HUGE: _huge,
    Fault.SLOW: _slow,
}
