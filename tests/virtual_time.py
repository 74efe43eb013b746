"""Time that passes only while everybody waits, for tests of long waits: they must not depend on the machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.http.transport import Transport
from tests.clocks import VirtualClock

_clock: ContextVar[VirtualClock | None] = ContextVar("_clock", default=None)


@contextmanager
def requests_take_no_time() -> Iterator[None]:
    """A clock of `running` stands still while a client talks to the service, or fetches a file."""
    post, fetch = Transport.post, FileFetcher.fetch

    async def post_at_once(self: Transport, endpoint: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        with _standing_still():
            return await post(self, endpoint, body, paid=paid)

    async def fetch_at_once(self: FileFetcher, *arguments: Any) -> Any:
        with _standing_still():
            return await fetch(self, *arguments)

    with (
        patch.object(Transport, "post", post_at_once),
        patch.object(FileFetcher, "fetch", fetch_at_once),
        # This limit holds by the machine's time, whatever clock a client has. 0.8 s are too short on a busy machine.
        patch("producer_tools.tasks.waiting._LAST_LOOKUP_SECONDS", 60.0),
    ):
        yield


@contextmanager
def running() -> Iterator[VirtualClock]:
    """A clock for what this task, and the tasks that it starts, do in the block."""
    clock = VirtualClock()
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)


def _standing_still() -> Any:
    clock = _clock.get()
    return nullcontext() if clock is None else clock.working()
