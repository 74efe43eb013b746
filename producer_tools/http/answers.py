"""Reads the body of an answer: its JSON object without the token in it, and the task that it names."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from producer_tools.http.safe_text import LONGEST_ID, TOKEN_MARK, safe_name, spellings, without_token

# How JSON can spell a printable ASCII character other than by itself.
_ESCAPED = re.compile(rb'\\(?:u00[2-7]|[/"\\])')
# What an object may say about a task without being a result.
_ABOUT_A_TASK = frozenset({"id", "task_id", "trace_id", "state", "status", "success", "progress", "code", "message"})


def json_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in ``raw``; ``None`` if there is none."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_object(raw: bytes, token: SecretStr) -> dict[str, Any] | None:
    """The JSON object in ``raw``, in which the token is replaced wherever it stands; ``None`` if there is none.

    Args:
        raw: the body of an answer.
        token: the token of the call. The service may quote it, and what is returned here goes to models and ledgers.
    """
    answer = json_object(raw)
    if answer and _may_hold(raw, token):
        _replace_in(answer, token)
    return answer


def describe_unreadable(raw: bytes) -> str:
    """Why a body is no JSON object."""
    if not raw.strip():
        return "it is empty"
    start = raw.lstrip()[:1]
    return {b"<": "it is HTML or XML", b"[": "it is a list", b"{": "it is incomplete"}.get(
        start, "it is not a JSON object"
    )


def named_task(answer: Mapping[str, Any]) -> str | None:
    """The id of the task that an answer is about, wherever it stands: ``None`` if there is none that can be used."""
    return next((task_id for value in _named(answer) if (task_id := _usable_id(value))), None)


def names_a_task(answer: Mapping[str, Any]) -> bool:
    """Whether an answer names a task, even by an id that cannot be used."""
    return any(True for _ in _named(answer))


def has_results(answer: Mapping[str, Any]) -> bool:
    """Whether the ``data`` of an answer holds more than words about a task."""
    return any(not item.keys() <= _ABOUT_A_TASK for item in _objects(answer.get("data")))


def as_submitted(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer to a submit that was accepted, for an answer that names a task; ``None`` for any other.

    Only a look-up can say what became of that task.
    """
    task_id = named_task(answer)
    return None if task_id is None else {"task_id": task_id, "trace_id": answer.get("trace_id")}


def _named(answer: Mapping[str, Any]) -> Iterator[object]:
    """What the answer gives as the id of a task: each ``task_id``, then each ``id`` that is not a song's."""
    response = answer.get("response")
    inner = response.get("data") if isinstance(response, dict) else None
    outside = [answer, *_objects(answer.get("error")), *_objects(response)]
    data = [*_objects(answer.get("data")), *_objects(inner)]
    # In a list of results, `id` is the id of a song.
    alone = [each for each in (answer.get("data"), inner) if isinstance(each, dict) and each.keys() <= _ABOUT_A_TASK]
    yield from (value for node in (*outside, *data) if (value := node.get("task_id")))
    yield from (value for node in (*outside, *alone) if (value := node.get("id")))


def _objects(value: object) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, dict) and each]


def _usable_id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or TOKEN_MARK in value:
        return None
    return safe_name(value, LONGEST_ID)


def _may_hold(raw: bytes, token: SecretStr) -> bool:
    """Whether the strings of a JSON text may hold the token: as it is, escaped, or in UTF-16 or UTF-32, with zeros."""
    plain = any(spelling.encode() in raw for spelling in spellings(token))
    return plain or b"\0" in raw or _ESCAPED.search(raw) is not None


def _replace_in(answer: dict[str, Any], token: SecretStr) -> None:
    """Replace the token in every string of the answer, keys included. It may be nested too deeply for recursion."""
    stack: list[dict[Any, Any] | list[Any]] = [answer]
    spelled = spellings(token)
    while stack:
        node = stack.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, str):
                if any(each in value for each in spelled):
                    node[key] = without_token(value, token)
            elif isinstance(value, dict | list):
                stack.append(value)
            if isinstance(key, str) and any(each in key for each in spelled):
                node[without_token(key, token)] = node.pop(key)  # type: ignore[call-overload,arg-type]  # only an object has keys of text
