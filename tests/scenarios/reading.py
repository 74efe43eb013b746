"""What a literal-minded model understands of the text of a tool's message. It sees nothing else of the message."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_CLAUSE = re.compile(r"(?<=[.;:!?])\s+|, (?=or |and |then )")
_TOOL = re.compile(r"\bcall (producer_[a-z_]+)(?: \(or (producer_[a-z_]+)\))?", re.IGNORECASE)
_FORBIDS = re.compile(
    r"\b(do not|never)\b.*\b(submit|retry|repeat|call|try|make|look|ask|download)\b"
    r"|fail again\b(?!, )|will not help|changes nothing|\bstop\b",
    re.IGNORECASE,
)
_REPEATS = re.compile(
    r"\b(submit|call|try|make|retry|repeat|download)\b.*\b(again|once more)\b|\bmay (repeat|be made again)",
    re.IGNORECASE,
)
_CHANGES = re.compile(r"\b(correct|change|fewer|other|shorter)\b", re.IGNORECASE)
_CONDITION = re.compile(r"^(if|when|to save)\b|\bonly if\b", re.IGNORECASE)
_LIMIT = re.compile(r"^if\b.*\b(again|still|two waits)\b.*\btell the user\b|\bonce more\b", re.IGNORECASE)
_TELLS = re.compile(r"\btell the user\b(?! the paths)", re.IGNORECASE)
_GIVES = re.compile(r"\b(give|keep)\b.*results|\bthe paths\b", re.IGNORECASE)
_ASKS = re.compile(r"\bask the user\b|\bunless the user (agrees|wants)", re.IGNORECASE)
_NO_RESULTS = re.compile(r"(\w+_urls?) (?:are|is) (?:no|not) ", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27,}|\d+")


class Reading(NamedTuple):
    """What a text says.

    Attributes:
        tools: the tools that it says to call, the first choice first.
        forbids: whether it says not to make the call again.
        repeats: whether it says that the call may be made again.
        repeats_later: whether only later.
        changes: whether with other arguments.
        is_limited: whether it says when to give up.
        tells_first: whether it says to tell the user before it says anything else.
        tells: whether it says to tell the user something, or reports an error.
        asks: whether it says to ask the user.
        gives: whether it says to hand out or to keep results.
        no_results: the keys that it says are no results.
        words: the text without ids and numbers: what the model recognises when it reads it again.
    """

    tools: tuple[str, ...]
    forbids: bool
    repeats: bool
    repeats_later: bool
    changes: bool
    is_limited: bool
    tells_first: bool
    tells: bool
    asks: bool
    gives: bool
    no_results: tuple[str, ...]
    words: str


def content_of(text: str) -> dict[str, Any]:
    """The JSON object of a result; an empty one for an error, which is plain text."""
    return dict(json.loads(text)) if text.startswith("{") else {}


def told_in(text: str) -> str:
    """The sentences of a message: an error as it is; of a result its next step, and the errors and notes of tasks."""
    content = content_of(text)
    return " ".join(_sentences(content)) if content else text


def read(text: str, *, wants_files: bool) -> Reading:
    """Read a tool's message.

    Args:
        text: the text of the message.
        wants_files: whether the user wants files, so that "to save the files" is meant.
    """
    told = told_in(text)
    clauses = [clause for clause in _CLAUSE.split(told) if clause]
    orders = [each for each in clauses if _applies(each, wants_files=wants_files) and not _FORBIDS.search(each)]
    tools = [name for clause in orders for name in _tools(clause)]
    repeats = [clause for clause in orders if _REPEATS.search(clause) and not _TOOL.search(clause)]
    first = next((clause for clause in orders if _TELLS.search(clause) or clause in repeats), "")
    return Reading(
        tools=tuple(tools),
        forbids=any(map(_FORBIDS.search, clauses)),
        repeats=bool(repeats),
        repeats_later=any("later" in clause for clause in repeats),
        changes=any(map(_CHANGES.search, clauses)),
        is_limited=any(map(_LIMIT.search, clauses)),
        tells_first=bool(_TELLS.search(first)),
        tells=any(map(_TELLS.search, clauses)) or _has_trouble(text),
        asks=any(map(_ASKS.search, clauses)),
        gives=any(map(_GIVES.search, clauses)),
        no_results=tuple(_NO_RESULTS.findall(told)),
        words=_ID.sub("", told),
    )


def _applies(clause: str, *, wants_files: bool) -> bool:
    return not _CONDITION.search(clause) or (wants_files and clause.lower().startswith("to save"))


def _has_trouble(text: str) -> bool:
    content = content_of(text)
    tasks = [content, *content.get("tasks", [])]
    return not content or any(task.get(key) for task in tasks for key in ("error", "failed", "not_found"))


def _tools(clause: str) -> Iterator[str]:
    for first, second in _TOOL.findall(clause):
        yield first
        if second:
            yield second


def _sentences(content: dict[str, Any]) -> Iterator[str]:
    for task in [content, *content.get("tasks", [])]:
        if task.get("error"):
            yield f"{task['error']['code']}: {task['error']['message'].rstrip('.')}."
        for each in task.get("failed", []):
            yield f"{each['kind']}: {each['code']}: {each['message']}"
        if task.get("note"):
            yield str(task["note"])
    if content.get("not_found"):
        yield f"not_found: {', '.join(content['not_found'])}."
    yield str(content.get("next_step", ""))
