"""Watches tasks until they are final: one watcher polls for everyone who waits, in rounds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from pydantic import SecretStr

from producer_tools.concurrency.clock import Clock, finishes_in_time
from producer_tools.concurrency.home_loop import HomeLoop
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import ServiceUnreachableError
from producer_tools.http.tokens import token_id
from producer_tools.tasks.task import Task

# Whoever waits wants to see soon that the task is known and has not failed, so the first look-up comes one interval
# after the submit, by default 5 s. No task is complete within 15 s and most are after 20-50 s (guide, seen), so the
# second one comes after four. They are numbers of intervals because a shorter one, as with the sandbox, means shorter
# songs.
_INTERVALS_BEFORE_FIRST_LOOKUP = 1
_INTERVALS_BEFORE_SECOND_LOOKUP = 4
# Old tasks are looked up less often: from this age, in intervals, only in every n-th round.
_BACK_OFF = ((60, 3), (24, 2))
# With a poll interval of 0, the watcher still pauses between its rounds.
_SHORTEST_INTERVAL = 0.05

LookUp = Callable[[Collection[str], Callable[[str, Task | Exception], None]], Awaitable[None]]


class Event(NamedTuple):
    """Something happened to a watched task.

    Attributes:
        task_id: the task.
        outcome: the task as it is now, or the error that ended watching it.
    """

    task_id: str
    outcome: Task | Exception


# Seconds for which an unfinished task is still watched although the service cannot be reached.
_UNREACHABLE_SECONDS = 30.0


@dataclass
class _Watched:
    """A task that is watched. All times are Unix seconds.

    Attributes:
        since: when it was submitted, or else when it was first watched.
        due: when it is looked up next.
        second: when it may be looked up after that.
        reached: when the service last answered about it.
        last: what the service answered.
        listeners: who is told of changes.
    """

    since: float
    due: float
    second: float
    reached: float = 0.0
    last: Task | None = None
    listeners: set["asyncio.Queue[Event]"] = field(default_factory=set)


class Watcher:
    """Looks up all tasks that are waited for in one event loop, in rounds, and reports each change of each task.

    Its background task runs only while there is something to watch.

    Args:
        look_up: looks several tasks up, and reports by id the task or the error of its look-up.
        clock: measures and waits.
        interval: seconds between two rounds.
    """

    def __init__(self, look_up: LookUp, clock: Clock, interval: float) -> None:
        self.home = HomeLoop()
        self._look_up = look_up
        self._clock = clock
        self._interval = max(interval, _SHORTEST_INTERVAL)
        self._watched: dict[str, _Watched] = {}
        self._work: asyncio.Task[None] | None = None
        self._rounds: set[asyncio.Task[None]] = set()
        self._looking: set[str] = set()
        self._last_round = float("-inf")
        self._next_round = float("-inf")
        self._is_sooner = asyncio.Event()

    @asynccontextmanager
    async def listen(
        self, task_ids: Collection[str], submitted_at: Callable[[str], float | None]
    ) -> AsyncIterator["asyncio.Queue[Event]"]:
        """Watch the tasks during the block; their events are put into the queue.

        Args:
            task_ids: the tasks, each once.
            submitted_at: when a task was submitted (Unix seconds), if that is known.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        for task_id in task_ids:
            if task_id not in self._watched:
                self._watched[task_id] = self._new(submitted_at(task_id))
            watched = self._watched[task_id]
            watched.listeners.add(events)
            if watched.last is not None:
                events.put_nowait(Event(task_id, watched.last))
            self._bring_forward(watched)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._run(), name="producer-tools watcher")
        try:
            yield events
        finally:
            for task_id in task_ids:
                self._leave(task_id, events)
            if not self._watched:
                self._stop()

    def wake(self, task_id: str) -> None:
        """Look a task up now instead of in its next round: something may have happened to it."""
        if task_id in self._watched:
            self._start_round([task_id])

    def _stop(self) -> None:
        for work in (self._work, *self._rounds):
            if work is not None:
                work.cancel()
        self._work = None
        self._looking.clear()

    def _new(self, submitted: float | None) -> _Watched:
        now = self._clock.now()
        if submitted is None:
            return _Watched(since=now, due=now, second=now)
        first, second = (
            submitted + intervals * self._interval
            for intervals in (_INTERVALS_BEFORE_FIRST_LOOKUP, _INTERVALS_BEFORE_SECOND_LOOKUP)
        )
        return _Watched(since=submitted, due=max(now, first), second=second)

    def _leave(self, task_id: str, events: "asyncio.Queue[Event]") -> None:
        watched = self._watched.get(task_id)
        if watched is not None:
            watched.listeners.discard(events)
            if not watched.listeners:
                del self._watched[task_id]

    async def _run(self) -> None:
        self._last_round = float("-inf")
        while self._watched:
            # Tasks that become due within one interval are looked up together.
            idle = self._watched.keys() - self._looking
            earliest = min((self._watched[task_id].due for task_id in idle), default=float("inf"))
            self._next_round = max(earliest, self._last_round + self._interval)
            if self._next_round > self._clock.now():
                await self._sleep(self._next_round - self._clock.now())
                continue
            self._last_round = self._clock.now()
            due = [task_id for task_id, watched in self._watched.items() if watched.due <= self._last_round]
            for task_id in due:
                watched = self._watched[task_id]
                next_one = self._last_round + self._interval * self._rounds_between_lookups(watched)
                watched.due = max(next_one, watched.second)
            self._start_round([task_id for task_id in due if task_id in idle])

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the time has passed, or until a task needs its round sooner."""
        changing = asyncio.ensure_future(self._is_sooner.wait())
        if seconds == float("inf"):
            await changing
        else:
            await finishes_in_time(changing, seconds, self._clock)
        self._is_sooner.clear()

    def _bring_forward(self, watched: _Watched) -> None:
        """Let the next round come sooner, if it would be too late for a task.

        Otherwise the round stays: to go through thousands of tasks at each change of one of them would take long.
        """
        if max(watched.due, self._last_round + self._interval) < self._next_round:
            self._is_sooner.set()

    def _start_round(self, task_ids: Collection[str]) -> None:
        """Look these tasks up without holding up the next round: one of them may have to wait."""
        self._looking.update(task_ids)
        work = asyncio.create_task(self._round(task_ids), name="producer-tools round")
        self._rounds.add(work)
        work.add_done_callback(self._rounds.discard)

    async def _round(self, task_ids: Collection[str]) -> None:
        try:
            await self._look_up(task_ids, self._report)
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits must get it
            for task_id in task_ids:
                self._report(task_id, error)

    def _report(self, task_id: str, outcome: Task | Exception) -> None:
        self._looking.discard(task_id)
        watched = self._watched.get(task_id)
        if watched is None:
            return
        if not self._is_passing(outcome, watched) and outcome != watched.last:
            for listener in watched.listeners:
                listener.put_nowait(Event(task_id, outcome))
            if isinstance(outcome, Exception) or outcome.is_final:
                del self._watched[task_id]
                return
            watched.last = outcome
        self._bring_forward(watched)

    def _is_passing(self, outcome: Task | Exception, watched: _Watched) -> bool:
        """Whether this is an outage of the network that may pass: the task was seen, and it has not lasted long."""
        now = self._clock.now()
        if not isinstance(outcome, ServiceUnreachableError):
            watched.reached = now
            return False
        return now < watched.reached + _UNREACHABLE_SECONDS

    def _rounds_between_lookups(self, watched: _Watched) -> int:
        age = (self._clock.now() - watched.since) / self._interval
        return next((rounds for intervals, rounds in _BACK_OFF if age >= intervals), 1)


class Watchers:
    """One watcher for each event loop and API token, so that users never see or wait for each other's tasks.

    A watcher is held by those who wait, so one that has nothing to watch takes no memory, nor does its loop.

    Args:
        look_up: looks tasks up with a token, and reports by id the task or the error of its look-up.
        clock: measures and waits.
        interval: seconds between two rounds.
    """

    def __init__(self, look_up: Callable[..., Awaitable[None]], clock: Clock, interval: float) -> None:
        self._look_up = look_up
        self._clock = clock
        self._interval = interval
        self._watchers: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], Watcher] = WeakValueDictionary()

    def current(self, token: SecretStr) -> Watcher:
        """The running loop's watcher for ``token``; it looks tasks up with this token."""
        new = Watcher(partial(self._look_up, token), self._clock, self._interval)
        with shared_state:
            return self._watchers.setdefault((new.home.loop, token_id(token)), new)

    def wake(self, task_id: str) -> None:
        """Wake a task in every watcher, in whichever event loop."""
        with shared_state:
            watchers = list(self._watchers.values())
        for watcher in watchers:
            watcher.home.call(watcher.wake, task_id)
