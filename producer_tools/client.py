"""The client: what can be asked of the API, within its limits."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any

import aiohttp
from pydantic import SecretStr
from typing_extensions import Self

from producer_tools import config
from producer_tools.bridge import run_sync
from producer_tools.callbacks import CallbackReceiver, ExpectedCallback
from producer_tools.clock import Clock, SystemClock
from producer_tools.errors import ConfigurationError, SubmissionUnknownError, TaskNotFoundError
from producer_tools.polling import Event, Watchers
from producer_tools.progress import OnProgress, progress_of
from producer_tools.requests import TASKS, GetTask, GetTasksBatch, MusicRequest, Request
from producer_tools.retry import with_retries
from producer_tools.task import Task, TaskBatch, read_answer, read_record
from producer_tools.throttle import LOOKUPS_PER_SECOND, Pace, Rate, Slots
from producer_tools.transport import Transport, unreadable

_REMEMBERED_SECONDS = 300.0
_CALLBACK_SECONDS = 300.0

BATCH_SIZE = 50
"""Task ids in one look-up (mcp: recommended at most)."""


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
        self._paid = Slots(max_paid_in_flight)
        self._lookups = Rate(LOOKUPS_PER_SECOND, clock)
        self._pace = Pace(poll_interval, clock)
        self._clock = clock
        self._callbacks = callbacks
        if callbacks is not None:
            callbacks.on_hint(self.hint)
        self._submitted: dict[str, float] = {}
        self._watchers = Watchers(self.get_tasks, clock, poll_interval)

    async def submit(self, request: Request) -> Task:
        """Send one paid request.

        Returns:
            The task: pending with its id, or final at once where the endpoint answers with its result.

        Raises:
            APIError: the service refused; nothing was charged.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: sent, and the outcome is not known: money may have been spent.
        """
        if self._callbacks and isinstance(request, MusicRequest) and request.callback_url is None:
            return await self._submit_with_callback(request, self._callbacks.expect())
        return await self._submit(request)

    async def _submit_with_callback(self, request: MusicRequest, expected: ExpectedCallback) -> Task:
        try:
            return await self._submit(request.model_copy(update={"callback_url": expected.url}))
        except SubmissionUnknownError:
            # If the service did get it, the callback will bring the id that the answer should have brought.
            arriving = asyncio.shield(asyncio.wrap_future(expected.task_id))
            if not await self._in_time(arriving, _CALLBACK_SECONDS):
                raise
            return await self.get_task(arriving.result())

    async def _submit(self, request: Request) -> Task:
        async with self._paid.hold():
            answer = await self._send(request)
        task = read_answer(answer)
        if task.task_id is None and not task.results:
            raise unreadable(request.endpoint, "it has neither a task id nor a result")
        if task.task_id is not None and not task.is_final:
            self._remember(task.task_id)
        return task

    async def get_task(self, task_id: str) -> Task:
        """Look at one task.

        Raises:
            TaskNotFoundError: the service knows no such task.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came.
        """
        request = GetTask(task_id=task_id)
        await self._pace.turn([request.task_id])
        record = await self._send(request)
        if not record:
            self._pace.release([request.task_id])
            raise TaskNotFoundError(request.task_id)
        if not record.keys() & {"id", "state", "response", "created_at"}:
            raise unreadable(TASKS, "it is no task record")
        task = read_record({"id": request.task_id, **record})
        if task.is_final:
            self._pace.release([request.task_id])
        return task

    async def get_tasks(self, task_ids: Iterable[str]) -> TaskBatch:
        """Look at any number of tasks: 50 to a request, the requests at once, each id once.

        Returns:
            The tasks in the order asked, and the ids that the service does not know.

        Raises:
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: no readable answer came.
        """
        ids = _unique(task_ids)
        await self._pace.turn(ids)
        chunks = [ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE)]
        answers = await asyncio.gather(*(self._look_up_many(chunk) for chunk in chunks), return_exceptions=True)
        found: dict[str | None, Task] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            found.update((task.task_id, task) for task in answer)
        self._pace.release([task_id for task_id in ids if task_id not in found or found[task_id].is_final])
        return TaskBatch(
            tasks=tuple(found[task_id] for task_id in ids if task_id in found),
            not_found=tuple(task_id for task_id in ids if task_id not in found),
        )

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
        async with aclosing(self._events(_unique(task_ids))) as events:
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
        ids = _unique(task_ids)
        found: dict[str, Task] = {}
        missing: set[str] = set()
        collecting = asyncio.ensure_future(self._collect(ids, found, missing, on_progress))
        if await self._in_time(collecting, timeout):
            collecting.result()
        if unseen := [task_id for task_id in ids if task_id not in found and task_id not in missing]:
            batch = await self.get_tasks(unseen)
            found.update((str(task.task_id), task) for task in batch.tasks)
        return TaskBatch(
            tasks=tuple(found[task_id] for task_id in ids if task_id in found),
            not_found=tuple(task_id for task_id in ids if task_id not in found),
        )

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
        self._pace.release([task_id])
        self._watchers.hint(task_id)

    async def aclose(self) -> None:
        """Close the sessions this client has made; a later call makes a new one. A borrowed session stays open."""
        await self._transport.aclose()

    def close(self) -> None:
        """Close the sessions this client has made, from sync code."""
        run_sync(self.aclose)

    async def _events(self, task_ids: list[str]) -> AsyncGenerator[Event, None]:
        """What happens to the tasks, until each is final or cannot be watched any more."""
        watcher = self._watchers.current(self._transport.token())
        watching = set(task_ids)
        async with watcher.listen(task_ids, self._submitted.get) as events:
            while watching:
                event = await events.get()
                if isinstance(event.what, Exception) or event.what.is_final:
                    watching.discard(event.task_id)
                yield event

    async def _collect(
        self, task_ids: list[str], found: dict[str, Task], missing: set[str], on_progress: OnProgress | None
    ) -> None:
        async with aclosing(self._events(task_ids)) as events:
            async for task_id, what in events:
                if isinstance(what, TaskNotFoundError):
                    missing.add(task_id)
                elif isinstance(what, Exception):
                    raise what
                else:
                    found[task_id] = what
                    if on_progress is not None:
                        on_progress(progress_of(what, self._clock.now()))

    async def _in_time(self, work: "asyncio.Future[Any]", timeout: float) -> bool:
        """Whether the work was done before ``timeout`` seconds were over; if not, it is cancelled."""
        passing = asyncio.ensure_future(self._clock.sleep(timeout))
        try:
            await asyncio.wait((work, passing), return_when=asyncio.FIRST_COMPLETED)
            return work.done()
        finally:
            work.cancel()
            passing.cancel()
            await asyncio.gather(work, passing, return_exceptions=True)

    def _remember(self, task_id: str) -> None:
        """When a task was submitted tells the watcher when a first look is worth it; soon that is of no use."""
        now = self._clock.now()
        while self._submitted and next(iter(self._submitted.values())) < now - _REMEMBERED_SECONDS:
            self._submitted.pop(next(iter(self._submitted)), None)
        self._submitted[task_id] = now

    async def _send(self, request: Request) -> dict[str, Any]:
        paid, body = request.endpoint.paid, request.body()

        async def once() -> dict[str, Any]:
            if not paid:
                await self._lookups.turn()
            return await self._transport.post(request.endpoint, body)

        return await with_retries(once, self._clock, paid=paid)

    async def _look_up_many(self, task_ids: list[str]) -> list[Task]:
        answer = await self._send(GetTasksBatch(task_ids=task_ids))
        records = answer.get("items")
        if not isinstance(records, list):
            raise unreadable(TASKS, "it has no list of items")
        return [read_record(record) for record in records if isinstance(record, dict) and record]

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
