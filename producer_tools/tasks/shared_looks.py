"""Look-ups under way: everyone who asks for a task of theirs shares them, and those that start together go together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

from pydantic import SecretStr

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.home_loop import HomeLoop
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.http.tokens import api_token, token_id
from producer_tools.tasks.poll_interval import PollInterval
from producer_tools.tasks.task import Task

BATCH_SIZE = 50
"""Task ids in one look-up (mcp: recommended at most)."""

# A loop that is closed tells nobody, so those who wait for a look-up in another loop check this often.
_SECONDS_BETWEEN_CHECKS = 1.0

Outcome = Task | Exception
Report = Callable[[str, Outcome], None]


class Ask(Protocol):
    """Makes one request for at most `BATCH_SIZE` tasks, and returns an outcome for each of them.

    ``alone`` says that somebody asked for this one task and for no other; ``retry``, whether a failed request is made
    again. It runs inside an ``api_token`` block.
    """

    def __call__(self, task_ids: list[str], /, *, alone: bool, retry: bool) -> Awaitable[Mapping[str, Outcome]]:
        """Make the request."""


@dataclass(eq=False)
class _Look:
    """One look-up of one task, from the first who asks for it until its outcome is there.

    Attributes:
        task_id: the task.
        alone: whether the first who asked for it asked for no other task.
        group: those with which it starts.
        of_task: those of the same task that can be joined.
        begun: whether its request is being made.
        askers: how many wait for its outcome.
        outcome: ``None`` if its loop was stopped before there was one; who still waits then asks again.
    """

    task_id: str
    alone: bool
    group: "_Group"
    of_task: "_LooksOfTask"
    begun: bool = False
    askers: int = 0
    outcome: "Future[Outcome | None]" = field(default_factory=Future)


class _LooksOfTask(WeakValueDictionary[tuple[str, bool], _Look]):
    """The look-ups of one task that can be joined, by the `token_id` and whether they are made at once."""


@dataclass(eq=False)
class _Group:
    """Look-ups of one token that start at the same time in one event loop.

    Attributes:
        token: the token.
        owner: its `token_id`.
        at: when they start (Unix seconds), or ``None`` for the next turn of the loop.
        at_once: whether they neither wait for the poll interval nor are retried.
        looks: by task id.
        wanted: how many of them somebody still waits for.
        work: the asyncio task that makes the requests.
    """

    token: SecretStr
    owner: str
    at: float | None
    at_once: bool
    home: HomeLoop = field(default_factory=HomeLoop)
    looks: dict[str, _Look] = field(default_factory=dict)
    wanted: int = 0
    work: "asyncio.Task[None] | None" = None

    @property
    def key(self) -> tuple[asyncio.AbstractEventLoop, str, bool, float | None]:
        """Equal keys: the look-ups can start together."""
        return self.home.loop, self.owner, self.at_once, self.at


class SharedLooks:
    """Makes the look-ups of one client.

    Who asks for a task while a look-up of it is waiting or under way, with the same token, shares that look-up, in any
    event loop. It goes on as long as somebody waits for it. Look-ups of one token that start in the same turn of an
    event loop go into the same requests. Look-ups of different tokens share nothing.

    Args:
        ask: makes a request.
        clock: measures and waits.
        interval: seconds between two look-ups of one unfinished task.
    """

    def __init__(self, ask: Ask, clock: Clock, interval: float) -> None:
        self._ask = ask
        self._clock = clock
        self._interval = PollInterval(interval, clock)
        # Held by those who wait and by the work itself, so that neither a closed loop nor a fork leaves anything here.
        self._looks: WeakValueDictionary[str, _LooksOfTask] = WeakValueDictionary()
        self._groups: WeakValueDictionary[object, _Group] = WeakValueDictionary()

    async def each(
        self,
        token: SecretStr,
        task_ids: Collection[str],
        report: Report,
        *,
        alone: bool = False,
        at_once: bool = False,
    ) -> None:
        """Look tasks up, and report the outcome of each as soon as it is there. Return when all are reported.

        Args:
            token: whose tasks they are.
            task_ids: the tasks, each once.
            report: called with the id and the outcome of each task.
            alone: whether a request for one task may use the form for one task.
            at_once: neither wait for the rest of a poll interval nor make a failed request again.
        """
        here = HomeLoop()
        arrived: deque[_Look] = deque()
        changed = asyncio.Event()
        waiting: set[_Look] = set()
        elsewhere: set[_Look] = set()

        def arrive(look: _Look) -> None:
            arrived.append(look)
            changed.set()

        def join(task_id: str) -> None:
            look = self._join(token, task_id, alone=alone, at_once=at_once)
            waiting.add(look)
            if look.group.home.loop is here.loop:
                look.outcome.add_done_callback(lambda _: arrive(look))
            else:
                elsewhere.add(look)
                look.outcome.add_done_callback(lambda _: here.call(arrive, look))

        try:
            for task_id in task_ids:
                join(task_id)
            while waiting:
                while not arrived:
                    changed.clear()
                    await _changes(changed, elsewhere)
                look = arrived.popleft()
                waiting.discard(look)
                elsewhere.discard(look)
                outcome = look.outcome.result()
                if outcome is None:
                    join(look.task_id)
                else:
                    report(look.task_id, outcome)
        finally:
            for look in waiting:
                self._leave(look)

    def wake(self, task_id: str) -> None:
        """Start look-ups of this task that wait for their interval. An answer under way may be too old to be shared."""
        with shared_state:
            self._interval.wake(task_id)
            of_task = self._looks.get(task_id, _LooksOfTask())
            for key, look in list(of_task.items()):
                if look.begun:
                    del of_task[key]
                else:
                    look.group.home.call(self._start_now, look)

    def _join(self, token: SecretStr, task_id: str, *, alone: bool, at_once: bool) -> _Look:
        owner = token_id(token)
        with shared_state:
            of_task = self._looks.setdefault(task_id, _LooksOfTask())
            look = of_task.get((owner, at_once))
            if look is None or not look.group.home.is_alive:
                at = None if at_once else self._interval.next_turn(owner, task_id)
                look = _Look(task_id, alone, self._group(token, owner, at, at_once=at_once), of_task)
                of_task[owner, at_once] = look
                look.group.looks[task_id] = look
            if not look.askers:
                look.group.wanted += 1
            look.askers += 1
            return look

    def _leave(self, look: _Look) -> None:
        with shared_state:
            look.askers -= 1
            if not look.askers and not look.outcome.done():
                self._set_aside(look)
                self._stop_if_unwanted(look.group)

    def _set_aside(self, look: _Look) -> None:
        """Nobody can join it any more."""
        key = (look.group.owner, look.group.at_once)
        if look.of_task.get(key) is look:
            del look.of_task[key]
        look.group.wanted -= 1

    def _stop_if_unwanted(self, group: _Group) -> None:
        if not group.wanted and group.work is not None:
            self._close(group)
            group.home.call(group.work.cancel)

    def _group(self, token: SecretStr, owner: str, at: float | None, *, at_once: bool) -> _Group:
        """The group that will start in the running loop at this time."""
        new = _Group(token, owner, at, at_once)
        group = self._groups.setdefault(new.key, new)
        if group is new:
            with api_token(token):  # the task keeps it, whatever the environment says when the requests are made
                group.work = asyncio.create_task(self._run(group), name="producer-tools look-up")
            group.work.add_done_callback(partial(self._end, group))
        return group

    def _close(self, group: _Group) -> None:
        """No look-up can be added to it any more."""
        if self._groups.get(group.key) is group:
            del self._groups[group.key]

    def _start_now(self, look: _Look) -> None:
        """Move a look-up from the group in which it waits for its interval to one that starts now."""
        with shared_state:
            before = look.group
            if look.begun or look.outcome.done() or not look.askers or before.at is None:
                return
            del before.looks[look.task_id]
            before.wanted -= 1
            self._stop_if_unwanted(before)
            look.group = self._group(before.token, before.owner, None, at_once=before.at_once)
            look.group.looks[look.task_id] = look
            look.group.wanted += 1

    async def _run(self, group: _Group) -> None:
        if group.at is not None:
            await self._clock.sleep(group.at - self._clock.now())
        looks = self._begin(group)
        chunks = [looks[start : start + BATCH_SIZE] for start in range(0, len(looks), BATCH_SIZE)]
        await asyncio.gather(*(self._request(group, chunk) for chunk in chunks))

    def _end(self, group: _Group, work: "asyncio.Task[None]") -> None:
        """Give an outcome to look-ups that have none: the work was stopped."""
        fault = None if work.cancelled() else work.exception()
        with shared_state:
            self._close(group)
            for look in group.looks.values():
                self._finish(look, fault if isinstance(fault, Exception) else None)

    def _begin(self, group: _Group) -> list[_Look]:
        with shared_state:
            self._close(group)
            looks = [look for look in group.looks.values() if look.askers]
            for look in looks:
                look.begun = True
            self._interval.begin(group.owner, [look.task_id for look in looks])
            return looks

    async def _request(self, group: _Group, looks: list[_Look]) -> None:
        task_ids = [look.task_id for look in looks]
        alone = len(looks) == 1 and looks[0].alone
        outcomes: Mapping[str, Outcome]
        try:
            outcomes = await self._ask(task_ids, alone=alone, retry=not group.at_once)
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits must get it
            outcomes = dict.fromkeys(task_ids, error)
        for look in looks:
            outcome = outcomes[look.task_id]
            if isinstance(outcome, Exception) or outcome.is_final:
                self._interval.forget(group.owner, look.task_id)
            self._finish(look, outcome)

    def _finish(self, look: _Look, outcome: Outcome | None) -> None:
        with shared_state:
            if not look.outcome.done():
                if look.askers:
                    self._set_aside(look)
                look.outcome.set_result(outcome)


async def _changes(changed: asyncio.Event, elsewhere: set[_Look]) -> None:
    """Wait until ``changed`` is set. While look-ups of other loops are waited for, see whether those are closed."""
    if not elsewhere:
        await changed.wait()
        return
    try:
        await asyncio.wait_for(changed.wait(), _SECONDS_BETWEEN_CHECKS)
    except asyncio.TimeoutError:
        with shared_state:
            for look in elsewhere:
                if not look.group.home.is_alive and not look.outcome.done():
                    look.outcome.set_result(None)
