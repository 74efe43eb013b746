"""Where two sets of recordings differ in shape: which keys there are, and of which types, whatever the values."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.recorded.cassettes import read

Shapes = dict[str, dict[str, set[str]]]
"""For each kind of answer, the types found at each place in it."""

_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}


def differences(sandbox: Path, live: Path) -> list[str]:
    """One line for each difference, over the recordings that both folders have.

    Args:
        sandbox: a folder of recordings.
        live: another.
    """
    both = [
        path.relative_to(live) for path in sorted(live.glob("*/*.yaml")) if (sandbox / path.relative_to(live)).exists()
    ]
    ours, theirs = (_shapes([folder / path for path in both]) for folder in (sandbox, live))
    return list(_compare(ours, theirs))


def _compare(ours: Shapes, theirs: Shapes) -> Iterator[str]:
    for kind in sorted({*ours, *theirs}):
        if kind not in ours or kind not in theirs:
            yield f"{kind}: answered only by the {'sandbox' if kind in ours else 'service'}"
            continue
        for place in sorted({*ours[kind], *theirs[kind]}):
            one, other = ours[kind].get(place, set()), theirs[kind].get(place, set())
            if one != other:
                yield f"{kind}: {place}: sandbox {_said(one)}, service {_said(other)}"


def _shapes(paths: list[Path]) -> Shapes:
    found: Shapes = defaultdict(lambda: defaultdict(set))
    for path in paths:
        for one in read(path)["interactions"]:
            request, response = one["request"], one["response"]
            action = (request["body"] or {}).get("action", "")
            kind = " ".join(filter(None, (urlsplit(request["uri"]).path, action, str(response["status"]["code"]))))
            try:
                answer = json.loads(response["body"]["string"])
            except ValueError:
                found[kind]["body"].add("no JSON")
                continue
            for place, type_name in _places(answer, "body"):
                found[kind][place].add(type_name)
    return found


def _places(value: Any, place: str) -> Iterator[tuple[str, str]]:
    yield place, _TYPES.get(type(value), "null")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, f"{place}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from _places(inner, f"{place}[]")


def _said(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "nothing"
