"""Which bodies are refused, with a message that names the field, and which are accepted."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.calls import Api, serving

GENERATE = {"action": "generate", "prompt": "rain", "lyric": "", "async": True}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture(scope="module")
def audio_id(api: Api) -> str:
    return str(api.song()["id"])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"action": None}, "action"),
        ({"action": "dance"}, "action"),
        ({"action": "upload_stems"}, "action"),
        ({"model": "FUZZ-3"}, "model"),
        ({"prompt": "x" * 201}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "", "lyric": " "}, "prompt"),
        ({"custom": True}, "lyric"),
        ({"custom": "yes"}, "custom"),
        ({"lyric": ["la"]}, "lyric"),
        ({"title": 3}, "title"),
        ({"seed": 42}, "seed"),
        ({"instrumental": 1}, "instrumental"),
        ({"lyrics_strength": -0.01}, "lyrics_strength"),
        ({"lyrics_strength": 1.01}, "lyrics_strength"),
        ({"sound_strength": 0.19}, "sound_strength"),
        ({"sound_strength": 1.01}, "sound_strength"),
        ({"weirdness": -0.01}, "weirdness"),
        ({"weirdness": 1.01}, "weirdness"),
        ({"weirdness": True}, "weirdness"),
        ({"weirdness": "0.5"}, "weirdness"),
        ({"cover_strength": 0.19}, "cover_strength"),
        ({"async": "true"}, "async"),
        ({"callback_url": "ftp://localhost/x"}, "callback_url"),
        ({"callback_url": "https://example.org/hook"}, "callback_url"),
        ({"callback_url": "http://[::1"}, "callback_url"),
        ({"callback_url": "http://10.0.0.1/"}, "callback_url"),
    ],
)
def test_generate_refuses(api: Api, fields: dict[str, Any], named: str) -> None:
    answer = api.post("/producer/audios", {**GENERATE, **fields})
    assert answer.refusal == (400, "bad_request")
    assert named in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "x" * 200},
        {"lyric": None},
        {"prompt": None, "lyric": "la la", "custom": True},
        {"prompt": "", "lyric": "la la"},
        {"custom": True, "instrumental": True},
        {"model": None, "title": None, "seed": None, "audio_id": None, "callback_url": None},
        {"custom": None, "instrumental": None, "weirdness": None, "continue_at": None},
        {
            "weirdness": False,
            "continue_at": False,
            "sound_strength": False,
            "lyrics_strength": False,
            "cover_strength": False,
            "replace_section_end": False,
            "replace_section_start": False,
        },
        {"lyrics_strength": 0, "sound_strength": 0.2, "weirdness": 1},
        {"callback_url": ""},
        {"style": "folk", "swap_audio_id": "x", "mystery": {"deep": [1]}},
    ],
)
def test_generate_accepts(api: Api, fields: dict[str, Any]) -> None:
    assert api.post("/producer/audios", {**GENERATE, **fields}).status == 200


def test_generate_accepts_a_body_without_a_lyric_or_without_a_prompt(api: Api) -> None:
    assert api.post("/producer/audios", {"action": "generate", "prompt": "rain", "async": True}).status == 200
    assert api.post("/producer/audios", {"action": "generate", "lyric": "la", "async": True}).status == 200


@pytest.mark.parametrize(
    ("action", "fields", "named"),
    [
        *[
            (action, {"audio_id": audio_id}, "audio_id")
            for action in (
                "cover",
                "extend",
                "variation",
                "swap_vocals",
                "swap_instrumentals",
                "replace_section",
                "stems",
                "upload_cover",
                "upload_extend",
                "upload_replace_section",
            )
            for audio_id in (None, " ")
        ],
        ("extend", {}, "continue_at"),
        ("extend", {"continue_at": False}, "continue_at"),
        ("extend", {"continue_at": True}, "continue_at"),
        ("extend", {"continue_at": -0.5}, "continue_at"),
        ("upload_extend", {}, "continue_at"),
        ("replace_section", {}, "replace_section_start"),
        ("replace_section", {"replace_section_start": 1}, "replace_section_end"),
        ("replace_section", {"replace_section_start": -1, "replace_section_end": 2}, "replace_section_start"),
        ("replace_section", {"replace_section_start": 2, "replace_section_end": 2}, "replace_section_end"),
        ("upload_replace_section", {"replace_section_start": 3, "replace_section_end": 2}, "replace_section_end"),
    ],
)
def test_an_edit_refuses(api: Api, audio_id: str, action: str, fields: dict[str, Any], named: str) -> None:
    answer = api.post("/producer/audios", {"action": action, "audio_id": audio_id, **fields})
    assert answer.refusal == (400, "bad_request")
    assert named in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/producer/lyrics", {}, "prompt"),
        ("/producer/lyrics", {"prompt": " "}, "prompt"),
        ("/producer/lyrics", {"prompt": {"text": "rain"}}, "prompt"),
        ("/producer/upload", {}, "audio_url"),
        ("/producer/upload", {"audio_url": "own.mp3"}, "audio_url"),
        ("/producer/upload", {"audio_url": "file:///own.mp3"}, "audio_url"),
        ("/producer/upload", {"audio_url": "https://"}, "audio_url"),
        ("/producer/videos", {"audio_id": ""}, "audio_id"),
        ("/producer/wav", {"audio_id": None}, "audio_id"),
        ("/producer/wav", {"audio_id": "unknown"}, "unknown"),
        ("/producer/tasks", {"id": "x"}, "action"),
        ("/producer/tasks", {"action": "cancel", "id": "x"}, "action"),
        ("/producer/tasks", {"action": "retrieve"}, "id"),
        ("/producer/tasks", {"action": "retrieve", "id": 5}, "id"),
        ("/producer/tasks", {"action": "retrieve_batch", "id": "x"}, "ids"),
        ("/producer/tasks", {"action": "retrieve_batch", "ids": []}, "ids"),
        ("/producer/tasks", {"action": "retrieve_batch", "ids": "x"}, "ids"),
        ("/producer/tasks", {"action": "retrieve_batch", "ids": ["x", None]}, "ids.1"),
        ("/producer/tasks", {"action": "retrieve_batch", "ids": ["x"] * 51}, "50"),
        ("/producer/tasks", {"action": "retrieve_batch", "limit": 0}, "limit"),
        ("/producer/tasks", {"action": "retrieve_batch", "limit": True}, "limit"),
        ("/producer/tasks", {"action": "retrieve_batch", "limit": 1.5}, "limit"),
        ("/producer/tasks", {"action": "retrieve_batch", "offset": -1}, "offset"),
        ("/producer/tasks", {"action": "retrieve_batch", "type": 7}, "type"),
        ("/producer/tasks", {"action": "retrieve_batch", "created_at_min": "today"}, "created_at_min"),
        ("/producer/tasks", {"action": "retrieve_batch", "created_at_max": -1}, "created_at_max"),
        ("/producer/tasks", {"action": "retrieve_batch", "user_id": ["x"]}, "user_id"),
        ("/producer/tasks", {"action": "retrieve_batch", "application_id": " "}, "application_id"),
    ],
)
def test_the_other_endpoints_refuse(api: Api, path: str, body: dict[str, Any], named: str) -> None:
    answer = api.post(path, body)
    assert answer.refusal == (400, "bad_request")
    assert named in answer.json["error"]["message"]


def test_the_other_endpoints_answer_at_once_and_ignore_delivery_fields(api: Api) -> None:
    delivery = {"async": True, "callback_url": "https://example.org/hook"}
    answer = api.post("/producer/lyrics", {"prompt": "rain", **delivery})
    assert answer.status == 200
    assert answer.json["success"] is True
    assert answer.json["data"]["text"]
