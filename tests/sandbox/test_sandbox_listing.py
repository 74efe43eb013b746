"""The list of an account's tasks, and what a test can make it answer instead."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from producer_tools.sandbox import User
from tests.sandbox.calls import SONG_SECONDS, Answer, Api, send, serving

RAIN = {"action": "generate", "prompt": "rain", "async": True}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def ask(api: Api, user: User | None = None, **fields: object) -> Answer:
    return api.post("/producer/tasks", {"action": "retrieve_batch", **fields}, user)


def listed(api: Api, user: User | None = None, **fields: object) -> list[str]:
    return [record["id"] for record in ask(api, user, **fields).json["items"]]


def songs(api: Api, count: int) -> list[str]:
    """Submit songs one second apart; returns their task ids, newest first."""
    ids = []
    for _ in range(count):
        ids.append(api.submit("generate", prompt="rain"))
        api.clock.advance(1)
    return ids[::-1]


def test_tasks_are_listed_newest_first_as_look_ups_show_them(api: Api) -> None:
    """A client that looks for a lost submit compares the request of each record with what it sent."""
    ids = songs(api, 3)
    answer = ask(api).json
    assert answer == {"items": [api.look_up(task_id) for task_id in ids], "count": 3}
    (user,) = api.sandbox.users
    assert {(item["user_id"], item["application_id"]) for item in answer["items"]} == {
        (user.user_id, user.application_id)
    }
    assert [item["request"] for item in answer["items"]] == [RAIN] * 3


def test_filters_limit_the_list(api: Api) -> None:
    began, (user,) = api.clock.now(), api.sandbox.users
    newest, middle, oldest = songs(api, 3)
    lyrics = api.post("/producer/lyrics", {"prompt": "rain"}).json["task_id"]
    assert listed(api, type="audios") == [newest, middle, oldest]
    assert listed(api, type="lyrics") == [lyrics]
    assert listed(api, type="videos") == []
    assert listed(api, created_at_min=began + 1, created_at_max=began + 2) == [newest, middle]
    assert listed(api, created_at_max=began - 1) == []
    assert len(listed(api, user_id=user.user_id, application_id=user.application_id)) == 4
    assert listed(api, user_id="somebody-else") == listed(api, application_id="another") == []


def test_a_long_list_comes_in_pages(api: Api) -> None:
    ids = songs(api, 23)
    assert listed(api) == ids[:20]
    assert (listed(api, offset=20), listed(api, offset=23)) == (ids[20:], [])
    assert (listed(api, limit=2, offset=1), ask(api, limit=2).json["count"]) == (ids[1:3], 23)
    api.sandbox.listing.largest_page = 5
    assert listed(api, limit=50, offset=20) == ids[20:]
    assert listed(api, limit=50) == ids[:5]


def test_a_task_is_listed_after_the_delay_and_can_be_looked_up_before(api: Api) -> None:
    """A client that takes a task for lost because it is not listed yet pays twice."""
    api.sandbox.listing.delay_seconds = 3
    task_id = api.submit("generate", prompt="rain")
    api.clock.advance(2.9)
    assert (listed(api), ask(api).json["count"], api.look_up(task_id)["id"]) == ([], 0, task_id)
    api.clock.advance(0.2)
    assert listed(api) == [task_id]


@pytest.mark.parametrize(
    ("answer", "status"), [("bad_request", 400), ("invalid_token", 401), ("forbidden", 403), ("no_api", 404)]
)
def test_a_refused_list_does_not_affect_look_ups(api: Api, answer: Any, status: int) -> None:
    task_id = api.submit("generate", prompt="rain")
    api.sandbox.listing.answer = answer
    assert ask(api).refusal == (status, answer)
    assert api.look_up(task_id)["id"] == task_id
    assert ask(api, ids=[task_id]).json["count"] == 1
    api.sandbox.listing.answer = "works"
    assert listed(api) == [task_id]


def test_the_list_can_be_empty_although_there_are_tasks(api: Api) -> None:
    api.submit("generate", prompt="rain")
    api.sandbox.listing.answer = "empty"
    assert ask(api).json == {"items": [], "count": 0}


def test_the_list_can_have_the_tasks_of_everybody(api: Api) -> None:
    """A client must not take a stranger's task for its own, even if it asked for its own only."""
    mine, stranger = api.submit("generate", prompt="rain"), api.sandbox.add_user()
    theirs = api.post("/producer/audios", RAIN, stranger).json["task_id"]
    assert (listed(api), listed(api, stranger)) == ([mine], [theirs])
    api.sandbox.listing.answer = "foreign"
    assert listed(api) == listed(api, user_id=api.sandbox.users[0].user_id) == [theirs, mine]


def test_the_list_can_have_another_shape(api: Api) -> None:
    task_id = api.submit("generate", prompt="rain")
    api.sandbox.listing.answer = "other_shape"
    headers = {"Authorization": f"Bearer {api.sandbox.api_token}"}
    body = json.dumps({"action": "retrieve_batch"}).encode()
    answer = send(f"{api.sandbox.base_url}/producer/tasks", body, headers).json
    assert set(answer) == {"success", "data"}
    assert [task["id"] for task in answer["data"]["tasks"]] == [task_id]


def test_a_list_costs_nothing_and_is_a_request(api: Api) -> None:
    listed(api, limit=5)
    assert api.sandbox.charges == ()
    assert [request.body for request in api.sandbox.requests] == [{"action": "retrieve_batch", "limit": 5}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("answer", "works well"),
        ("delay_seconds", -1),
        ("delay_seconds", float("nan")),
        ("largest_page", 0),
        ("size", 1),
    ],
)
def test_an_impossible_setting_is_refused(api: Api, name: str, value: object) -> None:
    """A misspelt one would leave the list as it is, and the test that sets it would prove nothing."""
    with pytest.raises(ValueError, match=name):
        setattr(api.sandbox.listing, name, value)
    api.clock.advance(SONG_SECONDS)
    assert ask(api).status == 200
