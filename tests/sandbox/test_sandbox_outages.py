"""Outages: what requests get, which requests get it, and when it ends."""

from collections.abc import Iterator
from typing import Any

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.sandbox.calls import SONG_SECONDS, Api, serving

RAIN = {"action": "generate", "prompt": "rain", "async": True}
LYRICS = {"prompt": "rain"}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.mark.parametrize(("kind", "words"), [("no_capacity", "temporary capacity"), ("tasks_fail", "server error")])
@pytest.mark.parametrize("vocabulary", ["record", "state"])
def test_tasks_are_accepted_and_fail_uncharged(kind: Any, words: str, vocabulary: str) -> None:
    with serving(vocabulary=vocabulary) as api:
        with api.sandbox.outage(kind):
            task_id = api.submit("generate", prompt="rain")
            assert api.look_up_after(task_id, SONG_SECONDS / 2)["finished_at"] is None
            response = api.look_up_after(task_id, SONG_SECONDS / 2)["response"]
            assert (response["success"], response["error"]["code"]) == (False, "api_error")
            assert words in response["error"]["message"]
            assert not response.get("data")
            assert api.post("/producer/lyrics", LYRICS).status == 200, "only songs are affected"
        assert [charge.endpoint for charge in api.sandbox.charges] == ["/producer/lyrics"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("server_error", 500, "api_error"), ("unavailable", 503, "api_error"), ("retired", 410, "gone")],
)
def test_submits_are_refused_uncharged_until_the_end(api: Api, kind: Any, status: int, code: str) -> None:
    task_id = api.submit("generate", prompt="rain")
    with api.sandbox.outage(kind):
        for _ in range(2):
            assert api.post("/producer/audios", RAIN).refusal == (status, code)
        assert api.look_up(task_id)["id"] == task_id, "look-ups work"
    assert api.post("/producer/audios", RAIN).status == 200
    assert len(api.sandbox.charges) == 2
    assert len([request for request in api.sandbox.requests if request.endpoint == "/producer/audios"]) == 4


def test_an_outage_can_be_ended_by_hand(api: Api) -> None:
    outage = api.sandbox.outage("unavailable")
    assert api.post("/producer/lyrics", LYRICS).status == 503
    outage.end()
    outage.end()
    assert api.post("/producer/lyrics", LYRICS).status == 200


def test_an_outage_ends_after_a_number_of_submits(api: Api) -> None:
    api.sandbox.outage("server_error", submits=2)
    assert api.post("/producer/lyrics", {}).status == 400, "an invalid request does not count"
    assert [api.post("/producer/audios", RAIN).status for _ in range(3)] == [500, 500, 200]
    api.sandbox.outage("tasks_fail", submits=1)
    failing, working = api.submit("generate", prompt="rain"), api.submit("generate", prompt="rain")
    api.clock.advance(SONG_SECONDS)
    assert ["error" in api.look_up(task_id)["response"] for task_id in (failing, working)] == [True, False]


def test_only_the_retired_actions_are_refused(api: Api) -> None:
    song = api.song()
    api.sandbox.outage("retired", actions=["variation", "swap_vocals"])
    edit = {"audio_id": song["id"], "async": True}
    actions = ("variation", "swap_vocals", "cover")
    assert [api.post("/producer/audios", {"action": action, **edit}).status for action in actions] == [410, 410, 200]
    assert api.post("/producer/audios", RAIN).status == api.post("/producer/lyrics", LYRICS).status == 200


def test_the_outage_that_began_first_counts(api: Api) -> None:
    with api.sandbox.outage("unavailable", submits=1), api.sandbox.outage("server_error", submits=1):
        assert [api.post("/producer/audios", RAIN).status for _ in range(3)] == [503, 500, 200]


def test_a_partial_failure_waits_for_the_end_of_the_outage(api: Api) -> None:
    api.sandbox.spoil_next("api_error", "half of it was lost")
    with api.sandbox.outage("no_capacity"):
        api.submit("generate", prompt="rain")
    response = api.finish(api.submit("generate", prompt="rain"))
    assert (response["error"]["message"], len(response["data"])) == ("half of it was lost", 1)


def test_a_synchronous_submit_is_answered_with_the_failure() -> None:
    with serving(render_seconds=0) as api:
        api.sandbox.outage("no_capacity")
        assert api.post("/producer/audios", {**RAIN, "async": False}).refusal == (500, "api_error")
        assert api.sandbox.charges == ()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("down", {}, "kind must be one of no_capacity, tasks_fail"),
        ("retired", {"actions": ["swap"]}, "actions must be of generate, cover"),
        ("retired", {"submits": 0}, "submits must be one or more, not 0"),
    ],
)
def test_an_impossible_outage_is_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    """It would never happen, and the test that planned it would prove nothing."""
    with pytest.raises(ValueError, match=message):
        ProducerSandbox().outage(kind, **options)
