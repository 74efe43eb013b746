"""Planned errors and partial failures, and repeatable answers by seed."""

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.clocks import ManualClock
from tests.sandbox.calls import SONG_SECONDS, Api, serving

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
