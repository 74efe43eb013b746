"""What is known of a task, and of several tasks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from typing_extensions import Self

from producer_tools.tasks.display import to_html
from producer_tools.tasks.results import Result

State = Literal["pending", "processing", "complete", "failed"]

STUCK = "stuck"
"""The code of a task that is given up because the service never said how it ended: it may still finish, and cost."""


class TaskError(TypedDict):
    """Why a task failed, in the service's words."""

    code: str
    message: str
    trace_id: str | None


@dataclass(frozen=True)
class Task:
    """What is known of one task.

    Attributes:
        task_id: the service's id; ``None`` if the service answered with a result at once and gave no id.
        state: ``pending``, ``processing``, ``complete`` or ``failed``.
        results: the finished items; only with ``complete``.
        preview_urls: URLs of an unfinished task: streaming previews, never results.
        partial_results: the finished items of a failed task.
        error: only with ``failed``. With the code ``stuck``, the service never said how the task ended: it may still
            finish, and be charged.
        note: what else there is to know: an error of the service that may pass while the task goes on, or that results
            were left out because the record is too long.
        progress: of an unfinished task, percent, 0-100, if the service reports it.
        trace_id: the service's id of the request.
        created_at: Unix seconds.
        started_at: Unix seconds.
        finished_at: Unix seconds.
        elapsed_seconds: how long the service worked on it, if it reports that.
    """

    task_id: str | None
    state: State
    results: tuple[Result, ...] = ()
    preview_urls: tuple[str, ...] = ()
    partial_results: tuple[Result, ...] = ()
    error: TaskError | None = None
    progress: float | None = None
    trace_id: str | None = None
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    elapsed_seconds: float | None = None
    note: str | None = None

    @property
    def success(self) -> bool | None:
        """``True`` with ``complete``, ``False`` with ``failed``, else ``None``."""
        return {"complete": True, "failed": False}.get(self.state)

    @property
    def is_final(self) -> bool:
        """Whether the task is complete or failed, so that it will not change any more."""
        return self.success is not None

    def _repr_html_(self) -> str:
        """In a notebook: the results with players. An unfinished task shows its status only, never a preview."""
        return to_html(self)


@dataclass(frozen=True)
class TaskBatch:
    """What is known of several tasks.

    Attributes:
        tasks: those that the service knows, in the order asked.
        not_found: the ids that it does not know, in the order asked.
    """

    tasks: tuple[Task, ...] = ()
    not_found: tuple[str, ...] = ()

    @classmethod
    def in_order(cls, task_ids: Iterable[str], found: Mapping[str, Task]) -> Self:
        """The batch for these ids.

        Args:
            task_ids: the ids in the order asked, each once.
            found: the tasks that the service knows, by id.
        """
        ids = list(task_ids)
        return cls(
            tasks=tuple(found[task_id] for task_id in ids if task_id in found),
            not_found=tuple(task_id for task_id in ids if task_id not in found),
        )

    def _repr_html_(self) -> str:
        """In a notebook: the cards of all tasks, their counts, and the ids that were not found."""
        return to_html(self)
