"""Planned errors and partial failures, and repeatable answers by seed."""

import json
from typing import Any

import pytest

from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import ManualClock
from tests.sandbox.calls import SONG_SECONDS, Api, send, serving

SUBMIT = {"action": "generate", "prompt": "a song", "async": True}


def test_planned_errors_apply_to_one_request_each_in_order() -> None:
    """A planned error refuses one request to any endpoint; nothing is made or charged for it."""
    with serving() as api:
        api.sandbox.fail_next("forbidden", "not these words")
        api.sandbox.fail_next("token_mismatched", status=401)
        api.sandbox.fail_next("timeout")
        first = api.post("/producer/audios", SUBMIT)
        assert first.refusal == (403, "forbidden")
        assert first.json["error"]["message"] == "not these words"
        assert api.post("/producer/lyrics", {"prompt": "rain"}).refusal == (401, "token_mismatched")
        assert api.post("/producer/tasks", {"action": "retrieve", "id": "t1"}).refusal == (504, "timeout")
        assert api.sandbox.charges == ()
        assert api.post("/producer/audios", SUBMIT).status == 200
        assert len(api.sandbox.charges) == 1


@pytest.mark.parametrize(("code", "status"), [("rate_limited", 429), ("api_error", 500), ("api_error", 200)])
@pytest.mark.parametrize("place", ["top", "error", "data", "response"])
def test_a_refusal_can_name_the_task_that_was_begun(place: str, code: str, status: int) -> None:
    """A client that sends such a request again pays twice."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        sandbox.fail_next(code, status=status, task_id_in=place)  # type: ignore[arg-type]  # one of its literals
        headers = {"Authorization": f"Bearer {sandbox.api_token}"}
        answer = send(f"{sandbox.base_url}/producer/audios", json.dumps(SUBMIT).encode(), headers)
        (charge,) = sandbox.charges
        assert (answer.status, answer.json["error"]["code"], answer.json["success"]) == (status, code, False)
        named = answer.json if place == "top" else answer.json[place]
        assert named["task_id"] == charge.task_id
        assert answer.content.decode().count(charge.task_id) == 1, "it is named nowhere else"


def test_a_refusal_after_the_work_can_name_no_task() -> None:
    with serving() as api:
        api.sandbox.fail_next("rate_limited", after_work=True)
        assert api.post("/producer/audios", SUBMIT).refusal == (429, "rate_limited")
        assert len(api.sandbox.charges) == 1


def test_an_invalid_request_begins_no_task_that_a_refusal_could_name() -> None:
    with serving() as api:
        api.sandbox.fail_next("rate_limited", task_id_in="top")
        assert api.post("/producer/audios", {"action": "dance"}).refusal == (400, "bad_request")
        assert api.sandbox.charges == ()


@pytest.mark.parametrize(
    ("fault", "option", "message"),
    [
        (Fault.EMPTY, {"after_work": True}, "go with an error code"),
        (Fault.EMPTY, {"task_id_in": "top"}, "go with an error code"),
        ("api_error", {"task_id_in": "bottom"}, "task_id_in must be one of top, error, data, response"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    fault: Fault | str, option: dict[str, Any], message: str
) -> None:
    """Otherwise the test that uses it would prove nothing."""
    with pytest.raises(ValueError, match=message):
        ProducerSandbox().fail_next(fault, **option)


@pytest.mark.parametrize("method", ["fail_next", "spoil_next"])
def test_a_code_that_the_api_does_not_have_is_refused(method: str) -> None:
    """A misspelt code would give an answer that the API never gives."""
    with pytest.raises(KeyError):
        getattr(ProducerSandbox(), method)("no_such_code")


@pytest.mark.parametrize("vocabulary", ["record", "state"])
def test_a_partial_failure_has_a_song_an_error_and_no_charge(vocabulary: str) -> None:
    """The task looks like any other until it is finished. The next task succeeds."""
    with serving(vocabulary=vocabulary) as api:
        api.sandbox.spoil_next("api_error", "half of it was lost")
        task_id = api.submit("generate", prompt="a song")
        api.clock.advance(SONG_SECONDS / 2)
        assert "error" not in (api.look_up(task_id)["response"] or {})
        response = api.finish(task_id)
        assert response["success"] is False
        assert response["error"] == {"code": "api_error", "message": "half of it was lost"}
        assert [(item["state"], item["progress"]) for item in response["data"]] == [("succeeded", "100%")]
        assert api.look_up(task_id)["finished_at"]
        assert api.sandbox.charges == ()
        assert api.song()["state"] == "succeeded"


def test_a_synchronous_submit_is_answered_with_the_error_of_a_partial_failure() -> None:
    """The API has no answer with both a result and an error."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        sandbox.spoil_next()
        api = Api(sandbox, ManualClock())
        assert api.post("/producer/audios", {**SUBMIT, "async": False}).refusal == (500, "api_error")
        assert sandbox.charges == ()


def test_the_same_seed_gives_the_same_answers() -> None:
    """Recordings are compared line by line: an id that changes every time would look like a change of the API."""

    def answers(seed: int | None) -> list[object]:
        with serving(seed=seed) as api:
            task_id = api.submit("generate", prompt="a song")
            (item,) = api.finish(task_id)["data"]
            return [api.sandbox.api_token, task_id, item["id"], item["seed"], item["duration"]]

    assert answers(1) == answers(1)
    assert answers(1)[:3] != answers(2)[:3]
    assert answers(None)[:3] != answers(None)[:3]
