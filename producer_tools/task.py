"""The one place that decides what a task record means.

Records come in two vocabularies (a spec without any ``state``; guides and released clients with one), with
previews among unfinished work and numbers as strings. `read_record` turns any of them into a `Task`. The rule it
serves: only a task whose state is ``complete`` and whose success is true is done; a URL alone proves nothing.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, cast

from producer_tools.cards import batch_cards, task_card

State = Literal["pending", "processing", "complete", "failed"]

_DONE = frozenset({"complete", "completed", "succeed", "succeeded", "success", "finished"})
_LARGEST_ID = 10**40
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "rejected"})


class Result(TypedDict, total=False):
    """One finished thing: a song, stems, a video, a WAV file, lyrics or an upload. Absent keys had no value."""

    audio_id: str
    title: str
    audio_url: str
    duration_seconds: float
    image_url: str
    video_url: str
    stems_url: str
    file_url: str
    lyrics: str
    lyric: str
    model: str
    seed: str
    style: str
    sound: str
    image_id: str
    created_at: str


class TaskError(TypedDict):
    """Why a task failed, in the service's words."""

    code: str
    message: str
    trace_id: str | None


@dataclass(frozen=True)
class Task:
    """What is known of one task.

    Attributes:
        task_id: the service's id; ``None`` where an answer that was final at once carried none.
        state: ``pending``, ``processing``, ``complete`` or ``failed``.
        results: the finished items; only with ``complete``.
        preview_urls: URLs of an unfinished task: streaming previews, never results.
        partial_results: the finished items of a failed task.
        error: only with ``failed``.
        progress: percent, 0-100, of an unfinished task, where the service says.
        trace_id: the service's id of the request.
        created_at: Unix seconds.
        started_at: Unix seconds.
        finished_at: Unix seconds.
        elapsed_seconds: how long the service worked, where it says.
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

    @property
    def success(self) -> bool | None:
        """``True`` with ``complete``, ``False`` with ``failed``, else ``None``."""
        return {"complete": True, "failed": False}.get(self.state)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the task."""
        return self.success is not None

    def _repr_html_(self) -> str:
        """Its results as cards that play, in a notebook; an unfinished task's previews are not shown."""
        return task_card(self)


@dataclass(frozen=True)
class TaskBatch:
    """What is known of several tasks.

    Attributes:
        tasks: those the service knows, in the order asked.
        not_found: the ids it does not know, in the order asked.
    """

    tasks: tuple[Task, ...] = ()
    not_found: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        """The cards of all tasks, in a notebook, with their counts and the ids not found."""
        return batch_cards(self)


def read_record(record: Mapping[str, Any]) -> Task:
    """Read a record of ``/producer/tasks``. It never raises, whatever the record holds.

    Args:
        record: the JSON object, not empty (an empty one means that there is no such task).
    """
    response = _mapping(record.get("response"))
    items = _items(response.get("data"))
    state = _state(record, response, items)
    unfinished = state in ("pending", "processing")
    return Task(
        task_id=_text(record.get("id")) or _text(record.get("task_id")) or _text(response.get("task_id")),
        state=state,
        results=_results(items) if state == "complete" else (),
        preview_urls=tuple(dict.fromkeys(_urls(response))) if unfinished else (),
        partial_results=_results(_done_items(record, items)) if state == "failed" else (),
        error=_error(record, response) if state == "failed" else None,
        progress=_progress(items) if unfinished else None,
        trace_id=_text(record.get("trace_id")) or _text(response.get("trace_id")),
        created_at=_number(record.get("created_at")),
        started_at=_number(record.get("started_at")),
        finished_at=_number(record.get("finished_at")),
        elapsed_seconds=_number(record.get("elapsed")) or _number(record.get("duration")),
    )


def read_answer(answer: Mapping[str, Any]) -> Task:
    """Read the answer of a submitting endpoint: only an id (pending), or a result that is final at once.

    ``success: true`` beside a bare id says that the submit was accepted, not that anything is finished.
    """
    if not _items(answer.get("data")) and answer.get("success") is not False:
        return Task(
            task_id=_text(answer.get("task_id")),
            state="pending",
            trace_id=_text(answer.get("trace_id")),
        )
    head = {"id": answer.get("task_id"), "trace_id": answer.get("trace_id")}
    return read_record({**head, "response": answer, "finished_at": "answered"})


def _state(record: Mapping[str, Any], response: Mapping[str, Any], items: list[Mapping[str, Any]]) -> State:
    top_words = [*_words(record), *_words(response)]
    item_words = [word for item in items for word in _words(item)]
    words = top_words + item_words
    success = _success(record, response)
    finished = bool(record.get("finished_at"))
    unfinished_words = [word for word in words if word not in _DONE | _FAILED]

    if any(word in _FAILED for word in top_words):
        return "failed"
    if success is False and (finished or any(word in _DONE for word in top_words) or _has_code(record, response)):
        return "failed"
    if unfinished_words:
        return "pending" if top_words and top_words[0] == "pending" else "processing"
    if success is False:
        return "processing"
    if any(word in _FAILED for word in item_words):
        return "failed" if finished or success else "processing"
    if success:
        return "complete"
    if finished:
        # No word and no flag against it: what it made decides, for nothing more will come.
        return "complete" if items else "failed"
    return "processing" if record.get("started_at") or words or items else "pending"


def _words(node: Mapping[str, Any]) -> list[str]:
    """The state words of one object, in lower case; an empty one says nothing."""
    found = (node.get(key) for key in ("state", "status"))
    return [word.strip().lower() for word in found if isinstance(word, str) and word.strip()]


def _success(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool | None:
    flags = [node.get("success") for node in (record, response)]
    if any(flag is False for flag in flags):
        return False
    return True if any(flag is True for flag in flags) else None


def _has_code(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Whether the error is an object with a code: the service's last word, where a bare string may pass."""
    return any(bool(_mapping(node.get("error")).get("code")) for node in (response, record))


def _error(record: Mapping[str, Any], response: Mapping[str, Any]) -> TaskError:
    trace_id = _text(record.get("trace_id")) or _text(response.get("trace_id"))
    for error in (response.get("error"), record.get("error")):
        fields = _mapping(error)
        if fields:
            return {
                "code": _text(fields.get("code")) or "failed",
                "message": _text(fields.get("message")) or "The service gave no reason.",
                "trace_id": trace_id,
            }
        if _text(error):
            return {"code": "failed", "message": str(error), "trace_id": trace_id}
    return {"code": "failed", "message": "The service gave no reason.", "trace_id": trace_id}


def _done_items(record: Mapping[str, Any], items: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What a failed task finished all the same: by the item's word or, for want of one, by the task's end."""
    finished = bool(record.get("finished_at"))
    return [item for item in items if all(word in _DONE for word in _words(item)) and (_words(item) or finished)]


def _results(items: list[Mapping[str, Any]]) -> tuple[Result, ...]:
    return tuple(result for item in items if (result := _result(item)))


_KEYS = {
    "audio_id": ("id", "audio_id"),
    "title": ("title",),
    "audio_url": ("audio_url",),
    "image_url": ("image_url",),
    "video_url": ("video_url",),
    "stems_url": ("stems_url",),
    "file_url": ("file_url",),
    "lyrics": ("lyrics", "text"),
    "lyric": ("lyric",),
    "model": ("model",),
    "seed": ("seed",),
    "style": ("style",),
    "sound": ("sound",),
    "image_id": ("image_id",),
    "created_at": ("created_at",),
}


def _result(item: Mapping[str, Any]) -> Result:
    values: dict[str, Any] = {}
    for key, sources in _KEYS.items():
        value = next((text for source in sources if (text := _text(item.get(source)))), None)
        if value is not None:
            values[key] = value
    duration = _number(item.get("duration"))
    if duration is not None and duration >= 0:
        values["duration_seconds"] = duration
    return cast("Result", values)


def _progress(items: list[Mapping[str, Any]]) -> float | None:
    """The least of the items' progress, in percent."""
    known = [value for item in items if (value := _number(item.get("progress"))) is not None]
    return min(100.0, max(0.0, min(known))) if known else None


def _number(value: object) -> float | None:
    """A finite number, from a number or a string such as ``"181.3"`` or ``"40%"``."""
    if isinstance(value, str):
        value = value.strip().removesuffix("%")
    elif not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str | None:
    """A string that says something; a number as its digits (ids and seeds have come as both)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None


def _urls(node: object) -> Iterator[str]:
    """Every URL in a JSON value, in the order written; a stack, since the value may be nested without end."""
    stack = [node]
    while stack:
        value = stack.pop()
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            yield value
        elif isinstance(value, Mapping):
            stack.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            stack.extend(reversed(value))


def _items(data: object) -> list[Mapping[str, Any]]:
    found = data if isinstance(data, list) else [data]
    return [item for item in found if isinstance(item, Mapping) and item]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
