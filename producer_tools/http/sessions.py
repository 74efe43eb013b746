"""The sessions of aiohttp: one for each event loop, closed when its loop ends; or the caller's."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakMethod, finalize

import aiohttp

from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import ConfigurationError


class _Held(NamedTuple):
    session: aiohttp.ClientSession
    lifetime: AsyncGenerator[aiohttp.ClientSession, None]


def new_session() -> aiohttp.ClientSession:
    """A session for the API. Users share it, so it keeps no cookies: one user's must not go into another's calls.

    Nor does it limit the number of connections: the calls of one user that hang would take those of all others.
    """
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))


def usable(borrowed: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """The caller's session, unless it would fail in the middle of a request.

    Raises:
        ConfigurationError: it is closed, or belongs to another event loop.
    """
    here = asyncio.get_running_loop()
    if borrowed.closed or borrowed._loop is not here:  # noqa: SLF001 - aiohttp has no public way to ask
        raise ConfigurationError(
            "configuration",
            "The given session works only while it is open, and only in the event loop it was made in. For sync "
            "calls and other event loops, use a client without a session of yours.",
        )
    return borrowed


class LoopSessions:
    """Gives each event loop its own session, since an aiohttp session works only in the loop in which it was made.

    A loop and its session are forgotten when the loop shuts down.

    Args:
        make: makes a session in the running loop.
    """

    def __init__(self, make: Callable[[], aiohttp.ClientSession] = new_session) -> None:
        self._make = make
        # Weak keys would not do: a session refers to its loop, so no key would ever be collected.
        self._held: dict[asyncio.AbstractEventLoop, _Held] = {}
        # A client that nobody closes may be collected while a loop still runs, such as the background loop.
        finalize(self, _close_all, self._held).atexit = False

    async def current(self) -> aiohttp.ClientSession:
        """The running loop's session; a new one if it has none."""
        loop = asyncio.get_running_loop()
        with shared_state:
            held = self._held.get(loop)
        if held is None or held.session.closed:
            # With a weak reference, since a client that nobody uses any more is to be collected, session and all.
            lifetime = _lifetime(self._make, WeakMethod(self._forget))
            held = _Held(await anext(lifetime), lifetime)
            with shared_state:
                # A loop that was closed without a shutdown did not end the lifetime of its session.
                for other in [other for other in self._held if other.is_closed()]:
                    del self._held[other]
                self._held[loop] = held
        return held.session

    async def aclose(self) -> None:
        """Close every session. The running loop's is closed on return, another loop's when that loop next runs."""
        with shared_state:
            own = self._held.pop(asyncio.get_running_loop(), None)
        _close_all(self._held)
        if own is not None:
            await own.lifetime.aclose()

    def _forget(self, session: aiohttp.ClientSession) -> None:
        with shared_state:
            for loop in [loop for loop, held in self._held.items() if held.session is session]:
                del self._held[loop]


async def _lifetime(
    make: Callable[[], aiohttp.ClientSession], forget: WeakMethod[Callable[[aiohttp.ClientSession], None]]
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """A session that is open until this generator is closed, and is then forgotten.

    When a loop shuts down, it closes its async generators (`asyncio.run` always does that). So the session is closed
    while its loop can still do so.
    """
    session = make()
    try:
        yield session
    finally:
        if (call := forget()) is not None:
            call(session)
        await session.close()


def _close_all(held: dict[asyncio.AbstractEventLoop, _Held]) -> None:
    """Close each session in its loop, when that loop next runs."""
    with shared_state:
        closing = dict(held)
        held.clear()
    for loop, (_, lifetime) in closing.items():
        with suppress(RuntimeError):  # that loop is closed, and so is its session
            loop.call_soon_threadsafe(_close_in, loop, lifetime)


def _close_in(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[aiohttp.ClientSession, None]) -> None:
    closing = loop.create_task(lifetime.aclose())
    with shared_state:
        _closing.difference_update([task for task in _closing.copy() if task.get_loop().is_closed()])
        _closing.add(closing)
    closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
"""Keeps the tasks referenced until they are done; asyncio itself does not."""
