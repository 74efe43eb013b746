"""Progress of tasks: stream events of a graph, a callback, a progress bar."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from typing_extensions import Self

from producer_tools.errors.missing_extra import needing_extra
from producer_tools.tasks.task import State, Task

if TYPE_CHECKING:
    from rich.progress import TaskID


class Progress(TypedDict):
    """One change of one task.

    Attributes:
        type: marks these events among others in a graph's stream.
        task_id: the task.
        state: its new state.
        percent: 0-100, if the service reports it; 100 with ``complete``.
        seconds: since the task was created, if that is known.
    """

    type: Literal["producer_progress"]
    task_id: str
    state: State
    percent: float | None
    seconds: float | None


OnProgress = Callable[[Progress], None]


def progress_of(task: Task, now: float) -> Progress:
    """The progress of a task.

    Args:
        task: the task as it is now.
        now: Unix seconds.
    """
    until = task.finished_at if task.is_final and task.finished_at is not None else now
    return {
        "type": "producer_progress",
        "task_id": str(task.task_id),
        "state": task.state,
        "percent": 100.0 if task.state == "complete" else task.progress,
        # The service's clock may be a few seconds ahead of ours.
        "seconds": None if task.created_at is None else max(0.0, until - task.created_at),
    }


def into_graph(runtime: Any) -> OnProgress:
    """Report progress to the graph that a tool runs in: to its streams ``custom`` and ``tools``.

    Args:
        runtime: LangGraph's ``ToolRuntime``; with ``None`` the progress goes nowhere.
    """
    write = getattr(runtime, "stream_writer", None)
    emit = getattr(runtime, "emit_output_delta", None)

    def report(progress: Progress) -> None:
        if write is not None:
            write(progress)
        if emit is not None:
            emit(progress)

    return report


class ProgressBar:
    """A progress bar for each task, in a terminal or a notebook. It needs the extra ``progress`` (rich).

    Use it in a ``with`` block, as the ``on_progress`` of a toolkit or of a wait.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self) -> None:
        with needing_extra("progress", "A ProgressBar"):
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - rich is an extra
            from rich.progress import Progress as Bars  # noqa: PLC0415 - rich is an extra

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bars = Bars(*columns, TimeElapsedColumn(), transient=True)
        self._rows: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        """Show one change."""
        task_id, percent = progress["task_id"], progress["percent"]
        if task_id not in self._rows:
            self._rows[task_id] = self._bars.add_task("", total=100)
        description = f"{task_id[:8]} {progress['state']}"
        self._bars.update(self._rows[task_id], description=description, completed=percent)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
