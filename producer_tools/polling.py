"""Watching tasks until they are final: one watcher asks for everybody, at one pace."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

from pydantic import SecretStr

from producer_tools.clock import Clock
from producer_tools.errors import TaskNotFoundError
from producer_tools.task import Task, TaskBatch

# Nothing is final in the first 15 s, most after 20-50 s (guide, seen): three intervals of 5 s. Whoever sets another
# interval, for the sandbox, has another notion of how long a song takes.
_INTERVALS_BEFORE_FIRST_LOOK = 3
# A task that takes long is looked at less often: from an age of so many intervals on, only in each n-th round.
_BACK_OFF = ((60, 3), (24, 2))
# Even where a single look need not wait, a watcher must not spin.
_SHORTEST_INTERVAL = 0.05

Look = Callable[[list[str]], Awaitable[TaskBatch]]


class Event(NamedTuple):
    """Something happened to a watched task: it changed, or it cannot be watched any more."""

    task_id: str
    what: Task | Exception


@dataclass
class _Watched:
    since: float
    due: float
    last: Task | None = None
    listeners: list["asyncio.Queue[Event]"] = field(default_factory=list)


class Watcher:
    """Looks at all tasks that anybody in one event loop waits for, in rounds, and tells each change of each task.

    It works while there is something to watch, and is gone when there is nothing left.

    Args:
        look: asks for the state of several tasks.
        clock: what time it is.
        interval: seconds between two rounds.
    """

    def __init__(self, look: Look, clock: Clock, interval: float) -> None:
        self._look = look
        self._clock = clock
        self._interval = max(interval, _SHORTEST_INTERVAL)
        self._watched: dict[str, _Watched] = {}
        self._work: asyncio.Task[None] | None = None
        self._hinted: set[str] = set()
        self._hurry = asyncio.Event()

    @asynccontextmanager
    async def listen(
        self, task_ids: Collection[str], submitted_at: Callable[[str], float | None]
    ) -> AsyncIterator["asyncio.Queue[Event]"]:
        """Watch the tasks during the block; what happens to them comes into the queue.

        Args:
            task_ids: the tasks, each once.
            submitted_at: when a task was submitted (Unix seconds), if that is known.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        for task_id in task_ids:
            if task_id not in self._watched:
                self._watched[task_id] = self._new(submitted_at(task_id))
            watched = self._watched[task_id]
            watched.listeners.append(events)
            if watched.last is not None:
                events.put_nowait(Event(task_id, watched.last))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._run(), name="producer-tools watcher")
        self._hurry.set()
        try:
            yield events
        finally:
            for task_id in task_ids:
                self._leave(task_id, events)
            if not self._watched and self._work is not None:
                self._work.cancel()
                self._work = None

    def hint(self, task_id: str) -> None:
        """Look at a task now, before its turn: something may have happened to it."""
        if task_id in self._watched:
            self._hinted.add(task_id)
            self._hurry.set()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to watch."""
        return not self._watched

    def _new(self, submitted: float | None) -> _Watched:
        now = self._clock.now()
        if submitted is None:
            return _Watched(since=now, due=now)
        return _Watched(since=submitted, due=max(now, submitted + _INTERVALS_BEFORE_FIRST_LOOK * self._interval))

    def _leave(self, task_id: str, events: "asyncio.Queue[Event]") -> None:
        watched = self._watched.get(task_id)
        if watched is not None:
            watched.listeners = [listener for listener in watched.listeners if listener is not events]
            if not watched.listeners:
                del self._watched[task_id]

    async def _run(self) -> None:
        last_round = float("-inf")
        while self._watched:
            if hinted := self._hinted & self._watched.keys():
                self._hinted.clear()
                await self._round(list(hinted))
                continue
            # What falls due within one interval is asked together.
            earliest = min(watched.due for watched in self._watched.values())
            rest = max(earliest, last_round + self._interval) - self._clock.now()
            if rest > 0:
                await self._sleep(rest)
                continue
            last_round = self._clock.now()
            due = [task_id for task_id, watched in self._watched.items() if watched.due <= last_round]
            for task_id in due:
                self._watched[task_id].due = last_round + self._interval * self._rounds_between_looks(task_id)
            await self._round(due)

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the time has passed, or until somebody is in a hurry."""
        passing = asyncio.ensure_future(self._clock.sleep(seconds))
        hurrying = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait((passing, hurrying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            passing.cancel()
            hurrying.cancel()
        self._hurry.clear()

    async def _round(self, task_ids: list[str]) -> None:
        try:
            batch = await self._look(task_ids)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            for task_id in task_ids:
                self._tell(task_id, error)
            return
        for task in batch.tasks:
            self._tell(str(task.task_id), task)
        for task_id in batch.not_found:
            self._tell(task_id, TaskNotFoundError(task_id))

    def _tell(self, task_id: str, what: Task | Exception) -> None:
        watched = self._watched.get(task_id)
        if watched is None or what == watched.last:
            return
        for listener in watched.listeners:
            listener.put_nowait(Event(task_id, what))
        if isinstance(what, Exception) or what.is_final:
            del self._watched[task_id]
        else:
            watched.last = what

    def _rounds_between_looks(self, task_id: str) -> int:
        age = (self._clock.now() - self._watched[task_id].since) / self._interval
        return next((rounds for intervals, rounds in _BACK_OFF if age >= intervals), 1)


class Watchers:
    """One watcher to each event loop and API token: tenants never see each other's tasks, nor pay for them."""

    def __init__(self, look: Look, clock: Clock, interval: float) -> None:
        self._make = partial(Watcher, look, clock, interval)
        self._lock = threading.Lock()
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[SecretStr, Watcher]] = WeakKeyDictionary()

    def current(self, token: SecretStr) -> Watcher:
        """The running loop's watcher for ``token``."""
        with self._lock:
            watchers = self._of_loops.setdefault(asyncio.get_running_loop(), {})
            for idle in [other for other, watcher in watchers.items() if watcher.is_idle and other != token]:
                del watchers[idle]
            return watchers.setdefault(token, self._make())

    def hint(self, task_id: str) -> None:
        """Tell every watcher, in whichever loop, that something may have happened to a task."""
        with self._lock:
            watchers = [(loop, watcher) for loop, of_loop in self._of_loops.items() for watcher in of_loop.values()]
        for loop, watcher in watchers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(watcher.hint, task_id)
