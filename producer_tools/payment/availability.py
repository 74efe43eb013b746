"""Stops paid calls while the service is down, so that nobody goes on submitting what will fail.

Three failures in a row (submits that the service could not answer, tasks that it could not carry out) mean that the
service is down. For a minute paid calls to that endpoint then fail at once; after that one call tries the service, and
its outcome decides. Clients with the same ledger share what they saw. An action that is answered with 410 is not sent
again by the same client.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import NamedTuple, Protocol, TypeVar

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import ProducerToolError, RetiredError, ServiceUnavailableError
from producer_tools.http.faults import is_service_failure
from producer_tools.http.safe_text import safe_text
from producer_tools.payment.entry import Entry
from producer_tools.payment.ledger import Ledger, MemoryLedger
from producer_tools.payment.service_state import RUN_SECONDS, Failure, ServiceState, in_short
from producer_tools.payment.shared_note import SharedNote
from producer_tools.requests import AUDIOS
from producer_tools.tasks.failures import failed_by_service
from producer_tools.tasks.stuck import STUCK_AFTER
from producer_tools.tasks.task import STUCK, Task
from producer_tools.telemetry import logger

_SECONDS_BETWEEN_READS = 5.0
# Longer than it takes to read a note and write it. By the machine's time, as every timeout.
_SECONDS_TO_AGREE = 0.5
_MOST_REMEMBERED = 10_000
_MOST_NAMED = 2
_LONGEST_KEY = 500


class _Answer(Protocol):
    @property
    def task(self) -> Task:
        """The task that a submit made."""


class _Submitted(NamedTuple):
    endpoint: str
    at: float


AnswerT = TypeVar("AnswerT", bound=_Answer)


class Availability:
    """What one client knows about whether the service works.

    Args:
        base_url: the service; clients of another one share nothing with this client.
        clock: measures.
        ledger: where it is shared, until a call brings a ledger of its own.
        failures_until_down: how many failures in a row mean that the service is down.
    """

    def __init__(self, base_url: str, clock: Clock, ledger: Ledger, failures_until_down: int) -> None:
        self._note = SharedNote(f"service {base_url}", ledger)
        self._clock = clock
        self._limit = failures_until_down
        self._states: dict[str, ServiceState] = {}
        self._read_at = float("-inf")
        self._retired: dict[tuple[str, str], str] = {}
        # When and where each task was submitted here, and None once its end was counted.
        self._tasks: dict[str, _Submitted | None] = {}

    async def check(self, entry: Entry, ledger: Ledger) -> None:
        """Check that a paid request would be sent now, before work that is of no use without it. Nothing is changed.

        Raises:
            ServiceUnavailableError: the service is down, and no trial is due.
            RetiredError: it was answered with 410 before.
        """
        state = await self._known(entry, ledger)
        if not state.lets_a_call_pass(self._clock.now()):
            raise self._down(state, entry)

    async def attempt(self, entry: Entry, ledger: Ledger, send: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Send a paid request, unless the service is down.

        Args:
            entry: the ledger's entry of the request.
            ledger: the ledger.
            send: sends it.

        Raises:
            ServiceUnavailableError: the service is down; nothing was sent.
            RetiredError: it was answered with 410, now or before.
            ProducerError: what ``send`` raised.
        """
        names = frozenset({entry.owner})
        try:
            await self._admit(entry, ledger)
            answer = await send()
            await self._accepted(entry, answer.task)
        except RetiredError as error:
            self._retired[_action(entry)] = in_short(_words(error))
            raise
        except ProducerToolError as error:
            if is_service_failure(error):
                key = safe_text(entry.key, _LONGEST_KEY)
                failure = Failure(self._clock.now(), in_short(_words(error)), key, entry.account)
                await self._failed(entry.endpoint, failure, names)
            raise
        finally:
            # If it was a trial that was never sent, or neither failed nor has a task, it decided nothing.
            if self._state(entry.endpoint).trial == entry.owner:
                await self._change(entry.endpoint, lambda state: state.without_trial(names))
        return answer

    async def seen(self, task: Task) -> None:
        """Learn from a task that was looked up. The end of each task counts once, and an old one does not count."""
        if not task.is_final or task.task_id is None:
            return
        now, ended = self._clock.now(), _end(task)
        with shared_state:
            # A task that was submitted elsewhere is one of a song: the other endpoints answer with their results.
            submitted = self._tasks.get(task.task_id, _Submitted(AUDIOS, 0.0))
            if submitted is None:
                return
            if task.task_id in self._tasks and not submitted.at <= ended <= now:
                ended = now  # the service's clock differs from this machine's
            self._remember(task.task_id, None)
        if ended >= now - RUN_SECONDS:
            await self._ended(submitted.endpoint, task, min(ended, now), frozenset({task.task_id}))

    async def _admit(self, entry: Entry, ledger: Ledger) -> None:
        if not (await self._known(entry, ledger)).is_down:
            return
        state = await self._change(entry.endpoint, lambda state: state.with_trial(entry.owner, self._clock.now()))
        if state.trial == entry.owner and type(ledger) is not MemoryLedger:  # no other process uses one
            state = await self._agreed(entry.endpoint, state)
        if state.is_down and state.trial != entry.owner:
            raise self._down(state, entry)

    async def _agreed(self, endpoint: str, state: ServiceState) -> ServiceState:
        """The state after a pause, because other processes may have started a trial in the same moment.

        The trial that was written down last is carried out, whatever the clocks of the others show.
        """
        await asyncio.sleep(_SECONDS_TO_AGREE)  # real time, whatever clock the client has
        noted = (await self._read()).get(endpoint)
        if noted is None or not noted.trial:
            return state
        with shared_state:
            self._states[endpoint] = noted
        return self._state(endpoint)

    async def _known(self, entry: Entry, ledger: Ledger) -> ServiceState:
        """What is known of the endpoint of a request.

        Raises:
            RetiredError: the request was answered with 410 before.
        """
        self._note.ledger = ledger
        if (before := self._retired.get(_action(entry))) is not None:
            raise RetiredError(
                "retired",
                f"The service answered {_action(entry)[1]} with 410 before ({before}), so it was not sent again.",
            )
        await self._read_now_and_then()
        return self._state(entry.endpoint)

    async def _accepted(self, entry: Entry, task: Task) -> None:
        names = frozenset({entry.owner, *filter(None, [task.task_id])})
        with shared_state:
            if task.task_id is not None:
                submitted = _Submitted(entry.endpoint, entry.begun_at)
                self._remember(task.task_id, None if task.is_final else submitted)
        if task.is_final:
            await self._ended(entry.endpoint, task, self._clock.now(), names)
        elif task.task_id is not None and self._state(entry.endpoint).trial == entry.owner:
            task_id = task.task_id
            await self._change(entry.endpoint, lambda state: state.with_task(entry.owner, task_id))

    async def _ended(self, endpoint: str, task: Task, at: float, names: frozenset[str]) -> None:
        if task.error is not None and failed_by_service(task):
            words = in_short(f"{task.error['code']}: {task.error['message']}")
            await self._failed(endpoint, Failure(at, words), names)
            return
        await self._read_now_and_then()
        if task.success and self._state(endpoint).failures:
            await self._change(endpoint, lambda state: state.recovered(at))
        elif self._state(endpoint).trial in names:
            await self._change(endpoint, lambda state: state.without_trial(names))

    async def _failed(self, endpoint: str, failure: Failure, names: frozenset[str]) -> None:
        await self._change(endpoint, lambda state: state.failed(failure, names, self._clock.now(), self._limit))

    def _state(self, endpoint: str) -> ServiceState:
        return self._states.get(endpoint, ServiceState()).at(self._clock.now())

    async def _change(self, endpoint: str, change: Callable[[ServiceState], ServiceState]) -> ServiceState:
        """Change what everyone knows of an endpoint. The last writer wins.

        Returns:
            The state after the change.
        """
        await self._read()
        with shared_state:
            before = self._state(endpoint)
            after = change(before)
            if after == before:
                return before
            # The clock may stand still between two changes, and the later one must win.
            after = replace(after, changed_at=max(self._clock.now(), before.changed_at))
            self._states[endpoint] = after
            note = {each: state.to_note() for each, state in self._states.items()}
        await self._note.write(note)
        return after

    async def _read_now_and_then(self) -> None:
        if self._clock.now() - self._read_at >= _SECONDS_BETWEEN_READS:
            await self._read()

    async def _read(self) -> dict[str, ServiceState]:
        """Learn what others have seen since the last look, and return what the ledger's note says of each endpoint."""
        self._read_at = now = self._clock.now()
        note = await self._note.read()
        try:
            read = {str(endpoint): ServiceState.from_note(state, now) for endpoint, state in (note or {}).items()}
        except Exception as fault:  # noqa: BLE001 - a damaged note is no reason to stop a call
            logger.warning("The ledger's note %r cannot be read: %s", self._note.name, type(fault).__name__)
            return {}
        with shared_state:
            for endpoint, state in read.items():
                if state.changed_at >= self._states.get(endpoint, ServiceState()).changed_at:
                    self._states[endpoint] = state
        return read

    def _remember(self, task_id: str, submitted: _Submitted | None) -> None:
        self._tasks.pop(task_id, None)
        self._tasks[task_id] = submitted
        if len(self._tasks) > _MOST_REMEMBERED:
            del self._tasks[next(iter(self._tasks))]

    def _down(self, state: ServiceState, entry: Entry) -> ServiceUnavailableError:
        since = datetime.fromtimestamp(state.since, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        seen = "; ".join(dict.fromkeys(failure.words for failure in state.failures[-3:]))
        happened = (
            f"The service keeps failing ({entry.endpoint}): {len(state.failures)} times in a row since {since}, "
            f"last: {in_short(seen)}. Failed tasks are generally not charged."
        )
        trial = "Another call is trying the service now." if state.trial else ""
        message = " ".join(filter(None, [happened, trial, _about_unknown(state, entry.account)]))
        wait = None if state.trial else max(0.0, state.retry_at - self._clock.now())
        return ServiceUnavailableError("service_unavailable", message, retry_after=wait)


def _about_unknown(state: ServiceState, account: str) -> str:
    """What is known of submits that may have been charged. Keys are named only to the account that they belong to."""
    keys = list(dict.fromkeys(each.unknown_key for each in state.failures if each.account == account))
    if not keys:
        return ""
    named = ", ".join(in_short(key.removeprefix(f"{account}/")) for key in keys[:_MOST_NAMED])
    more = "" if len(keys) <= _MOST_NAMED else f" and {len(keys) - _MOST_NAMED} more"
    return f"These submits have an unknown outcome and may have been charged: {named}{more}."


def _action(entry: Entry) -> tuple[str, str]:
    """The endpoint of a request, and the name of what it asks for."""
    return entry.endpoint, str(entry.request.get("action", entry.endpoint))


def _words(error: ProducerToolError) -> str:
    status = "" if error.status is None else f"HTTP {error.status} "
    return f"{status}{error.code}: {error.message}"


def _end(task: Task) -> float:
    """When a task ended, as far as its record says (Unix seconds)."""
    created = task.created_at or 0.0
    if task.error is not None and task.error["code"] == STUCK:
        return created + STUCK_AFTER
    return task.finished_at or created
