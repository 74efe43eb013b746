"""The entries of a ledger for a person: in words, as a table, as JSON values."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Literal

from producer_tools.http.safe_text import REPLACEMENT, safe_text
from producer_tools.payment.entry import Entry

State = Literal["unknown", "being sent", "answered", "released"]

# Characters that set the direction of writing: what stands after one of them is shown in another order.
_WRITING_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), REPLACEMENT)

_LONGEST_KEY = 24
_LONGEST_TEXT = 200
_TITLE = 32
_ACCOUNT = 8
_SOURCES = {
    "answer": "the service's answer",
    "callback": "a callback",
    "listing": "the account's list of tasks",
    "person": "a person",
}
_FOUND = {
    "found": "the task was found",
    "not_found": "no such task: it was probably never begun",
    "several": "several tasks may be it",
    "not_listed": "the service does not list the account's tasks",
    "unclear": "no clear answer: search again in a minute",
}


def without_claims(entries: Iterable[Entry]) -> list[Entry]:
    """The entries of requests, without those that only say what a task or a key belongs to."""
    return [entry for entry in entries if not entry.is_claim]


def state_of(entry: Entry, now: float) -> State:
    """What is known of a request.

    Args:
        entry: the request's entry.
        now: Unix seconds.
    """
    if entry.outcome == "released":
        return "released"
    if entry.answer is not None:
        return "answered"
    # A search begins only when nobody sends the request any more.
    return "being sent" if entry.finding is None and entry.is_being_sent(now) else "unknown"


def own_key(entry: Entry) -> str:
    """The idempotency key without the account that the ledger puts before it."""
    return re.sub("^[0-9a-f]{16}/", "", entry.key)


def shown_key(entry: Entry) -> str:
    """The idempotency key as a terminal may show it, without the account."""
    return in_a_line(own_key(entry))


def in_a_line(text: str) -> str:
    """A text as a terminal may show it: it cannot give the terminal orders, or change how other texts are shown."""
    return _line(text, longest=None)


def candidates(entry: Entry) -> list[str]:
    """The tasks that a search found."""
    found = (entry.finding or {}).get("task_ids")
    return [_line(each) for each in found] if isinstance(found, list | tuple) else []


def as_json(entry: Entry, now: float) -> dict[str, Any]:
    """Everything of an entry as JSON values, with what follows from it."""
    return {
        **asdict(entry),
        "own_key": own_key(entry),
        "state": state_of(entry, now),
        "age_seconds": now - entry.begun_at if entry.begun_at else None,
        "candidates": candidates(entry),
    }


def in_short(entry: Entry) -> str:
    """The request in a line: action, model, and the start of its title, prompt or lyrics."""
    asked = entry.request
    if not entry.endpoint:
        return "not recorded"
    what = [asked.get("action") or entry.endpoint.rpartition("/")[2], asked.get("model")]
    words = next((_line(asked[name]) for name in ("title", "prompt", "lyric") if asked.get(name)), "")
    start = f'"{words[:_TITLE]}{"…" if len(words) > _TITLE else ""}"' if words else ""
    return " ".join([*(_line(each) for each in what if each), *([start] if start else [])])


def result(entry: Entry, now: float) -> str:
    """What became of the request, in a line."""
    state = state_of(entry, now)
    if state == "answered":
        task_id = (entry.answer or {}).get("task_id")
        return f"task {_line(task_id)}" if task_id else "answered with its result"
    return found_in_words(entry.finding) if state == "unknown" else state


def found_in_words(finding: Mapping[str, Any] | None) -> str:
    """What a search found, in a line."""
    return _FOUND.get(str(finding.get("state")), _FOUND["unclear"]) if finding else "not searched yet"


def table(entries: Iterable[Entry], now: float) -> str:
    """The entries as a table that is as wide as the terminal.

    Raises:
        ImportError: rich is not installed.
    """
    from rich import box  # noqa: PLC0415 - rich is an extra
    from rich.console import Console  # noqa: PLC0415 - rich is an extra
    from rich.table import Table  # noqa: PLC0415 - rich is an extra
    from rich.text import Text  # noqa: PLC0415 - rich is an extra

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("key", max_width=_LONGEST_KEY, no_wrap=True, overflow="ellipsis")
    made.add_column("age", no_wrap=True)
    made.add_column("account", no_wrap=True)
    made.add_column("request")
    made.add_column("what is known", overflow="fold")
    for entry in entries:
        cells = (own_key(entry), age(entry, now), entry.account[:_ACCOUNT], in_short(entry), result(entry, now))
        made.add_row(*(Text(_line(cell)) for cell in cells))  # as text: a prompt is not rich's markup
    console = Console(highlight=False)
    with console.capture() as written:
        console.print(made)
    return "\n".join(line.rstrip() for line in written.get().splitlines())


def below_the_table(entries: Iterable[Entry]) -> Iterator[str]:
    """What does not fit into the table and is to be copied: long keys, and the ids of candidates."""
    for entry in entries:
        found = candidates(entry) if entry.answer is None else []
        if found or len(own_key(entry)) > _LONGEST_KEY:
            yield _line(entry.key, longest=None)
            yield from (f"  may be the task {task_id}" for task_id in found)


def all_of(entry: Entry, now: float) -> Iterator[str]:
    """Everything of one entry, line by line."""
    begun, state = "not known", state_of(entry, now)
    if entry.begun_at:
        begun = f"{datetime.fromtimestamp(entry.begun_at, timezone.utc):%Y-%m-%d %H:%M:%S} UTC, {age(entry, now)} ago"
    values = {
        "key": own_key(entry),
        "in the ledger": entry.key,
        "account": entry.account or "not recorded",
        "state": state,
        "begun": begun,
        "endpoint": entry.endpoint or "not recorded",
        "estimate": f"{entry.usd} USD, {entry.credits} credits (estimated)",
        "budgets": ", ".join(entry.scopes) or "none",
        "search found": found_in_words(entry.finding) if entry.finding or state == "unknown" else "no search was made",
        "answer from": _SOURCES.get(str(entry.source), "not known" if entry.answer else "nobody yet"),
        "task ended": entry.outcome if entry.outcome in ("complete", "failed") else "not known",
        "fingerprint": entry.fingerprint,
        "owner": entry.owner,
        "revision": entry.revision,
    }
    yield from (f"{name:<15}{_line(value, longest=None)}" for name, value in values.items())
    yield from (f"{'candidate':<15}{task_id}" for task_id in candidates(entry))
    for name, value in (("request", entry.request), ("answer", entry.answer)):
        yield f"{name}:"
        lines = json.dumps(value, indent=2, ensure_ascii=False).splitlines() if value else ["none"]
        yield from (f"  {_line(line, longest=None, strip=False)}" for line in lines)


def age(entry: Entry, now: float) -> str:
    """How long ago the request was begun, in one unit."""
    if not entry.begun_at:
        return "?"
    seconds = max(0.0, now - entry.begun_at)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _line(value: object, *, longest: int | None = _LONGEST_TEXT, strip: bool = True) -> str:
    text = " ".join(str(value).split()) if strip else str(value)
    return safe_text(text, longest or len(text) + 50).translate(_WRITING_DIRECTIONS)
