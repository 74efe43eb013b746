"""The public class: starts the server in its own thread, stops it, and controls it from tests."""

import asyncio
import logging
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, get_args

from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import SecretStr

from producer_tools.concurrency.clock import Clock, SystemClock
from producer_tools.concurrency.threads import in_thread
from producer_tools.http.tokens import secret
from producer_tools.sandbox.app import Api, Controls
from producer_tools.sandbox.backend import Backend, Charge, ReceivedRequest
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Fault, Faults, Refusal, TaskIdPlace
from producer_tools.sandbox.file_hosts import FileHosts
from producer_tools.sandbox.files import AudioFormat, FileKind
from producer_tools.sandbox.listing import Listing
from producer_tools.sandbox.music.encoding import check_installed
from producer_tools.sandbox.outages import Outage, OutageKind, Outages
from producer_tools.sandbox.price_list import PriceList
from producer_tools.sandbox.records import Vocabulary
from producer_tools.sandbox.server import serve
from producer_tools.sandbox.users import User, Users

if TYPE_CHECKING:
    from typing_extensions import Self

_logger = logging.getLogger("producer_tools.sandbox")


class ProducerSandbox:
    """A local stand-in for the Producer API: a real HTTP server on loopback that makes music itself.

    Use it in ``with ProducerSandbox() as sandbox:`` or ``async with``, or call `start` and `close`. The server runs in
    a thread of its own, so a blocking client may call it from inside an event loop. Properties and methods may be used
    from any thread, before, while and after the server runs.

    Args:
        render_seconds: How long a song takes, in seconds; 0 finishes it at once. The property of the same name can
            be changed at any time.
        vocabulary: The form of task records: ``record`` as specified, ``state`` as released clients expect.
        api_token: The token of the first account; default a random one. `add_user` adds another account.
        port: The port on 127.0.0.1; 0 lets the system choose a free one.
        balance: How many charged requests each account can pay for; None for no limit.
        max_unfinished: How many songs of an account may be unfinished at once; further submits are refused with
            ``too_many_requests``. None for no limit. The service's FAQ allows "5 in flight per token", which can mean
            unfinished songs or open requests. The sandbox always limits open paid requests to 5; this option adds
            the stricter reading.
        clock: Decides when tasks are finished; default the system's clock.
        seed: Makes ids, seeds and random faults the same for the same sequence of requests; None makes them new each
            time.
        fault_rate: The share of requests, from 0 to 1, that fail at random, each with any `Fault`.
        silent: Serve silence of the song's length and a plain cover in place of music and a picture. Rendering music
            takes about half a second for each song, so this makes tests of downloads faster.
        audio_format: The format of songs, uploads and previews. ``m4a`` is the service's; ``m4a`` and ``mp3`` need the
            extra ``sound``. Files of ``/producer/wav`` and stems are always WAV.

    Raises:
        ValueError: An argument is out of range.
        ImportError: The audio format needs the extra ``sound``, and it is not installed.
    """

    def __init__(
        self,
        *,
        render_seconds: float = 2.0,
        vocabulary: Vocabulary = "record",
        api_token: str | SecretStr | None = None,
        port: int = 0,
        balance: int | None = None,
        max_unfinished: int | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        fault_rate: float = 0.0,
        silent: bool = False,
        audio_format: AudioFormat = "wav",
    ) -> None:
        api_token = secret(api_token)  # a traceback of an invalid argument shows this frame's variables
        self._running: ExitStack | None = None
        if vocabulary not in get_args(Vocabulary):
            raise ValueError(f"vocabulary must be 'record' or 'state', not {vocabulary!r}")
        if port not in range(65536):
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        if balance is not None and balance < 0:
            raise ValueError(f"balance must be zero or more, not {balance}")
        if max_unfinished is not None and max_unfinished < 1:
            raise ValueError(f"max_unfinished must be one or more, not {max_unfinished}")
        if not 0 <= fault_rate <= 1:
            raise ValueError(f"fault_rate must be between 0 and 1, not {fault_rate}")
        if audio_format not in get_args(AudioFormat):
            raise ValueError(f"audio_format must be 'wav', 'm4a' or 'mp3', not {audio_format!r}")
        if audio_format != "wav":
            check_installed(f"audio_format={audio_format!r}")
        random = Random(seed)
        # Separate random sources, so that ids do not depend on how many users and random faults there are.
        users = Users(Random(None if seed is None else f"users {seed}"))
        self._user = users.add(
            f"sandbox-{random.getrandbits(128):032x}" if api_token is None else api_token.get_secret_value()
        )
        self._vocabulary = vocabulary
        self._port = port
        self._clock = clock or SystemClock()
        self._backend = Backend(self._clock, random, _checked_seconds(render_seconds), balance, max_unfinished)
        faults = Faults(fault_rate, Random(seed))
        self._audio_format = audio_format
        self._controls = Controls(users, faults, Outages(), Listing(), PriceList(), FileHosts())
        self._silent = silent
        self._portal: BlockingPortal | None = None
        self._base_url: str | None = None

    @property
    def api_token(self) -> str:
        """The token of the first account."""
        return self._user.api_token

    @property
    def users(self) -> tuple[User, ...]:
        """The accounts: the one with `api_token`, and those that `add_user` added."""
        return self._controls.users.all()

    @property
    def listing(self) -> Listing:
        """How a request for the list of tasks is answered, such as ``sandbox.listing.answer = "forbidden"``."""
        return self._controls.listing

    @property
    def price_list(self) -> PriceList:
        """How requests for prices are answered, such as ``sandbox.price_list.answer = "other_shape"``."""
        return self._controls.price_list

    @property
    def file_hosts(self) -> FileHosts:
        """How files are taken, such as ``sandbox.file_hosts.api = "no_api"``, and which ones were."""
        return self._controls.file_hosts

    @property
    def base_url(self) -> str:
        """The address of the server, ``http://127.0.0.1:PORT``.

        Raises:
            RuntimeError: The sandbox has not been started.
        """
        if self._base_url is None:
            raise RuntimeError("the sandbox has no address before it is started")
        return self._base_url

    @property
    def render_seconds(self) -> float:
        """How many seconds a song takes if it is submitted from now on.

        Setting it does not change songs that were submitted before; `finish_now` finishes them. A value that is
        negative or not finite raises ValueError.
        """
        return self._backend.render_seconds

    @render_seconds.setter
    def render_seconds(self, seconds: float) -> None:
        self._backend.render_seconds = _checked_seconds(seconds)

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """The requests so far, in order: those with the right token and a JSON object as their body.

        It includes requests that were then refused, but not those that a fault or a code of `fail_next` stopped before
        any work.
        """
        return tuple(self._backend.requests)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """The charged requests so far, in order. Refused requests and tasks that fail are not charged."""
        return tuple(self._backend.charges)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that requests have had so far, planned and random, in order."""
        return tuple(fault for fault in self._controls.faults.triggered if isinstance(fault, Fault))

    def add_user(self, api_token: str | None = None) -> User:
        """Add an account. It sees no tasks and no songs of other accounts, and has limits and a balance of its own.

        Args:
            api_token: Its token; default a random one.

        Raises:
            ValueError: The token is blank, or is another account's.
        """
        return self._controls.users.add(api_token)

    def fail_next(
        self,
        fault: Fault | str,
        message: str = "scripted",
        *,
        status: int | None = None,
        endpoint: str | None = None,
        after_work: bool = False,
        task_id_in: TaskIdPlace | None = None,
    ) -> None:
        """Make the next request fail. Further calls make the requests after it fail, in order.

        Args:
            fault: How it fails; or one of the API's error codes, to refuse it with that code before any work.
            message: The message that goes with a code.
            status: The HTTP status that goes with a code, 200 included; default the code's usual one.
            endpoint: Only a request to this path fails, such as ``/producer/audios``; default any endpoint.
            after_work: With a code: whether the request is carried out, and charged, nevertheless.
            task_id_in: With a code: carry the request out, and name its task in the answer: at the ``top``, or in the
                object ``error``, ``data`` or ``response``.

        Raises:
            KeyError: The API has no such code.
            ValueError: The API has no such endpoint, or an argument does not fit.
        """
        after_work = after_work or task_id_in is not None
        if isinstance(fault, Fault):
            if after_work:
                raise ValueError(f"after_work and task_id_in go with an error code; {fault} does what its text says")
            self._controls.faults.plan(fault, endpoint)
        else:
            refusal = Refusal(ApiError(fault, message, status), after_work, task_id_in)
            self._controls.faults.plan(refusal, endpoint)

    def outage(self, kind: OutageKind, *, actions: Collection[str] = (), submits: int | None = None) -> Outage:
        """Begin an outage: from now on, paid requests fail. Nothing is charged for them.

        The outage lasts until ``submits`` requests have failed, until `Outage.end`, or until the end of the ``with``
        block that it is used in. Requests that are invalid do not count.

        Args:
            kind: How requests fail. ``no_capacity``: songs are accepted, and fail when their time is over with a
                message that speaks of temporary capacity. ``tasks_fail``: the same with a server error. Refused before
                any work: ``server_error`` with status 500, ``unavailable`` with 503, ``retired`` with 410.
            actions: The actions of ``/producer/audios`` that fail, such as ``["variation"]``; default all, and the
                other paid endpoints too if ``kind`` refuses requests.
            submits: How many requests fail; default all of them until the outage is ended.

        Raises:
            ValueError: There is no such kind or action, or ``submits`` is below one.
        """
        return self._controls.outages.begin(kind, actions, submits)

    def spoil_next(self, code: str = "api_error", message: str = "scripted") -> None:
        """Make the next task of ``/producer/audios`` fail in part: it has a song and an error, and is not charged.

        Args:
            code: One of the API's error codes.
            message: The message that goes with it.

        Raises:
            KeyError: The API has no such code.
        """
        self._backend.partial_failures.append(ApiError(code, message))

    def missing_files(self, kind: FileKind) -> AbstractContextManager[None]:
        """Answer requests for files of one kind with 404 inside a ``with`` block, to test downloads that fail.

        Args:
            kind: ``audio`` (also that of uploads and of ``/producer/wav``), ``preview``, ``stems``, ``video`` or
                ``cover``.

        Raises:
            ValueError: There is no such kind.
        """
        if kind not in get_args(FileKind):
            raise ValueError(f"kind must be one of {', '.join(get_args(FileKind))}, not {kind!r}")
        return self._controls.faults.missing_files(kind)

    def finish_now(self) -> None:
        """Finish every unfinished task at the clock's present time.

        Waiting requests are answered and callbacks are sent. Songs that are submitted later take `render_seconds`
        again.
        """
        if self._portal is None:
            self._backend.finish_now()
        else:
            self._portal.call(self._backend.finish_now)

    def start(self) -> None:
        """Start the server; returns when it accepts requests. A program does not end before `close` was called.

        Raises:
            OSError: The port is in use, or not allowed.
            RuntimeError: The sandbox is running already.
        """
        if self._running is not None:
            raise RuntimeError("the sandbox is running already")
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            api = partial(
                Api,
                self._backend,
                self._clock,
                self._vocabulary,
                self._controls,
                self._audio_format,
                silent=self._silent,
            )
            self._base_url = stack.enter_context(portal.wrap_async_context_manager(serve(api, self._port)))
            self._running, self._portal = stack.pop_all(), portal
        _logger.info("%r", self)

    def close(self) -> None:
        """Stop the server and its thread. Open requests are cut off. A second call does nothing."""
        running, self._running, self._portal = self._running, None, None
        if running is not None:
            running.close()

    def __enter__(self) -> "Self":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Self":
        try:
            await in_thread(self.start)
        except asyncio.CancelledError:
            await in_thread(self.close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(self.close)

    def __repr__(self) -> str:
        where = self._base_url if self._running is not None else "not running"
        return f"<ProducerSandbox (a local stand-in, not the service) {where}>"


def _checked_seconds(render_seconds: float) -> float:
    if not 0 <= render_seconds < float("inf"):
        raise ValueError(f"render_seconds must be zero or more, not {render_seconds}")
    return render_seconds
