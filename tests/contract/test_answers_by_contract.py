"""Answers against the contract: it allows all known shapes, and no impossible ones."""

import json
import urllib.request
from typing import Any

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.api_contract import CONTRACT, check_answer

AUDIO = "https://cdn.example/audio.m4a"
SONG = {
    "id": "a1", "title": "A short line", "lyric": "[Verse]\nA short line of ours", "audio_url": AUDIO,
    "image_url": "https://cdn.example/a1.jpg", "video_url": None, "image_id": "a1", "topic": None, "seed": "1490770667",
    "sound": "", "created_at": "2025-12-30T18:36:00.994141Z", "model": "FUZZ-2.0 Pro", "progress": "100%",
    "state": "succeeded", "duration": "135.2330158730159",
}  # fmt: skip
STEMS = {"title": "T", "lyric": "", "stems_url": AUDIO, "model": "FUZZ-2.0", "progress": "100%", "state": "succeeded"}
IDS = {"task_id": "t", "trace_id": "tr"}
RECORD = {"id": "t", "type": "audios", "trace_id": "tr", "created_at": 1.5, "request": {"action": "generate"}}
ERROR = {"code": "api_error", "message": "no capacity"}

KNOWN: list[tuple[str, int, dict[str, Any]]] = [
    ("audios", 200, IDS),
    ("audios", 200, {"success": True, **IDS}),
    ("audios", 200, {"success": True, **IDS, "data": [SONG]}),
    ("audios", 200, {"success": True, **IDS, "data": [STEMS]}),
    ("lyrics", 200, {"success": True, "task_id": "t", "data": {"title": "T", "lyrics": "la"}}),
    ("lyrics", 200, {"data": {"title": "T", "text": "la", "status": "complete"}}),
    ("upload", 200, {"success": True, "task_id": "t", "data": {"audio_id": "a"}}),
    ("videos", 200, {"success": True, **IDS, "data": {"video_url": AUDIO}}),
    ("wav", 200, {"success": True, **IDS, "data": [{"title": "T", "file_url": AUDIO}]}),
    ("wav", 200, {"success": True, **IDS, "data": {"title": "T", "file_url": AUDIO}}),
    ("tasks", 200, {}),
    ("tasks", 200, {"items": [], "count": 0}),
    ("tasks", 200, {**RECORD, "response": None}),
    ("tasks", 200, {**RECORD, "finished_at": 9, "elapsed": 2, "response": {"task_id": "t", "data": [SONG]}}),
    ("tasks", 200, {**RECORD, "response": {"success": False, "error": "temporary"}}),
    ("tasks", 200, {"id": "t", "state": "complete", "response": {"success": True, "data": [SONG]}}),
    ("tasks", 200, {"id": "t", "state": "pending", "response": {"data": [{"id": "a1", "audio_url": AUDIO}]}}),
    ("tasks", 200, {"items": [RECORD, {"id": "u", "state": "", "response": {"success": True}}], "count": 2}),
    ("tasks", 200, {"id": "t", "state": "", "response": {"success": True, "data": []}}),
    ("wav", 403, {"error": {"code": "used_up", "message": "top up"}, "trace_id": "tr"}),
    ("tasks", 200, {"items": [{**RECORD, "user_id": "u", "application_id": None}], "count": 30}),
    ("audios", 410, {"error": {"code": "retired", "message": "no longer offered"}, "trace_id": "tr"}),
    ("wav", 503, {"error": {"code": "api_error", "message": "down"}, "trace_id": "tr"}),
    ("tasks", 504, {"success": False, "error": {"code": "timeout", "message": "late"}, "trace_id": "tr"}),
]  # fmt: skip
IMPOSSIBLE: list[tuple[str, int, Any]] = [
    ("audios", 200, {"task_id": "t"}),
    ("audios", 200, {**IDS, "data": [SONG]}),
    ("audios", 200, {"success": False, **IDS, "error": ERROR}),
    ("audios", 200, {"success": True, **IDS, "data": []}),
    ("audios", 200, {"success": True, **IDS, "data": [{**SONG, "duration": 135.2}]}),
    ("audios", 200, {"success": True, **IDS, "data": [{**SONG, "state": "processing"}]}),
    ("audios", 200, {"success": True, **IDS, "data": [{**STEMS, "stems_url": None}]}),
    ("audios", 201, IDS),
    ("lyrics", 200, {"success": True, "task_id": "t", "data": {"title": "T", "text": "la"}}),
    ("upload", 200, {"success": True, "task_id": "t", "data": {"audio_url": AUDIO}}),
    ("videos", 200, {"success": True, **IDS, "data": {"video_url": None}}),
    ("wav", 200, {"success": True, **IDS, "data": []}),
    ("tasks", 200, None),
    ("tasks", 200, []),
    ("tasks", 200, {"items": [{}], "count": 1}),
    ("tasks", 200, {"items": []}),
    ("tasks", 200, {**RECORD, "success": True}),
    ("tasks", 200, {**RECORD, "created_at": "2025-12-30"}),
    ("tasks", 200, {**RECORD, "response": {"data": [{**SONG, "progress": 40}]}}),
    ("tasks", 200, {"id": "t", "response": {"success": True}}),
    ("tasks", 200, {"id": "t", "state": "warped"}),
    ("tasks", 400, {"error": {"code": "used_up", "message": "top up"}, "trace_id": "tr"}),
    ("tasks", 400, {"error": "bad", "trace_id": "tr"}),
    ("tasks", 200, {**RECORD, "user_id": 7}),
    ("audios", 410, {"error": "retired", "trace_id": "tr"}),
    ("tasks", 400, {"error": {"code": "bad_request", "message": "no"}}),
    ("tasks", 401, {"success": True, "error": {"code": "invalid_token", "message": "no"}, "trace_id": "tr"}),
]


@pytest.mark.parametrize(("endpoint", "status", "body"), KNOWN)
def test_the_contract_allows_a_known_answer(endpoint: str, status: int, body: dict[str, Any]) -> None:
    """Otherwise the recordings and the sandbox could not contain it either."""
    check_answer(f"/producer/{endpoint}", status, body)


@pytest.mark.parametrize(("endpoint", "status", "body"), IMPOSSIBLE)
def test_the_contract_refuses_an_impossible_answer(endpoint: str, status: int, body: object) -> None:
    """Otherwise a recording or the sandbox could differ from the API without a failing test."""
    with pytest.raises(AssertionError):
        check_answer(f"/producer/{endpoint}", status, body)


def test_the_sandbox_serves_the_contract_without_a_token(sandbox: ProducerSandbox) -> None:
    """Tools that generate clients read it, and they have no token."""
    with urllib.request.urlopen(f"{sandbox.base_url}/openapi.json", timeout=50) as response:  # noqa: S310 - loopback
        assert response.headers.get_content_type() == "application/json"
        assert response.headers["X-Producer-Sandbox"] == "not-the-service"
        assert json.load(response) == CONTRACT
