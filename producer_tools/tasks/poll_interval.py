"""The least time between two look-ups of one unfinished task."""

from collections.abc import Collection

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.shared_state import shared_state


class PollInterval:
    """Says when a task may be looked up: two look-ups of one unfinished task are ``interval`` seconds apart.

    The time counts for each token. A task whose interval is over takes no memory after the next look-up of any task.

    Args:
        interval: seconds.
        clock: measures.
    """

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        # By task, then by token. Tokens are in the order of their times, and tasks in that of their latest times.
        self._next: dict[str, dict[str, float]] = {}

    def next_turn(self, token_id: str, task_id: str) -> float | None:
        """When the task may be looked up with this token (Unix seconds); ``None`` if it may be now."""
        with shared_state:
            at = self._next.get(task_id, {}).get(token_id)
            return None if at is None or at <= self._clock.now() else at

    def begin(self, token_id: str, task_ids: Collection[str]) -> None:
        """Record that these tasks are looked up now."""
        with shared_state:
            now = self._clock.now()
            while self._next and _latest(self._next[oldest := next(iter(self._next))]) <= now:
                del self._next[oldest]
            for task_id in task_ids:
                before = self._next.pop(task_id, {})
                of_task = {each: at for each, at in before.items() if at > now and each != token_id}
                self._next[task_id] = {**of_task, token_id: now + self._interval}

    def forget(self, token_id: str, task_id: str) -> None:
        """Let a task be looked up at once with this token: it does not change any more."""
        with shared_state:
            of_task = self._next.get(task_id, {})
            of_task.pop(token_id, None)
            if not of_task:
                self._next.pop(task_id, None)

    def wake(self, task_id: str) -> None:
        """Let a task be looked up at once with any token: something has happened to it."""
        with shared_state:
            self._next.pop(task_id, None)


def _latest(of_task: dict[str, float]) -> float:
    return next(reversed(of_task.values()))
