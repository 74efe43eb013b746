"""Compares the shape of two sets of recordings: which keys there are and the types of their values."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.recorded.cassettes import read

Shapes = dict[str, dict[str, set[str]]]
"""For each kind of answer, the types that occur at each place in it."""

_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}


def differences(sandbox: Path, live: Path) -> list[str]:
    """One line for each difference, over the recordings that both folders have.

    Args:
        sandbox: the folder of the sandbox's recordings.
        live: the folder of the service's.
    """
    both = [
        path.relative_to(live) for path in sorted(live.glob("*/*.yaml")) if (sandbox / path.relative_to(live)).exists()
    ]
    of_sandbox, of_service = (_shapes([folder / path for path in both]) for folder in (sandbox, live))
    return list(_compare(of_sandbox, of_service))


def _compare(sandbox: Shapes, service: Shapes) -> Iterator[str]:
    for kind in sorted({*sandbox, *service}):
        if kind not in sandbox or kind not in service:
            yield f"{kind}: answered only by the {'sandbox' if kind in sandbox else 'service'}"
            continue
        for place in sorted({*sandbox[kind], *service[kind]}):
            left, right = sandbox[kind].get(place, set()), service[kind].get(place, set())
            if left != right:
                yield f"{kind}: {place}: sandbox {_words(left)}, service {_words(right)}"


def _shapes(paths: list[Path]) -> Shapes:
    shapes: Shapes = defaultdict(lambda: defaultdict(set))
    for path in paths:
        for each in read(path)["interactions"]:
            request, response = each["request"], each["response"]
            action = (request["body"] or {}).get("action", "")
            kind = " ".join(filter(None, (urlsplit(request["uri"]).path, action, str(response["status"]["code"]))))
            try:
                answer = json.loads(response["body"]["string"])
            except ValueError:
                shapes[kind]["body"].add("no JSON")
                continue
            for place, type_name in _places(answer, "body"):
                shapes[kind][place].add(type_name)
    return shapes


def _places(value: Any, place: str) -> Iterator[tuple[str, str]]:
    yield place, _TYPES.get(type(value), "null")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, f"{place}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from _places(inner, f"{place}[]")


def _words(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "nothing"
