"""Decides when an unfinished task with an error is given up, so that none is polled for ever."""

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.shared_state import shared_state
from producer_tools.tasks.task import Task

STUCK_AFTER = 600.0
"""Seconds after its creation at which an unfinished task is overdue, and stuck if it has a note ("about 10 minutes",
docs)."""

_MOST_REMEMBERED = 10_000


def is_overdue(task: Task, now: float) -> bool:
    """Whether a task is unfinished ten minutes after it was created; not if the record does not say when that was.

    Args:
        task: the task, as it was looked up now.
        now: Unix seconds.
    """
    return not task.is_final and now - (task.created_at or now) >= STUCK_AFTER


class StuckTasks:
    """Knows for how long the unfinished tasks of one client have had a note.

    Args:
        clock: measures.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first_seen: dict[str, float] = {}

    def is_stuck(self, task: Task) -> bool:
        """Whether ten minutes have passed since the task was created, and it still has a note and no end.

        Where the record has no usable ``created_at`` (none, or one in the future, as in milliseconds), the time counts
        from the first look-up that showed the note.
        """
        task_id = str(task.task_id)
        with shared_state:
            if task.is_final or task.note is None:
                self._first_seen.pop(task_id, None)
                return False
            now = self._clock.now()
            since = self._first_seen.setdefault(task_id, now)
            if len(self._first_seen) > _MOST_REMEMBERED:
                del self._first_seen[next(iter(self._first_seen))]
            return now - min(since, task.created_at or since) >= STUCK_AFTER
