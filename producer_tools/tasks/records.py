"""The one place that decides what a task record means.

Records come in two formats: the spec's have no field ``state``, those of the guides and of released clients have one.
Unfinished records hold preview URLs, and numbers come as strings. `read_record` turns each record into a `Task`, whose
state and success are the only sign that it is done. A URL proves nothing. A record without ``state`` and ``success`` is
complete if it says when it finished, holds items, and nothing in it says that it failed or goes on.

All text is made safe and bounded here, so that no title of the service can break or fill a model's context, a
checkpoint or a ledger.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from producer_tools.http.safe_text import LONGEST_ID, safe_name, safe_text
from producer_tools.tasks.results import LONGEST_DESCRIPTION, LONGEST_URL, RESULT_KEYS, Result, ResultKey
from producer_tools.tasks.task import STUCK, State, Task, TaskError

T = TypeVar("T")

LONGEST_RECORD = 200_000
"""Characters of all results of one task together, or of all its previews. A task makes one or two songs (seen)."""

_DONE = frozenset({"complete", "completed", "succeed", "succeeded", "success", "finished"})
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "rejected"})
_LARGEST_ID = 10**40
_NO_REASON = "The service gave no reason."


def read_record(record: Mapping[str, Any], *, is_stuck: bool = False) -> Task:
    """Read a record of ``/producer/tasks``. It never raises, whatever the record holds.

    Args:
        record: the JSON object, not empty (an empty one means that there is no such task).
        is_stuck: whether the task has had a note for so long that it is given up: if it still has one, it has failed.
    """
    response = _mapping(record.get("response"))
    items = _items(response.get("data"))
    trace_id = _id(record.get("trace_id")) or _id(response.get("trace_id"))
    state = _state(record, response, items)
    unfinished = state in ("pending", "processing")
    note = _doubt(record, response, items) if unfinished else None
    error = _error(record, response, trace_id) if state == "failed" else None
    if is_stuck and note is not None:
        state, unfinished, error, note = "failed", False, _stuck(note, trace_id), None
    results: tuple[Result, ...] = ()
    previews: tuple[str, ...] = ()
    if unfinished:
        previews, left_out = _bounded(dict.fromkeys(_urls(response)), len)
    else:
        shown = items if state == "complete" else _done_items(record, items)
        results, left_out = _bounded((result for item in shown if (result := _result(item))), _size)
    if left_out and note is None:
        note = f"The service listed {left_out} more than fit into {LONGEST_RECORD:,} characters; they are left out."
    return Task(
        task_id=_id(record.get("id")) or _id(record.get("task_id")) or _id(response.get("task_id")),
        state=state,
        results=results if state == "complete" else (),
        preview_urls=previews,
        partial_results=results if state == "failed" else (),
        error=error,
        progress=_progress(items) if unfinished else None,
        trace_id=trace_id,
        created_at=_number(record.get("created_at")),
        started_at=_number(record.get("started_at")),
        finished_at=_number(record.get("finished_at")),
        elapsed_seconds=_number(record.get("elapsed")) or _number(record.get("duration")),
        note=note,
        source_audio_id=_id(_mapping(record.get("request")).get("audio_id")),
    )


def read_answer(answer: Mapping[str, Any]) -> Task:
    """Read the answer to a submit: a bare id (the task is pending), or a result that is final at once.

    ``success: true`` beside a bare id means that the submit was accepted, not that anything is finished.
    """
    if not _items(answer.get("data")) and answer.get("success") is not False:
        return Task(
            task_id=_id(answer.get("task_id")),
            state="pending",
            trace_id=_id(answer.get("trace_id")),
        )
    head = {"id": answer.get("task_id"), "trace_id": answer.get("trace_id")}
    return read_record({**head, "response": answer, "finished_at": "answered"})


def storable_answer(task: Task) -> dict[str, Any]:
    """What a ledger keeps of the answer to a submit: safe and bounded, and `read_answer` reads the same task from it.

    Args:
        task: what `read_answer` read of the answer.
    """
    answer: dict[str, Any] = {"task_id": task.task_id, "trace_id": task.trace_id}
    if task.is_final:
        answer["success"] = task.success
        answer["data"] = [_item(result) for result in task.results or task.partial_results or ({},)]
    elif task.state == "processing" or task.preview_urls:
        item = {"state": task.state, "progress": task.progress, "preview_urls": list(task.preview_urls)}
        answer |= {"state": task.state, "data": [item]}
    if error := task.error if task.is_final else task.note:
        answer["error"] = error
    return answer


def _state(record: Mapping[str, Any], response: Mapping[str, Any], items: list[Mapping[str, Any]]) -> State:
    top_words = [*_words(record), *_words(response)]
    item_words = [word for item in items for word in _words(item)]
    words = top_words + item_words
    success = _success(record, response)
    finished = bool(record.get("finished_at"))
    unfinished_words = [word for word in words if word not in _DONE | _FAILED]
    errors = _errors(record, response)

    if any(word in _FAILED for word in top_words):
        return "failed"
    if success is False and (finished or any(word in _DONE for word in top_words)):
        return "failed"
    # An error object is the last word, unless a flag says that the task succeeded; a bare string may be temporary.
    if not success and any(isinstance(error, Mapping) for error in errors):
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
        # No state word and no flag says that it failed, and nothing more will come: its error and its items decide.
        return "complete" if items and not errors else "failed"
    return "processing" if record.get("started_at") or words or items else "pending"


def _doubt(record: Mapping[str, Any], response: Mapping[str, Any], items: list[Mapping[str, Any]]) -> str | None:
    """Why an unfinished record may never end: the service's words, or that the record does not say that it goes on."""
    if _errors(record, response):
        return _error(record, response, None)["message"]
    words = [word for node in (record, response, *items) for word in _words(node)]
    has_ended = _number(record.get("finished_at")) is not None or _success(record, response) is False
    if has_ended or (words and all(word in _DONE | _FAILED for word in words)):
        return "The record says neither that the task goes on nor that it succeeded."
    return None


def _words(node: Mapping[str, Any]) -> list[str]:
    """The state words of one object, in lower case. Empty ones are ignored."""
    found = (node.get(key) for key in ("state", "status"))
    return [word.strip().lower() for word in found if isinstance(word, str) and word.strip()]


def _success(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool | None:
    flags = [node.get("success") for node in (record, response)]
    if any(flag is False for flag in flags):
        return False
    return True if any(flag is True for flag in flags) else None


def _errors(record: Mapping[str, Any], response: Mapping[str, Any]) -> list[Any]:
    """The errors that say something, the response's first: objects with a value, and strings."""
    errors = [node.get("error") for node in (response, record)]
    return [error for error in errors if any(_mapping(error).values()) or _text(error, LONGEST_DESCRIPTION)]


def _error(record: Mapping[str, Any], response: Mapping[str, Any], trace_id: str | None) -> TaskError:
    for error in _errors(record, response):
        fields = _mapping(error)
        message = _text(fields.get("message") if fields else error, LONGEST_DESCRIPTION)
        return {
            "code": _text(fields.get("code"), LONGEST_ID) or "failed",
            "message": message or _NO_REASON,
            "trace_id": trace_id,
        }
    return {"code": "failed", "message": _NO_REASON, "trace_id": trace_id}


def _stuck(note: str, trace_id: str | None) -> TaskError:
    message = f"Not finished ten minutes after it was created, and it may never be. The service's last word: {note}"
    return {"code": STUCK, "message": message, "trace_id": trace_id}


def _done_items(record: Mapping[str, Any], items: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items that a failed task did finish: those that say so, or that say nothing when the task has ended."""
    finished = bool(record.get("finished_at"))
    return [item for item in items if all(word in _DONE for word in _words(item)) and (_words(item) or finished)]


def _result(item: Mapping[str, Any]) -> Result:
    values: dict[str, Any] = {}
    for key in RESULT_KEYS:
        for field in key.fields:
            if (value := _value(key, item.get(field))) is not None:
                values[key.name] = value
                break
    return cast("Result", values)


def _value(key: ResultKey, value: object) -> str | float | None:
    if value is None:
        return None
    if key.name == "duration_seconds":
        return _length(value)
    text = _raw_text(value)
    if text is None:
        return None
    is_name = key.name == "audio_id" or key.name.endswith("_url")
    return safe_name(text, key.longest) if is_name else safe_text(text, key.longest)


def _item(result: Result) -> dict[str, Any]:
    """A finished item of a record, from which `_result` reads this result."""
    return {"state": "succeeded"} | {key.fields[0]: result[key.name] for key in RESULT_KEYS if key.name in result}  # type: ignore[literal-required]


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


def _text(value: object, longest: int) -> str | None:
    """A string that is not blank, made safe; an integer as its digits (ids and seeds have come as both)."""
    text = _raw_text(value)
    return None if text is None else safe_text(text, longest)


def _id(value: object) -> str | None:
    text = _raw_text(value)
    return None if text is None else safe_name(text, LONGEST_ID)


def _raw_text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None


def _bounded(values: Iterable[T], size: Callable[[T], int]) -> tuple[tuple[T, ...], int]:
    """The first values that together have at most `LONGEST_RECORD` characters, and the number of the others."""
    kept: list[T] = []
    total = left_out = 0
    for value in values:
        total += size(value)
        if total <= LONGEST_RECORD:
            kept.append(value)
        else:
            left_out += 1
    return tuple(kept), left_out


def _size(result: Result) -> int:
    return sum(len(value) for value in result.values() if isinstance(value, str))


def _urls(node: object) -> Iterator[str]:
    """Every URL in a JSON value, in order. A stack instead of recursion, since the value may be nested deeply."""
    stack = [node]
    while stack:
        value = stack.pop()
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            if url := safe_name(value, LONGEST_URL):
                yield url
        elif isinstance(value, Mapping):
            stack.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            stack.extend(reversed(value))


def _items(data: object) -> list[Mapping[str, Any]]:
    found = data if isinstance(data, list) else [data]
    return [item for item in found if isinstance(item, Mapping) and item]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
