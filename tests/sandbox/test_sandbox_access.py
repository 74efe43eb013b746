"""Authentication, the form of errors, limits, and what is charged."""

import json
from collections.abc import Iterator

import pytest

from producer_tools.sandbox import Charge, ProducerSandbox
from tests.clocks import ManualClock
from tests.sandbox.calls import Api, send, serving

PAID = {
    "/producer/audios": {"action": "generate", "prompt": "rain", "async": True},
    "/producer/lyrics": {"prompt": "rain"},
    "/producer/upload": {"audio_url": "https://example.org/own.mp3"},
}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def test_every_answer_is_marked_as_the_sandboxs(api: Api) -> None:
    answers = [
        api.post("/producer/lyrics", {"prompt": "rain"}),
        api.post("/producer/lyrics", {}),
        send(api.sandbox.base_url),
        send(api.song()["image_url"]),
    ]
    assert {answer.headers["X-Producer-Sandbox"] for answer in answers} == {"not-the-service"}
    assert all(answer.json["trace_id"].startswith("sandbox-") for answer in answers[:3])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
def test_a_request_without_a_bearer_token_is_refused_as_no_token(api: Api, headers: dict[str, str]) -> None:
    answer = send(f"{api.sandbox.base_url}/producer/tasks", b"{}", headers)
    assert answer.refusal == (400, "no_token")


def test_a_wrong_token_is_refused_before_the_body_is_read(api: Api) -> None:
    answer = send(f"{api.sandbox.base_url}/producer/audios", b"not json", {"Authorization": "Bearer wrong"})
    assert answer.refusal == (401, "invalid_token")


def test_the_given_token_is_accepted() -> None:
    with serving(api_token="chosen") as api:
        assert api.sandbox.api_token == "chosen"
        assert api.post("/producer/lyrics", {"prompt": "rain"}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["", "/producer", "/producer/audio", "/producer/tasks/1", "/suno/audios"])
def test_an_unknown_path_is_no_api_for_every_method_and_without_a_token(api: Api, path: str, method: str) -> None:
    assert send(api.sandbox.base_url + path, method=method).refusal == (404, "no_api")


def test_another_method_on_a_known_path_is_a_bad_request_in_json(api: Api) -> None:
    answer = send(f"{api.sandbox.base_url}/producer/tasks", headers={"Accept": "text/html"})
    assert answer.refusal == (400, "bad_request")
    assert answer.headers.get_content_type() == "application/json"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b'{"prompt": NaN}', b'{"prompt": "\\ud800"}', b"[" * 9000],
)
def test_a_body_that_is_not_a_json_object_is_a_bad_request(api: Api, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.sandbox.api_token}"}
    assert send(f"{api.sandbox.base_url}/producer/lyrics", body, headers).refusal == (400, "bad_request")


def test_a_body_of_several_megabytes_is_a_bad_request_in_json(api: Api) -> None:
    assert api.post("/producer/lyrics", {"prompt": "x" * 3_000_000}).refusal == (400, "bad_request")


def test_an_infinite_number_in_an_ignored_field_leaves_the_record_valid_json(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.sandbox.api_token}"}
    body = b'{"prompt": "rain", "mystery": 1e999}'
    task_id = send(f"{api.sandbox.base_url}/producer/lyrics", body, headers).json["task_id"]
    answer = api.post("/producer/tasks", {"action": "retrieve", "id": task_id})
    not_json: list[str] = []
    json.loads(answer.content, parse_constant=not_json.append)
    assert not_json == [], "Infinity and NaN are not JSON"


def test_an_internal_error_is_answered_as_api_error_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class StoppedClock(ManualClock):
        def now(self) -> float:
            raise RuntimeError("the clock has stopped")

    with ProducerSandbox(clock=StoppedClock()) as sandbox:
        answer = Api(sandbox, ManualClock()).post("/producer/tasks", {"action": "retrieve", "id": "x"})
    assert answer.refusal == (500, "api_error")
    assert "the clock has stopped" in caplog.text


def test_a_sixth_concurrent_paid_request_is_refused_until_another_is_answered(api: Api) -> None:
    with api.waiting_submits(5) as waiting:
        refused = api.post("/producer/lyrics", {"prompt": "rain"})
        assert refused.refusal == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "1"
        assert api.post("/producer/tasks", {"action": "retrieve", "id": "x"}).status == 200
        assert api.post("/producer/lyrics", {}).refusal == (400, "bad_request"), "the contract is checked first"
        api.clock.advance(60)
        assert [future.result().status for future in waiting] == [200] * 5
    assert api.post("/producer/lyrics", {"prompt": "rain"}).status == 200
    assert len(api.sandbox.charges) == 6, "the refused request was not charged"


def test_max_unfinished_refuses_a_song_until_another_is_finished() -> None:
    """The stricter reading of the service's limit: only unfinished songs count."""
    with serving(max_unfinished=2) as api:
        song = {"action": "generate", "prompt": "rain", "async": True}
        assert [api.post("/producer/audios", song).status for _ in range(2)] == [200, 200]
        refused = api.post("/producer/audios", song)
        assert refused.refusal == (429, "too_many_requests")
        assert api.post("/producer/lyrics", {"prompt": "rain"}).status == 200
        api.clock.advance(60)
        assert api.post("/producer/audios", song).status == 200
        assert len(api.sandbox.charges) == 4, "the refused request was not charged"


@pytest.mark.parametrize("path", PAID)
def test_a_used_up_balance_refuses_only_paid_requests(path: str) -> None:
    with serving(balance=2) as api:
        first, second, third = (api.post(path, PAID[path]) for _ in range(3))
        assert (first.status, second.status) == (200, 200)
        assert third.refusal == (403, "used_up")
        assert api.look_up(first.json["task_id"])["id"] == first.json["task_id"]
        assert len(api.sandbox.charges) == 2


def test_refused_requests_and_failed_tasks_are_not_charged() -> None:
    with serving(balance=1) as api:
        api.post("/producer/audios", {"action": "dance"})
        api.post("/producer/wav", {"audio_id": "unknown"})
        api.post("/producer/audios", {"action": "stems", "audio_id": "unknown", "async": True})
        api.post("/producer/tasks", {"action": "retrieve", "id": "x"})
        assert len(api.sandbox.charges) == 0
        task_id = api.submit("generate", prompt="rain")
        request = {"action": "generate", "async": True, "prompt": "rain"}
        (user,) = api.sandbox.users
        assert list(api.sandbox.charges) == [Charge(task_id, "/producer/audios", "generate", request, user.user_id)]


def test_each_paid_request_is_charged_once_with_its_path(api: Api) -> None:
    audio_id = api.song()["id"]
    for path in ("/producer/videos", "/producer/wav"):
        assert api.post(path, {"audio_id": audio_id}).status == 200
    for path, body in PAID.items():
        assert api.post(path, body).status == 200
    endpoints = [(charge.endpoint, charge.action) for charge in api.sandbox.charges]
    assert endpoints == [
        ("/producer/audios", "generate"),
        ("/producer/videos", None),
        ("/producer/wav", None),
        ("/producer/audios", "generate"),
        ("/producer/lyrics", None),
        ("/producer/upload", None),
    ]
