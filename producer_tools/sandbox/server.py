"""Runs the endpoints as a server on loopback."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from producer_tools.sandbox.app import Api

_HOST = "127.0.0.1"
# How long closing waits for open requests. A synchronous submit would take as long as its song, so this is short.
_SHUTDOWN_SECONDS = 0.05


@asynccontextmanager
async def serve(make_api: Callable[[], Api], port: int) -> AsyncIterator[str]:
    """Serve an API in the running event loop inside the context; yields the base URL.

    Args:
        make_api: Makes the API. It is called in the event loop, because the API belongs to one.
        port: The port; 0 lets the system choose a free one.

    Raises:
        OSError: The port is in use, or not allowed.
    """
    runner = web.AppRunner(make_api().application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        await _listen(runner, port)
        yield f"http://{_HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, _HOST, port).start()
    except OSError as error:
        # asyncio's own message repeats the address, and differs between Python versions.
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(error.errno, f"cannot listen on port {port} of {_HOST}: {reason}") from None
