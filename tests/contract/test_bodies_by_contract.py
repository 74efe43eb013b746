"""All bodies that the tools can send against the contract, which is stricter than the service."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from producer_tools import requests
from producer_tools.requests.media import UploadAudioOrFile
from tests.api_contract import CONTRACT, refuted_request

URLS = st.from_regex(r"[Hh][Tt]tps?://[a-z]{1,9}\.example(:[0-9]{2,4})?(/[^\\]{0,9})?", fullmatch=True)

NEVER_SENT = (requests.MusicRequest, UploadAudioOrFile)  # a base class, and arguments that a tool turns into a request


def request_classes(base: type[requests.Request]) -> Iterator[type[requests.Request]]:
    for kind in base.__subclasses__():
        yield from request_classes(kind)
        is_own = kind.__module__.startswith("producer_tools.")  # other tests make requests that the contract forbids
        if is_own and hasattr(kind, "endpoint") and kind not in NEVER_SENT:
            yield kind


@cache
def arguments(kind: type[requests.Request]) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments within the limits of ``kind``'s schema, which has no rules across fields."""
    schema = kind.model_json_schema()
    fields = {name: URLS if name.endswith("_url") else values(field) for name, field in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional={name: st.none() | field for name, field in fields.items()})


def values(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if "anyOf" in field:
        return st.one_of(*map(values, field["anyOf"]))
    match field.get("type"):
        case "string":
            least = field.get("minLength", 0)
            text = st.text(min_size=least, max_size=field.get("maxLength"))
            return text.filter(str.strip) if least else text | st.sampled_from(["", " ", "\n"])
        case "number":
            low, high = field.get("minimum", field.get("exclusiveMinimum", 0)), field.get("maximum")
            return st.floats(low, high, exclude_min="exclusiveMinimum" in field, allow_infinity=False, allow_nan=False)
        case "boolean":
            return st.booleans()
        case "array":
            # The client splits longer lists into several requests.
            return st.lists(values(field["items"]), min_size=field["minItems"], max_size=50)
    return st.none()


@pytest.mark.parametrize("kind", list(request_classes(requests.Request)))
# No deadline, because the first example builds the schema. Two of three random sections end before they start.
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_contract_allows_every_body_of_a_tool(kind: type[requests.Request], data: st.DataObject) -> None:
    """Otherwise a tool relies on the service to accept invalid bodies."""
    given = data.draw(arguments(kind))
    try:
        request = kind.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError:
        reject()  # a section that ends before it starts
    body = json.loads(json.dumps(request.body(), allow_nan=False))
    assert refuted_request(kind.endpoint, body) is None


GENERATE = {"action": "generate", "prompt": "rain", "lyric": ""}
EXTEND = {"action": "extend", "prompt": "", "lyric": "", "audio_id": "a", "continue_at": 0}
SECTION = {
    "action": "replace_section", "prompt": "", "lyric": "", "audio_id": "a", "replace_section_start": 0,
    "replace_section_end": 1,
}  # fmt: skip
COVER = {"action": "upload_cover", "prompt": "", "lyric": "", "audio_id": "a", "cover_strength": 0.2}
OMIT = object()

STRICT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *[
        ("/producer/audios", GENERATE, fault)
        for fault in (
            {"lyric": OMIT}, {"prompt": OMIT}, {"action": OMIT}, {"action": "dance"}, {"prompt": " "}, {"custom": True},
            {"prompt": "", "lyric": "la"}, {"prompt": "x" * 201}, {"title": None}, {"style": "folk"}, {"seed": 7},
            {"model": "FUZZ-3"}, {"weirdness": False}, {"weirdness": 1.1}, {"lyrics_strength": -0.1},
            {"sound_strength": 0.1}, {"continue_at": 1}, {"cover_strength": 1}, {"replace_section_end": 1},
            {"async": "true"}, {"callback_url": "ftp://app.example/done"}, {"callback_url": "https://"},
        )
    ],
    *[("/producer/audios", EXTEND, fault) for fault in ({"continue_at": OMIT}, {"continue_at": -1}, {"audio_id": " "})],
    *[("/producer/audios", SECTION, {name: OMIT}) for name in ("replace_section_start", "replace_section_end")],
    ("/producer/audios", COVER, {"cover_strength": 0.1}),
    ("/producer/audios", COVER, {"audio_id": OMIT}),
    ("/producer/audios", COVER, {"action": "upload_stems", "cover_strength": OMIT}),
    ("/producer/lyrics", {"prompt": "rain"}, {"prompt": " "}),
    ("/producer/lyrics", {"prompt": "rain"}, {"async": True}),
    ("/producer/upload", {"audio_url": "https://audio.example/a.mp3"}, {"audio_url": "file:///a.mp3"}),
    ("/producer/upload", {"audio_url": "https://audio.example/a.mp3"}, {"callback_url": "https://app.example/done"}),
    ("/producer/videos", {"audio_id": "a"}, {"audio_id": OMIT}),
    ("/producer/wav", {"audio_id": "a"}, {"audio_id": ""}),
    ("/producer/tasks", {"action": "retrieve", "id": "t"}, {"action": "retrieve_batch"}),
    ("/producer/tasks", {"action": "retrieve", "id": "t"}, {"ids": ["t"]}),
    ("/producer/tasks", {"action": "retrieve_batch", "ids": ["t"] * 50}, {"ids": ["t"] * 51}),
    ("/producer/tasks", {"action": "retrieve_batch", "ids": ["t"]}, {"ids": []}),
    *[
        ("/producer/tasks", {"action": "retrieve_batch", "type": "audios", "limit": 10, "created_at_min": 1.5}, fault)
        for fault in (
            {"limit": 0}, {"limit": "10"}, {"offset": -1}, {"offset": 0.5}, {"type": ""}, {"created_at_min": "today"},
            {"created_at_max": -1}, {"user_id": 7}, {"application_id": ""}, {"ids": ["t"]}, {"page": 2},
        )
    ],
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "fault"), STRICT)
def test_the_contract_refuses_an_invalid_body(path: str, body: dict[str, Any], fault: dict[str, Any]) -> None:
    """A contract that allows everything would pass every other test here."""
    assert refuted_request(path, body) is None
    faulty = {name: value for name, value in {**body, **fault}.items() if value is not OMIT}
    assert refuted_request(path, faulty) is not None


def test_the_contract_is_a_valid_schema_and_every_component_is_used() -> None:
    """A misspelt keyword would be ignored."""
    for schema in CONTRACT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = set(_references(CONTRACT))
    named = {f"#/components/{kind}/{name}" for kind, parts in CONTRACT["components"].items() for name in parts}
    assert references == named - {"#/components/securitySchemes/token"}


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
