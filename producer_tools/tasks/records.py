"""The one place that decides what a task record means.

Records come in two formats: the spec's have no field ``state``, those of the guides and of released clients have one.
Unfinished records hold preview URLs, and numbers come as strings. `read_record` turns each record into a `Task`, whose
state and success are the only sign that it is done. A URL proves nothing. A record without ``state`` and ``success`` is
complete if it says when it finished, holds items, and nothing in it says that it failed or goes on.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from producer_tools.tasks.results import RESULT_KEYS, Result
from producer_tools.tasks.task import State, Task, TaskError

_DONE = frozenset({"complete", "completed", "succeed", "succeeded", "success", "finished"})
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "rejected"})
_LARGEST_ID = 10**40


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
    """Read the answer to a submit: a bare id (the task is pending), or a result that is final at once.

    ``success: true`` beside a bare id means that the submit was accepted, not that anything is finished.
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
        # No state word and no flag says that it failed, and nothing more will come: its items decide.
        return "complete" if items else "failed"
    return "processing" if record.get("started_at") or words or items else "pending"


def _words(node: Mapping[str, Any]) -> list[str]:
    """The state words of one object, in lower case. Empty ones are ignored."""
    found = (node.get(key) for key in ("state", "status"))
    return [word.strip().lower() for word in found if isinstance(word, str) and word.strip()]


def _success(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool | None:
    flags = [node.get("success") for node in (record, response)]
    if any(flag is False for flag in flags):
        return False
    return True if any(flag is True for flag in flags) else None


def _has_code(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Whether the error is an object with a code. Such an error is final; a bare string may be temporary."""
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
    """The items that a failed task did finish: those that say so, or that say nothing when the task has ended."""
    finished = bool(record.get("finished_at"))
    return [item for item in items if all(word in _DONE for word in _words(item)) and (_words(item) or finished)]


def _results(items: list[Mapping[str, Any]]) -> tuple[Result, ...]:
    return tuple(result for item in items if (result := _result(item)))


def _result(item: Mapping[str, Any]) -> Result:
    values: dict[str, Any] = {}
    for key in RESULT_KEYS:
        read = _length if key.name == "duration_seconds" else _text
        value = next((value for field in key.fields if (value := read(item.get(field))) is not None), None)
        if value is not None:
            values[key.name] = value
    return cast("Result", values)


def _progress(items: list[Mapping[str, Any]]) -> float | None:
    """The least of the items' progress, in percent."""
    known = [value for item in items if (value := _number(item.get("progress"))) is not None]
    return min(100.0, max(0.0, min(known))) if known else None


def _length(value: object) -> float | None:
    """A duration in seconds; ``None`` for what is not one."""
    seconds = _number(value)
    return seconds if seconds is not None and seconds >= 0 else None


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
    """A string that is not blank; an integer as its digits (ids and seeds have come as both)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None


def _urls(node: object) -> Iterator[str]:
    """Every URL in a JSON value, in order. A stack instead of recursion, since the value may be nested deeply."""
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
