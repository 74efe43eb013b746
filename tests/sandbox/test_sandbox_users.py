"""Several accounts: what each sees, and that limits, balances and charges are its own."""

from collections.abc import Iterator

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.sandbox.calls import Api, serving

RAIN = {"action": "generate", "prompt": "rain", "async": True}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def test_another_accounts_task_is_an_unknown_one(api: Api) -> None:
    """A client that looks a task up with the wrong user's token must find out."""
    task_id, other = api.submit("generate", prompt="rain"), api.sandbox.add_user()
    assert api.post("/producer/tasks", {"action": "retrieve", "id": task_id}, other).json == {}
    theirs = api.post("/producer/audios", RAIN, other).json["task_id"]
    batch = api.post("/producer/tasks", {"action": "retrieve_batch", "ids": [task_id, theirs]}, other).json
    assert ([record["id"] for record in batch["items"]], batch["count"]) == ([theirs], 1)
    assert batch["items"][0]["user_id"] == other.user_id


def test_another_accounts_song_is_an_unknown_one(api: Api) -> None:
    song, other = api.song(), api.sandbox.add_user()
    assert api.post("/producer/wav", {"audio_id": song["id"]}, other).refusal == (400, "bad_request")
    cover = {"action": "cover", "audio_id": song["id"], "async": True}
    task_id = api.post("/producer/audios", cover, other).json["task_id"]
    api.sandbox.finish_now()
    record = api.post("/producer/tasks", {"action": "retrieve", "id": task_id}, other).json
    assert f"there is no audio {song['id']!r}" in record["response"]["error"]["message"]


def test_charges_and_requests_say_whose_they_are(api: Api) -> None:
    first, second = api.sandbox.users[0], api.sandbox.add_user()
    for user in (first, second, first):
        api.post("/producer/lyrics", {"prompt": "rain"}, user)
    expected = [first.user_id, second.user_id, first.user_id]
    assert [charge.user_id for charge in api.sandbox.charges] == expected
    assert [request.user_id for request in api.sandbox.requests] == expected


def test_each_account_has_a_balance_and_limits_of_its_own() -> None:
    with serving(balance=1, max_unfinished=1) as api:
        first, second = api.sandbox.users[0], api.sandbox.add_user()
        assert [api.post("/producer/audios", RAIN, user).status for user in (first, second)] == [200, 200]
        assert api.post("/producer/audios", RAIN, second).refusal == (403, "used_up")
    with serving(max_unfinished=1) as api:
        first, second = api.sandbox.users[0], api.sandbox.add_user()
        statuses = [api.post("/producer/audios", RAIN, user).status for user in (first, first, second, second)]
        assert statuses == [200, 429, 200, 429]


def test_five_open_requests_of_one_account_do_not_stop_another(api: Api) -> None:
    other = api.sandbox.add_user()
    with api.waiting_submits(5):
        assert api.post("/producer/lyrics", {"prompt": "rain"}).refusal == (429, "too_many_requests")
        assert api.post("/producer/lyrics", {"prompt": "rain"}, other).status == 200
        api.sandbox.finish_now()


def test_tokens_are_given_random_or_repeatable_by_seed() -> None:
    def tokens(seed: int | None) -> list[str]:
        sandbox = ProducerSandbox(seed=seed)
        sandbox.add_user()
        return [user.api_token for user in sandbox.users]

    assert tokens(1) == tokens(1) != tokens(2)
    assert len({*tokens(1), *tokens(None)}) == 4
    sandbox = ProducerSandbox(api_token="chosen")
    assert sandbox.add_user("also chosen").api_token == "also chosen"
    assert "chosen" not in repr(sandbox.users)


@pytest.mark.parametrize(("token", "message"), [(" ", "must not be blank"), ("chosen", "another user has this")])
def test_a_blank_or_used_token_is_refused(token: str, message: str) -> None:
    """Two users with one token would be one account."""
    with pytest.raises(ValueError, match=message):
        ProducerSandbox(api_token="chosen").add_user(token)
