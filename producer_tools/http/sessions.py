"""One aiohttp session for each event loop, closed when its loop ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakKeyDictionary

import aiohttp

from producer_tools.concurrency.shared_state import shared_state


class _Held(NamedTuple):
    session: aiohttp.ClientSession
    lifetime: AsyncGenerator[aiohttp.ClientSession, None]


def new_session() -> aiohttp.ClientSession:
    """A session for the API. Users share it, so it keeps no cookies: one user's must not go into another's calls.

    Nor does it limit the number of connections: the calls of one user that hang would take those of all others.
    """
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))


class LoopSessions:
    """Gives each event loop its own session, since an aiohttp session works only in the loop in which it was made.

    Args:
        make: makes a session in the running loop.
    """

    def __init__(self, make: Callable[[], aiohttp.ClientSession] = new_session) -> None:
        self._make = make
        self._held: WeakKeyDictionary[asyncio.AbstractEventLoop, _Held] = WeakKeyDictionary()

    async def current(self) -> aiohttp.ClientSession:
        """The running loop's session; a new one if it has none."""
        loop = asyncio.get_running_loop()
        with shared_state:
            held = self._held.get(loop)
        if held is None or held.session.closed:
            lifetime = _lifetime(self._make)
            held = _Held(await anext(lifetime), lifetime)
            with shared_state:
                self._held[loop] = held
        return held.session

    async def aclose(self) -> None:
        """Close every session. The running loop's is closed on return, another loop's when that loop next runs."""
        with shared_state:
            held = dict(self._held)
            self._held.clear()
        here = asyncio.get_running_loop()
        for loop, (_, lifetime) in held.items():
            if loop is here:
                await lifetime.aclose()
            else:
                with suppress(RuntimeError):  # that loop is closed, and so is its session
                    loop.call_soon_threadsafe(_close_in, loop, lifetime)


async def _lifetime(make: Callable[[], aiohttp.ClientSession]) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """A session that is open until this generator is closed.

    When a loop shuts down, it closes its async generators (`asyncio.run` always does that). So the session is closed
    while its loop can still do so.
    """
    session = make()
    try:
        yield session
    finally:
        await session.close()


def _close_in(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[aiohttp.ClientSession, None]) -> None:
    closing = loop.create_task(lifetime.aclose())
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
"""Keeps the tasks referenced until they are done; asyncio itself does not."""
