"""What is known of a task, and of several tasks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from typing_extensions import Self

from producer_tools.tasks.display import count, iso_date, minutes, quote, to_html
from producer_tools.tasks.results import DAYS_KEPT, Result, has_files

State = Literal["pending", "processing", "complete", "failed"]

STUCK = "stuck"
"""The code of a task that is given up because the service never said how it ended: it may still finish, and cost."""

_MOST_NAMED = 3
"""Results that the line of a task names."""


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
        source_audio_id: the song that it was made from, if it was made from one.
        is_overdue: whether a look-up found it unfinished ten minutes after it was created.
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
    source_audio_id: str | None = None
    is_overdue: bool = False

    @property
    def success(self) -> bool | None:
        """``True`` with ``complete``, ``False`` with ``failed``, else ``None``."""
        return {"complete": True, "failed": False}.get(self.state)

    @property
    def is_final(self) -> bool:
        """Whether the task is complete or failed, so that it will not change any more."""
        return self.success is not None

    @property
    def links_until(self) -> str | None:
        """The last day on which the URLs of the results can work, such as ``2027-02-27``; results are kept for 90 days.

        ``None`` if there are no URLs of results, or the service did not say when the task was made.
        """
        if not has_files([*self.results, *self.partial_results]):
            return None
        return iso_date(self.finished_at or self.created_at, DAYS_KEPT)

    def __repr__(self) -> str:
        """One line, without URLs: ``Task('1a6a…', complete, 1 song: 'First Day' 2:05)``."""
        percent = "" if self.is_final or self.progress is None else f" {self.progress:.0f} %"
        facts = [repr(self.task_id), f"{self.state}{percent}"]
        facts += [count(len(self.preview_urls), "preview")] if self.preview_urls else []
        facts += [quote(f"{self.error['code']}: {self.error['message']}")] if self.error else []
        facts += [_results_line(self.results, "")] if self.results else []
        facts += [_results_line(self.partial_results, "partial ")] if self.partial_results else []
        return f"Task({', '.join(facts)})"

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

    def __repr__(self) -> str:
        """One line: ``TaskBatch(3 tasks: 2 complete, 1 failed; 1 not found)``. ``tasks`` has a line for each."""
        states = Counter(task.state for task in self.tasks).items()
        counts = f": {', '.join(f'{number} {state}' for state, number in states)}" if states else ""
        not_found = f"; {len(self.not_found)} not found" if self.not_found else ""
        return f"TaskBatch({count(len(self.tasks), 'task')}{counts}{not_found})"

    def _repr_html_(self) -> str:
        """In a notebook: the cards of all tasks, their counts, and the ids that were not found."""
        return to_html(self)


def _results_line(results: Sequence[Result], kind: str) -> str:
    """``2 songs: 'First Day' 2:05, 'Second' 0:31``; of more than three, the first three."""
    noun = "song" if all("audio_url" in result for result in results) else "result"
    named = [name for result in results[:_MOST_NAMED] if (name := _name(result))]
    named += ["…"] if len(results) > _MOST_NAMED else []
    return count(len(results), kind + noun) + (f": {', '.join(named)}" if named else "")


def _name(result: Result) -> str:
    title, seconds = result.get("title"), result.get("duration_seconds")
    return " ".join([*([quote(title)] if title else []), *([] if seconds is None else [minutes(seconds)])])
