"""The server's life: started in a thread of its own, reachable over loopback, gone without a trace."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, get_args

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from producer_tools.concurrency.clock import Clock, SystemClock
from producer_tools.sandbox.app import Api
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Fault, Faults
from producer_tools.sandbox.records import Vocabulary
from producer_tools.sandbox.studio import Charge, Studio

if TYPE_CHECKING:
    from typing_extensions import Self

_HOST = "127.0.0.1"
# What a closing sandbox still waits for requests under way: those it holds would take as long as a song.
_GRACE_SECONDS = 0.05

_logger = logging.getLogger("producer_tools.sandbox")


class ProducerSandbox:
    """A local stand-in for the Producer API: a real HTTP server on loopback, with music of its own.

    Use it as ``with ProducerSandbox() as sandbox:``, as ``async with`` just so, or between ``start()`` and
    ``close()``. It serves from a daemon thread, so that also a blocking client may call it from inside an event loop.

    Args:
        render_seconds: How long a song takes, in seconds; 0 for at once.
        vocabulary: ``record`` for the records of the specification, ``state`` for what released clients look for.
        api_token: The token it accepts; made up when not given.
        port: The port of 127.0.0.1 to listen on; 0 for one of the system's choice.
        balance: How many charged requests the account is good for; None for no end of them.
        max_unfinished: How many songs may be unfinished at once, further ones being refused: the stricter reading of
            "5 in flight per token" (faq), which by the other is about requests. None for no end of them.
        clock: The time that tasks take.
        seed: Ids, seeds and faults by chance come out the same for the same requests; None for new ones each time.
        fault_rate: The share of requests, from 0 to 1, that go wrong by chance, in any way of `Fault`.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        *,
        render_seconds: float = 2.0,
        vocabulary: Vocabulary = "record",
        api_token: str | None = None,
        port: int = 0,
        balance: int | None = None,
        max_unfinished: int | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        fault_rate: float = 0.0,
    ) -> None:
        if not 0 <= render_seconds < float("inf"):
            raise ValueError(f"render_seconds must be zero or more, not {render_seconds}")
        if vocabulary not in get_args(Vocabulary):
            raise ValueError(f"vocabulary must be 'record' or 'state', not {vocabulary!r}")
        if api_token is not None and not api_token.strip():
            raise ValueError("api_token must not be blank")
        if port not in range(65536):
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        if balance is not None and balance < 0:
            raise ValueError(f"balance must be zero or more, not {balance}")
        if max_unfinished is not None and max_unfinished < 1:
            raise ValueError(f"max_unfinished must be one or more, not {max_unfinished}")
        if not 0 <= fault_rate <= 1:
            raise ValueError(f"fault_rate must be between 0 and 1, not {fault_rate}")
        random = Random(seed)
        self._api_token = f"sandbox-{random.getrandbits(128):032x}" if api_token is None else api_token
        self._vocabulary = vocabulary
        self._port = port
        self._clock = clock or SystemClock()
        self._studio = Studio(self._clock, random, render_seconds, balance, max_unfinished)
        # Chances of their own: with faults or without, the ids of a seed are the same.
        self._faults = Faults(fault_rate, Random(seed))
        self._running: ExitStack | None = None
        self._base_url: str | None = None

    @property
    def api_token(self) -> str:
        """The token it accepts."""
        return self._api_token

    @property
    def base_url(self) -> str:
        """Where it listens, ``http://127.0.0.1:PORT``.

        Raises:
            RuntimeError: It has not been started.
        """
        if self._base_url is None:
            raise RuntimeError("the sandbox has no address before it is started")
        return self._base_url

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The charged requests so far, in order. Neither a refused request nor a task that fails is charged."""
        return tuple(self._studio.charges)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that requests have met so far, scripted and by chance, in order."""
        return tuple(fault for fault in self._faults.happened if isinstance(fault, Fault))

    def fail_next(
        self, fault: Fault | str, message: str = "scripted", *, status: int | None = None, endpoint: str | None = None
    ) -> None:
        """Let the next request go wrong; each further call the one after.

        Args:
            fault: How it goes wrong; or one of the API's error codes, to refuse it before anything is done for it.
            message: What the refusal with a code says of it.
            status: The HTTP status of the refusal with a code; default the code's usual one.
            endpoint: Only a request to this path goes wrong, such as ``/producer/audios``; default any.

        Raises:
            KeyError: The API has no such code.
            ValueError: The API has no such endpoint.
        """
        self._faults.plan(fault if isinstance(fault, Fault) else ApiError(fault, message, status), endpoint)

    def spoil_next(self, code: str = "api_error", message: str = "scripted") -> None:
        """Let the next task of ``/producer/audios`` fail in part: what it makes is finished, and it is not charged.

        Raises:
            KeyError: The API has no such code.
        """
        self._studio.spoiled.append(ApiError(code, message))

    def start(self) -> None:
        """Start to serve; returns when requests are accepted.

        Raises:
            OSError: The port is in use, or not allowed.
            RuntimeError: It is running already.
        """
        if self._running is not None:
            raise RuntimeError("the sandbox is running already")
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            self._base_url = stack.enter_context(portal.wrap_async_context_manager(self._serve()))
            self._running = stack.pop_all()
        _logger.info("%r", self)

    def close(self) -> None:
        """Stop to serve and leave nothing open: a request still held is cut off. Closing twice is harmless."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[str]:
        """Serve, in the thread's event loop, as long as the context lasts; gives the base URL."""
        api = Api(self._studio, self._clock, self._vocabulary, self._api_token, self._faults)
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=_GRACE_SECONDS)
        try:
            await runner.setup()
            await _listen(runner, self._port)
            yield f"http://{_HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def __enter__(self) -> "Self":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Self":
        try:
            await _in_thread(self.start)
        except asyncio.CancelledError:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _in_thread(self.close)

    def __repr__(self) -> str:
        where = self._base_url if self._running is not None else "not running"
        return f"<ProducerSandbox (a local stand-in, not the service) {where}>"


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, _HOST, port).start()
    except OSError as error:
        # asyncio's own text tells the address once more, each Python in its own way.
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(error.errno, f"cannot listen on port {port} of {_HOST}: {reason}") from None


async def _in_thread(function: Callable[[], None]) -> None:
    """Run ``function`` without blocking the loop; its thread is gone afterwards, also after a cancellation."""
    with ThreadPoolExecutor(1) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, function)
