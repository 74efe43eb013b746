"""The client: what can be asked of the API, within its limits."""

from dataclasses import asdict
from functools import partial
from os import PathLike
from typing import Any

import aiohttp
from pydantic import SecretStr
from typing_extensions import Self

from producer_tools.client.arguments import as_ledger, check_budget
from producer_tools.client.free_calls import FreeCalls
from producer_tools.client.paid_calls import PaidCalls
from producer_tools.client.uploads import Uploads
from producer_tools.concurrency.clock import Clock, SystemClock
from producer_tools.concurrency.closing import Closing
from producer_tools.concurrency.limits import Semaphores
from producer_tools.errors import ConfigurationError
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.files.uploads.hosting import FileHosts
from producer_tools.http.callbacks import CallbackReceiver
from producer_tools.http.settings import Settings, default_base_url, default_platform, default_timeout
from producer_tools.http.tokens import TokenFunction, own_token, picklable
from producer_tools.http.transport import Transport
from producer_tools.payment.availability import Availability
from producer_tools.payment.budget import Budget
from producer_tools.payment.ledger import Ledger, MemoryLedger
from producer_tools.payment.outcomes import Outcomes
from producer_tools.payment.price_list import PriceList
from producer_tools.payment.prices import Prices, PriceSource
from producer_tools.payment.recordings import RecordingKeys
from producer_tools.payment.sending import Sender
from producer_tools.payment.settling import Settler
from producer_tools.payment.spending import Spending
from producer_tools.payment.statement import Statements
from producer_tools.payment.submit import Submissions
from producer_tools.tasks.listing import Listing
from producer_tools.tasks.lookups import LookUps
from producer_tools.tasks.waiting import Waits


class ProducerClient(PaidCalls, FreeCalls, Closing):
    """A client of the Producer API. Tools, threads and event loops may share it.

    Every async method has a twin for sync code, whose name ends in ``_sync``. Where an event loop is running, use the
    async method: the twin would stop that loop until it returns, and never returns if it waits for a task of that loop.

    Args:
        api_token: the API token; default ``ACEDATACLOUD_API_TOKEN``, read at each call. Or a sync or async function
            that gets the run's ``RunnableConfig`` and returns its user's token. It is called once for each call of this
            client, in the event loop, so it must not block. A surrounding `producer_tools.api_token` block takes
            precedence.
        base_url: default ``ACEDATACLOUD_API_BASE_URL``, else the service.
        session: an aiohttp session of the caller's. It is used only in its own event loop, and never closed. Its hooks
            (`aiohttp.TraceConfig`, middlewares) see the header ``Authorization``, and so the token. What they raise is
            raised without its traceback, and the log names the line.
        request_timeout: seconds for one paid request; default ``PRODUCER_REQUEST_TIMEOUT``, else 1800.
        lookup_timeout: seconds for one look-up of tasks, or ``request_timeout`` if that is shorter.
        poll_interval: seconds between two look-ups of one unfinished task. A look-up that comes sooner waits for the
            rest of the interval. With 0 it never waits.
        max_paid_in_flight: how many paid requests of each token may be in flight at once; further ones of that token
            wait. The service allows 5 for each token (faq).
        ledger: where each paid request is written down before it is sent; a path opens a `SqliteLedger`. Default: the
            store of the graph that a tool runs in; without a store, memory, which survives retries and interrupts, but
            not the end of the process.
        budget: what this client may spend.
        prices: what calls are estimated to cost: US dollars by action or endpoint, a `PriceTable`, or a function that
            is given the request and returns US dollars. Default: the last list that the provider published.
        callbacks: receives the service's callbacks: waits end with the song, and lost answers are recovered.
        require_user_token: whether each call needs an `api_token` block; without one it is a `MissingTokenError`.
        platform_base_url: where `fetch_prices` reads the price list, and the second place to which `upload` sends a
            file, with the token; default the service's platform, or ``base_url`` if that is not the service's.
        failures_until_down: after how many failures of the service in a row, within ten minutes, paid calls to that
            endpoint fail at once for a minute (`ServiceUnavailableError`). Then one call tries the service again.
        clock: measures and waits; for tests.

    Raises:
        ConfigurationError: an argument or a variable of the environment is not valid.
    """

    def __init__(
        self,
        api_token: str | SecretStr | TokenFunction | None = None,
        base_url: str | None = None,
        *,
        session: aiohttp.ClientSession | None = None,
        request_timeout: float | None = None,
        lookup_timeout: float = 30.0,
        poll_interval: float = 5.0,
        max_paid_in_flight: int = 5,
        ledger: Ledger | str | PathLike[str] | None = None,
        budget: Budget | None = None,
        prices: PriceSource | None = None,
        callbacks: CallbackReceiver | None = None,
        require_user_token: bool = False,
        platform_base_url: str | None = None,
        failures_until_down: int = 3,
        clock: Clock | None = None,
    ) -> None:
        api_token = own_token(api_token)  # first, because a traceback shows this frame's variables
        ledger, budget = as_ledger(ledger), check_budget(budget)
        base_url = str(base_url or default_base_url()).rstrip("/")
        self._settings = Settings(
            base_url=base_url,
            request_timeout=default_timeout() if request_timeout is None else request_timeout,
            lookup_timeout=lookup_timeout,
            poll_interval=poll_interval,
            max_paid_in_flight=max_paid_in_flight,
            require_user_token=require_user_token,
            platform_base_url=str(platform_base_url or default_platform(base_url)),
            failures_until_down=failures_until_down,
        )
        self._clock = clock = clock or SystemClock()
        self._has_borrowed_session = session is not None
        self._transport = Transport(self._settings, api_token, session)
        self._files = FileFetcher(self.base_url, self.request_timeout, clock, self._transport.token)
        if callbacks is not None:
            callbacks.on_callback(self.wake)
        self._budget = budget
        self._callbacks = callbacks
        self._ledger = ledger
        self._memory_ledger = MemoryLedger()
        self._paid_in_flight = Semaphores(max_paid_in_flight)
        shared_by = self._memory_ledger if ledger is None else ledger
        availability = Availability(self.base_url, clock, shared_by, failures_until_down)
        self._lookups = LookUps(self._transport, clock, poll_interval, availability.seen)
        self._waits = Waits(self._transport, self._lookups, clock, poll_interval)
        self._prices = Prices(prices)
        spending = Spending(self._prices, budget)
        settler = Settler(Listing(self._transport), clock, callbacks)
        self._outcomes = Outcomes(self._transport, clock, settler)
        sender = Sender(
            self._transport,
            clock,
            settler=settler,
            spending=spending,
            callbacks=callbacks,
            availability=availability,
        )
        self._submissions = Submissions(
            self._transport,
            clock,
            semaphores=self._paid_in_flight,
            sender=sender,
            outcomes=self._outcomes,
            on_submitted=self._waits.remember,
        )
        self._price_list = PriceList(self._transport, clock, self._settings.platform_base_url)
        self._statements = Statements(self._transport, clock, self._lookups)
        self._uploads = Uploads(
            self._transport,
            FileHosts(self._transport, self.base_url, self._settings.platform_base_url),
            RecordingKeys(clock, self._statements),
            sender,
        )

    @property
    def base_url(self) -> str:
        """Where the endpoints' paths are appended."""
        return self._settings.base_url

    @property
    def request_timeout(self) -> float:
        """Seconds for one paid request."""
        return self._settings.request_timeout

    @property
    def lookup_timeout(self) -> float:
        """Seconds for one look-up of tasks."""
        return self._settings.lookup_timeout

    @property
    def poll_interval(self) -> float:
        """Seconds between two look-ups of one unfinished task."""
        return self._settings.poll_interval

    @property
    def max_paid_in_flight(self) -> int:
        """How many paid requests of each token may be in flight at once."""
        return self._settings.max_paid_in_flight

    @property
    def paid_in_flight(self) -> int:
        """How many paid requests are in flight now, of all tokens together."""
        return self._paid_in_flight.held

    @property
    def files(self) -> FileFetcher:
        """Fetches the files of results."""
        return self._files

    async def aclose(self) -> None:
        """Close the sessions that this client has made; a later call makes a new one. A caller's session stays open.

        It first waits for what is under way: at most 30 seconds for the submits of this event loop, and then at most 30
        seconds for paid requests of other event loops.
        """
        await self._submissions.finish()
        await self._transport.aclose()
        await self._files.aclose()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The client itself: copies of a tool share its connections."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle everything but a token. An unpickled client has the same token function, or uses the environment's.

        Raises:
            ConfigurationError: the client has something that cannot be sent to another process.
        """
        if self._has_borrowed_session:
            raise _cannot_be_pickled("with a session of the caller's", "the session is a live connection")
        if self._ledger is None:
            raise _cannot_be_pickled(
                "without a ledger of its own", "its copy would not know what was paid for, and pay again"
            )
        parts: dict[str, Any] = {
            "api_token": picklable(self._transport.own_token),
            "ledger": self._ledger,
            "budget": self._budget,
            "prices": self._prices.given,
            "callbacks": self._callbacks,
            "clock": None if type(self._clock) is SystemClock else self._clock,
        }
        return partial(type(self), **asdict(self._settings), **parts), ()

    def __repr__(self) -> str:
        settings = getattr(self, "_settings", None)  # not there yet in the traceback of an invalid argument
        return f"ProducerClient(base_url={settings and settings.base_url!r})"


def _cannot_be_pickled(which: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        "configuration",
        f"A ProducerClient {which} cannot be pickled: {why}. Give it a SqliteLedger and no session, or make the client "
        "in the worker.",
    )
