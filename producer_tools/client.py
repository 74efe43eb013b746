"""The client: what can be asked of the API, within its limits."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any

import aiohttp
from pydantic import SecretStr
from typing_extensions import Self

from producer_tools import config
from producer_tools.bridge import run_sync
from producer_tools.callbacks import CallbackReceiver
from producer_tools.clock import Clock, SystemClock
from producer_tools.errors import ConfigurationError
from producer_tools.files.hosts import FileHosts
from producer_tools.ledger import Ledger, MemoryLedger
from producer_tools.lookups import LookUps
from producer_tools.progress import OnProgress
from producer_tools.requests import GetTasksBatch, PaidRequest
from producer_tools.spending import Budget
from producer_tools.submissions import Submissions
from producer_tools.task import Task, TaskBatch, read_answer
from producer_tools.transport import Transport
from producer_tools.waiting import Waits


class ProducerClient:
    """A client of the Producer API. Tools, threads and event loops may share it.

    Args:
        api_token: the API token; default ``ACEDATACLOUD_API_TOKEN`` at the time of a call. A surrounding
            `producer_tools.api_token` block wins over it.
        base_url: default ``ACEDATACLOUD_API_BASE_URL``, else the service.
        session: an aiohttp session of the caller's: used as it is, in its own event loop, and never closed.
        request_timeout: seconds for one request; default ``PRODUCER_REQUEST_TIMEOUT``, else 1800.
        poll_interval: seconds between two looks at one unfinished task: a second look that comes sooner waits for
            the rest. 0: never.
        callbacks: receives the service's callbacks: each song is then submitted with a callback address, its result
            comes without a look to spare, and a submit whose answer was lost is found again.
        max_paid_in_flight: paid requests under way at once; further ones wait. The service allows 5 (faq).
        ledger: where each wish is written down before it is paid for. Default: the store of the graph a tool runs in;
            without one, memory, which survives retries and interrupts, but not the end of the process.
        budget: what this client may spend.
        clock: what time it is; for tests.

    Raises:
        ConfigurationError: an argument, or a variable of the environment, makes no sense.
    """

    def __init__(
        self,
        api_token: str | SecretStr | None = None,
        base_url: str | None = None,
        *,
        session: aiohttp.ClientSession | None = None,
        request_timeout: float | None = None,
        poll_interval: float = 5.0,
        max_paid_in_flight: int = 5,
        ledger: Ledger | None = None,
        budget: Budget | None = None,
        callbacks: CallbackReceiver | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.base_url = (base_url or config.default_base_url()).rstrip("/")
        self.request_timeout = config.default_timeout() if request_timeout is None else request_timeout
        self.poll_interval = poll_interval
        self.max_paid_in_flight = max_paid_in_flight
        self._check()
        self._has_borrowed_session = session is not None
        self._transport = Transport(self.base_url, config.secret(api_token), session, self.request_timeout)
        clock = clock or SystemClock()
        self.files = FileHosts(self.base_url, self.request_timeout, clock)
        if callbacks is not None:
            callbacks.on_hint(self.hint)
        self._ledger = ledger
        self._fallback_ledger = MemoryLedger()
        self._submissions = Submissions(self._transport, clock, max_paid_in_flight, budget, callbacks)
        self._lookups = LookUps(self._transport, clock, poll_interval)
        self._waits = Waits(self._transport, self._lookups, clock, poll_interval)

    async def submit(self, request: PaidRequest, *, key: str | None = None, ledger: Ledger | None = None) -> Task:
        """Send one paid request, or return what came of it if it was sent before.

        Args:
            request: what to make.
            key: a name for this wish. The same wish under the same key is paid for once, whatever crashes in between:
                the second time nothing is sent and the same task comes back. Without a key each call is a wish.
            ledger: where wishes are written down, unless the client has a ledger of its own.

        Returns:
            The task: pending with its id, or final at once where the endpoint answers with its result.

        Raises:
            APIError: the service refused; nothing was charged.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: sent, now or before, and the outcome is not known: money may have been spent.
            SubmissionConflictError: the key stands for another wish.
            BudgetExceededError: it does not fit into the budget.
        """
        answer = await self._submissions.submit(request, key, self._ledger or ledger or self._fallback_ledger)
        task = read_answer(answer)
        if task.task_id is not None and not task.is_final:
            self._waits.remember(task.task_id)
        return task

    async def allow_again(self, key: str, *, ledger: Ledger | None = None) -> None:
        """Let a wish with an unknown outcome be sent again. For a person to decide: it may be paid for twice.

        Args:
            key: the wish's key, as the error names it.
            ledger: where it is written down, unless the client has a ledger of its own.

        Raises:
            KeyError: no wish was ever sent under this key.
        """
        await (self._ledger or ledger or self._fallback_ledger).forget(key)

    async def adopt(self, key: str, task_id: str, *, ledger: Ledger | None = None) -> None:
        """Say which task a wish with an unknown outcome has become, as a person may see in the account.

        Submitted again, the wish is that task, and nothing is paid.

        Args:
            key: the wish's key, as the error names it.
            task_id: the service's id of the task.
            ledger: where it is written down, unless the client has a ledger of its own.

        Raises:
            KeyError: no wish was ever sent under this key.
        """
        await (self._ledger or ledger or self._fallback_ledger).finish(key, {"task_id": task_id})

    async def get_task(self, task_id: str) -> Task:
        """Look at one task.

        Raises:
            TaskNotFoundError: the service knows no such task.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came.
        """
        return await self._lookups.one(task_id)

    async def get_tasks(self, task_ids: Iterable[str]) -> TaskBatch:
        """Look at any number of tasks: 50 to a request, the requests at once, each id once.

        Returns:
            The tasks in the order asked, and the ids that the service does not know.

        Raises:
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came.
        """
        return await self._lookups.many(_unique(task_ids))

    async def watch(self, task_ids: Iterable[str]) -> AsyncGenerator[Task, None]:
        """Yield each change of each task once, until all of them are final.

        However many watch in one event loop, their tasks are asked for together. Ending the iteration early loses
        nothing: the tasks go on, and can be watched again.

        Args:
            task_ids: any number of task ids.

        Raises:
            TaskNotFoundError: the service knows no such task.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came, for 30 seconds.
        """
        async with aclosing(self._waits.events(_unique(task_ids))) as events:
            async for _, what in events:
                if isinstance(what, Exception):
                    raise what
                yield what

    async def wait(self, task_ids: Iterable[str], timeout: float, on_progress: OnProgress | None = None) -> TaskBatch:
        """Wait until all tasks are final, or until the time is over.

        The deadline loses nothing, and cancels no task: what is not final comes back as it is, to be waited for again.

        Args:
            task_ids: any number of task ids.
            timeout: seconds to wait at most.
            on_progress: called with each change of each task.

        Returns:
            The tasks in the order asked, and the ids that the service does not know.

        Raises:
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came, for 30 seconds.
        """
        return await self._waits.wait(_unique(task_ids), timeout, on_progress)

    def watch_sync(self, task_ids: Iterable[str]) -> Iterator[Task]:
        """`watch` for sync code."""
        changes = self.watch(task_ids)
        try:
            while (task := run_sync(lambda: anext(changes, None))) is not None:
                yield task
        finally:
            run_sync(changes.aclose)

    def wait_sync(self, task_ids: Iterable[str], timeout: float, on_progress: OnProgress | None = None) -> TaskBatch:
        """`wait` for sync code; ``on_progress`` is called in the background thread."""
        return run_sync(lambda: self.wait(task_ids, timeout, on_progress))

    def hint(self, task_id: str) -> None:
        """Have those who wait for a task look at it at once, for something may have happened to it.

        A hint, such as the service's callback, is never believed: it only makes the look come sooner.
        """
        self._waits.hint(task_id)

    async def aclose(self) -> None:
        """Close the sessions this client has made; a later call makes a new one. A borrowed session stays open."""
        await self._transport.aclose()
        await self.files.aclose()

    def close(self) -> None:
        """Close the sessions this client has made, from sync code."""
        run_sync(self.aclose)

    def _check(self) -> None:
        complaint = None
        if not self.base_url.startswith(("http://", "https://")):
            complaint = f"base_url must be an http(s) URL, not {self.base_url!r}."
        elif not self.request_timeout > 0:
            complaint = f"request_timeout must be seconds above 0, not {self.request_timeout!r}."
        elif not self.poll_interval >= 0:
            complaint = f"poll_interval must be seconds, 0 or more, not {self.poll_interval!r}."
        elif self.max_paid_in_flight < 1:
            complaint = f"max_paid_in_flight must be 1 or more, not {self.max_paid_in_flight!r}."
        if complaint:
            raise ConfigurationError("configuration", complaint)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copied tool shares its client: a client is a connection, not a value."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings without the token: unpickled, a client takes it from the environment."""
        if self._has_borrowed_session:
            raise TypeError("A ProducerClient with a session of the caller's cannot be pickled: the session is live.")
        return _unpickle, (self.base_url, self.request_timeout, self.poll_interval, self.max_paid_in_flight)

    def __repr__(self) -> str:
        return f"ProducerClient(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unique(task_ids: Iterable[str]) -> list[str]:
    """Checked ids in the order given, each once."""
    return list(dict.fromkeys(GetTasksBatch(task_ids=list(task_ids)).task_ids))


def _unpickle(base_url: str, request_timeout: float, poll_interval: float, max_paid_in_flight: int) -> ProducerClient:
    return ProducerClient(
        base_url=base_url,
        request_timeout=request_timeout,
        poll_interval=poll_interval,
        max_paid_in_flight=max_paid_in_flight,
    )
