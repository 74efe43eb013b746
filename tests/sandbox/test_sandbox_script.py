"""A sandbox that fails when it is told to, and one that does the same thing each time."""

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.clocks import ManualClock
from tests.sandbox.calls import SONG_SECONDS, Api, serving

ORDER = {"action": "generate", "prompt": "a song", "async": True}


def test_requests_fail_one_after_the_other() -> None:
    """A scripted refusal is for one request, of any endpoint; nothing is made or charged for it."""
    with serving() as api:
        api.sandbox.fail_next("forbidden", "not these words")
        api.sandbox.fail_next("token_mismatched", status=401)
        api.sandbox.fail_next("timeout")
        first = api.post("/producer/audios", ORDER)
        assert first.refusal == (403, "forbidden")
        assert first.json["error"]["message"] == "not these words"
        assert api.post("/producer/lyrics", {"prompt": "rain"}).refusal == (401, "token_mismatched")
        assert api.post("/producer/tasks", {"action": "retrieve", "id": "t1"}).refusal == (504, "timeout")
        assert api.sandbox.charges == ()
        assert api.post("/producer/audios", ORDER).status == 200
        assert len(api.sandbox.charges) == 1


@pytest.mark.parametrize("method", ["fail_next", "spoil_next"])
def test_a_code_that_the_api_has_not(method: str) -> None:
    """A misspelt code would be an answer that no client can ever get."""
    with pytest.raises(KeyError):
        getattr(ProducerSandbox(), method)("no_such_code")


@pytest.mark.parametrize("vocabulary", ["record", "state"])
def test_a_task_that_fails_in_part(vocabulary: str) -> None:
    """It looks like any other until its end; then it has its song, an error, and no charge. The next is whole again."""
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


def test_a_submit_that_waits_for_a_task_that_fails_in_part() -> None:
    """It is answered as any failure is: the API has no answer that is both."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        sandbox.spoil_next()
        api = Api(sandbox, ManualClock())
        assert api.post("/producer/audios", {**ORDER, "async": False}).refusal == (500, "api_error")
        assert sandbox.charges == ()


def test_a_seed_brings_the_same_answers() -> None:
    """Recordings are compared line by line: an id that changed by itself would look like a change of the API."""

    def answers(seed: int | None) -> list[object]:
        with serving(seed=seed) as api:
            task_id = api.submit("generate", prompt="a song")
            (item,) = api.finish(task_id)["data"]
            return [api.sandbox.api_token, task_id, item["id"], item["seed"], item["duration"]]

    assert answers(1) == answers(1)
    assert answers(1)[:3] != answers(2)[:3]
    assert answers(None)[:3] != answers(None)[:3]
