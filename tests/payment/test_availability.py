"""A service that is down: paid calls stop, and one trial decides."""

import json
from typing import Any

import pytest

from producer_tools import (
    BadRequestError,
    ConfigurationError,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    ProducerGetTask,
    RetiredError,
    ServiceUnavailableError,
    SubmissionUnknownError,
    Task,
)
from producer_tools.requests import CoverMusic, GenerateLyrics
from producer_tools.tasks.failures import failed_by_service
from tests.payment.service_down import DOWN, SONG, Down

LYRICS = GenerateLyrics(prompt="rain")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("no_capacity", "failed"), ("tasks_fail", "failed"), ("server_error", "api_error"), ("unavailable", "api_error")],
)
async def test_after_three_failures_nothing_is_sent_for_a_minute(down: Down, kind: Any, outcome: str) -> None:
    """If this fails, a model submits song after song to a service that makes none."""
    client = down.client()
    with down.sandbox.outage(kind):
        assert await down.songs(client, 5) == [*[outcome] * 3, DOWN, DOWN]
        down.clock.advance(59)
        assert await down.song(client) == DOWN
        assert down.songs_sent == 3
        down.clock.advance(1)
        assert await down.songs(client, 2) == [outcome, DOWN], "the trial failed"
        down.clock.advance(60)
    assert await down.songs(client, 3) == ["complete"] * 3
    assert len(down.sandbox.charges) == 3


async def test_the_error_says_since_when_what_was_seen_and_what_it_cost(down: Down) -> None:
    """A model and a user know nothing else: neither may think that money was lost, or that it was not."""
    client = down.client(failures_until_down=2)
    down.sandbox.outage("no_capacity", submits=1)
    assert await down.song(client) == "failed"
    down.sandbox.outage("server_error", submits=1)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="order 1")
    text = ProducerGenerateMusic(client=client).invoke({"prompt": "rain"})
    for words in (
        "2 times in a row since 2027-01-15 08:00 UTC",
        "temporary capacity shortage",
        "HTTP 500 api_error",
        "Failed tasks are generally not charged",
        "unknown outcome and may have been charged: order 1.",
        "This call was not sent and not charged",
        "stop submitting and tell the user",
    ):
        assert words in text
    with pytest.raises(ServiceUnavailableError) as caught:
        await client.submit(SONG)
    assert caught.value.retry_after == 60


async def test_a_user_does_not_see_the_keys_of_another(down: Down) -> None:
    """A key can hold a wish in the user's own words."""
    ledger = MemoryLedger()
    client = down.client(ledger, failures_until_down=1)
    with down.sandbox.outage("server_error"), pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="a secret wish")
    other = ProducerClient(down.sandbox.add_user().api_token, down.sandbox.base_url, ledger=ledger, clock=down.clock)
    down.clients.append(other)
    with pytest.raises(ServiceUnavailableError) as caught:
        await other.submit(SONG)
    assert "secret" not in str(caught.value)


async def test_the_task_of_an_answered_key_is_still_returned(down: Down) -> None:
    """If this fails, an outage hides songs that are paid for."""
    client = down.client(failures_until_down=1)
    paid = await client.submit(SONG, key="paid")
    with down.sandbox.outage("no_capacity"):
        assert await down.songs(client, 2) == ["failed", DOWN]
        assert (await client.submit(SONG, key="paid")).task_id == paid.task_id


async def test_a_call_that_was_stopped_can_be_sent_later(down: Down) -> None:
    """If its entry stays in the ledger, the key has an unknown outcome for ever."""
    client = down.client(failures_until_down=1)
    with down.sandbox.outage("no_capacity"):
        await down.song(client)
        assert await down.song(client, "later") == DOWN
    down.clock.advance(60)
    assert await down.song(client, "later") == "complete"


async def test_others_fail_fast_while_the_trial_runs(down: Down) -> None:
    """An accepted task is no success yet: its end decides. A refusal of its arguments decides nothing."""
    client = down.client(failures_until_down=1)
    with down.sandbox.outage("no_capacity", submits=1):
        await down.song(client)
    down.clock.advance(60)
    down.sandbox.fail_next("bad_request")
    with pytest.raises(BadRequestError):
        await client.submit(SONG)
    down.sandbox.render_seconds = 30
    trial = await client.submit(SONG)
    with pytest.raises(ServiceUnavailableError, match="Another call is trying"):
        await client.submit(SONG)
    assert down.songs_sent == 2, "the refused one never arrived"
    down.clock.advance(30)
    assert await down.song(client) == DOWN
    await client.get_task(str(trial.task_id))
    assert await down.song(client) == "pending"


async def test_a_trial_that_nobody_looks_up_is_given_up(down: Down) -> None:
    """Otherwise a client whose user went away during the trial never sends anything again."""
    client = down.client(failures_until_down=1)
    with down.sandbox.outage("no_capacity", submits=1):
        await down.song(client)
    down.clock.advance(60)
    await client.submit(SONG)
    assert await down.song(client) == DOWN
    down.clock.advance(600)
    assert await down.song(client) == "complete"


async def test_only_failures_in_a_row_within_ten_minutes_count(down: Down) -> None:
    """A service that fails now and then is not down. A task counts once, however often it is looked up."""
    client = down.client()
    with down.sandbox.outage("no_capacity", submits=2):
        await down.songs(client, 2)
    assert await down.song(client) == "complete"
    with down.sandbox.outage("no_capacity"):
        await down.songs(client, 2)
        down.clock.advance(601)
        task = await client.submit(SONG)
        await client.get_task(str(task.task_id))
        await client.get_tasks([str(task.task_id)])
        assert await down.songs(client, 3) == ["failed", "failed", DOWN]


async def test_another_endpoint_goes_on(down: Down) -> None:
    """Lyrics are made while songs are not, and their success says nothing about songs."""
    client = down.client()
    with down.sandbox.outage("no_capacity"):
        for outcome in ["failed"] * 3 + [DOWN]:
            assert (await client.submit(LYRICS)).state == "complete"
            assert await down.song(client) == outcome


async def test_a_retired_action_is_not_sent_again(down: Down) -> None:
    """A 410 concerns one action, and no minute changes it."""
    client = down.client()
    cover = CoverMusic(audio_id="a")
    with down.sandbox.outage("retired", actions=["cover"]):
        for _ in range(2):
            with pytest.raises(RetiredError, match="no longer does this: do not offer it"):
                await client.submit(cover)
    down.clock.advance(3600)
    with pytest.raises(RetiredError, match="answered cover with 410 before"):
        await client.submit(cover, key="k")
    assert down.songs_sent == 1
    assert await down.song(client) == "complete"


async def test_an_old_task_says_nothing_about_now(down: Down) -> None:
    """Another client looks up what failed an hour ago, or was finished before the outage began."""
    client = down.client()
    made = await client.submit(SONG)
    with down.sandbox.outage("no_capacity", submits=3):
        failed = [str((await client.submit(SONG)).task_id) for _ in range(3)]
    down.clock.advance(3600)
    reader = down.client(failures_until_down=1)
    await reader.get_tasks([*failed, str(made.task_id)])
    assert await down.song(reader) == "complete"


async def test_a_model_is_not_asked_to_submit_again(down: Down) -> None:
    """It would pay, or fail, as often as it is told to."""
    client = down.client()
    down.sandbox.outage("no_capacity", submits=1)
    submitted = json.loads(await ProducerGenerateMusic(client=client).ainvoke({"prompt": "rain"}))
    looked_up = json.loads(await ProducerGetTask(client=client).ainvoke({"task_id": submitted["task_id"]}))
    assert looked_up["state"] == "failed"
    assert "Do not submit again now: stop and tell the user" in looked_up["next_step"]


@pytest.mark.parametrize(
    ("code", "message", "by_service"),
    [
        ("api_error", "temporary capacity shortage", True),
        ("api_error", "scripted", True),
        ("timeout", "", True),
        ("503", "x", True),
        ("failed", "The model is overloaded, try again later", True),
        ("upstream_unavailable", "x", True),
        ("stuck", "forbidden", True),
        ("failed", "The service gave no reason.", False),
        ("forbidden", "try again later", False),
        ("bad_request", "internal error", False),
        ("api_error", "the lyrics were flagged by moderation", False),
        ("api_error", "continue_at must be below 30", False),
        ("gone", "this action has been retired", False),
    ],
)
def test_whose_fault_a_failed_task_is(code: str, message: str, by_service: bool) -> None:
    """Moderation and wrong arguments must never look like an outage."""
    task = Task("t", "failed", error={"code": code, "message": message, "trace_id": None})
    assert failed_by_service(task) is by_service


def test_the_number_of_failures_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="failures_until_down must be 1 or more"):
        ProducerClient(failures_until_down=0)
