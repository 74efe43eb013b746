"""An answer to a paid call that names a task is about that task: it is never sent again, and a look-up decides."""

from typing import Any

import pytest

from producer_tools import (
    APIError,
    BadRequestError,
    ContentModerationError,
    MemoryLedger,
    ProducerClient,
    ProducerToolError,
    RateLimitError,
    SubmissionUnknownError,
)
from producer_tools.requests import GenerateMusic
from tests.clocks import InstantClock
from tests.raw_server import answering, http

SONG = GenerateMusic(prompt="a song")
LIMITED = {"code": "rate_limited", "message": "busy"}
FAILED = {"code": "api_error", "message": "no capacity"}
RESULT = {"id": "a1", "audio_url": "https://files.example/a1.m4a", "state": "succeeded"}


def named(error: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"success": False, "error": error, "trace_id": "trace-7", **more}


PLACES = {
    "task_id": named(LIMITED, task_id="t1"),
    "id": named(LIMITED, id="t1"),
    "a number": named(LIMITED, id=71),
    "in the error": named({**LIMITED, "task_id": "t1"}),
    "id in the error": named({**LIMITED, "id": "t1"}),
    "in the data": named(LIMITED, data={"task_id": "t1"}),
    "id in the data": named(LIMITED, data={"id": "t1", "state": "pending"}),
    "in a list of data": named(LIMITED, data=[{"id": "a1", "task_id": "t1"}]),
    "in the response": named(LIMITED, response={"task_id": "t1"}),
    "in the data of the response": named(LIMITED, response={"success": True, "data": [{"task_id": "t1"}]}),
    "beside the id of something else": named({**LIMITED, "id": "e1"}, id="r1", response={"task_id": "t1"}),
    "with a server's fault": named(FAILED, task_id="t1"),
    "with a bare error": {"error": "temporary", "id": "t1"},
}


@pytest.mark.parametrize(
    "status", ["200 OK", "302 Found", "408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error"]
)
@pytest.mark.parametrize("answer", PLACES.values(), ids=list(PLACES))
async def test_a_submit_whose_answer_names_a_task_is_that_task(answer: dict[str, Any], status: str) -> None:
    """Taken for refused, it is sent again and paid for twice; taken for unknown, a song that exists is not found."""
    async with (
        answering(http(answer, status), http({"task_id": "a second song"})) as server,
        ProducerClient("t", server.base_url, clock=InstantClock()) as client,
    ):
        first = await client.submit(SONG, key="k")
        again = await client.submit(SONG, key="k")
        assert len(server.paid) == 1
    assert first.task_id == again.task_id == ("71" if answer.get("id") == 71 else "t1")
    assert first.state == "pending"


@pytest.mark.parametrize("answer", [{"id": "t1"}, {"success": True, "data": {"task_id": "t1"}}])
async def test_an_accepted_submit_may_give_its_task_anywhere(answer: dict[str, Any]) -> None:
    """Read as an answer without a task, a song that is being made would be called unknown."""
    async with answering(http(answer)) as server, ProducerClient("t", server.base_url) as client:
        task = await client.submit(SONG)
    assert (task.task_id, task.state) == ("t1", "pending")


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        ("400 Bad Request", named({"code": "bad_request"}, task_id="t1"), BadRequestError),
        ("403 Forbidden", named({"code": "forbidden", "task_id": "t1"}), ContentModerationError),
        ("403 Forbidden", named({"code": "odd"}, response={"id": "t1"}), APIError),
    ],
)
async def test_a_clear_refusal_stays_an_error_that_names_the_task(
    status: str, answer: dict[str, Any], kind: type[APIError]
) -> None:
    """If it became a pending task, a model would wait for a song that was refused."""
    async with answering(http(answer, status)) as server, ProducerClient("t", server.base_url) as client:
        with pytest.raises(kind) as caught:
            await client.submit(SONG)
    assert caught.value.task_id == "t1"
    assert "task_id t1" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        named(LIMITED, task_id="t\x00"),
        named(LIMITED, task_id="t" * 300),
        named({**LIMITED, "task_id": {"a": 1}}),
        named(LIMITED, data=[RESULT]),
    ],
    ids=["a control character", "too long", "no text", "a result without a task"],
)
async def test_a_refusal_that_names_a_task_by_an_unusable_id_is_not_sent_again(answer: dict[str, Any]) -> None:
    """Work has begun, so the same call would be paid for twice. A person can find the song in the account."""
    async with (
        answering(http(answer, "429 Too Many Requests")) as server,
        ProducerClient("t", server.base_url, clock=InstantClock()) as client,
    ):
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
        assert len(server.paid) == 1


async def test_results_beside_an_error_are_not_asked_for_again() -> None:
    """A finished song without the id of its task is in the account; the same call would be paid for twice."""
    async with (
        answering(http(named(LIMITED, data=[RESULT]))) as server,
        ProducerClient("t", server.base_url, clock=InstantClock()) as client,
    ):
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
        assert len(server.paid) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [("429 Too Many Requests", "rate_limited", RateLimitError), ("503 Unavailable", "api_error", ProducerToolError)],
)
async def test_a_refused_look_up_that_names_its_task_is_made_again(
    status: str, code: str, kind: type[ProducerToolError]
) -> None:
    """A look-up is free, and its refusal says nothing about the task."""
    refusing = http(named({"code": code}, task_id="t1", id="t1"), status)
    async with (
        answering(refusing, http({"id": "t1", "state": "pending"}), refusing) as server,
        ProducerClient("t", server.base_url, clock=InstantClock()) as client,
    ):
        assert (await client.get_task("t1")).state == "pending"
        with pytest.raises(kind):
            await client.get_task("t1")
        assert len(server.requests) > 3


async def test_the_ledger_holds_the_task_that_an_error_named() -> None:
    """After a crash, the same key must find the song that the service has begun."""
    ledger = MemoryLedger()
    async with answering(http(named(FAILED, id="t1"), "500 Internal Server Error")) as server:
        async with ProducerClient("t", server.base_url, ledger=ledger) as client:
            await client.submit(SONG, key="k")
        async with ProducerClient("t", server.base_url, ledger=ledger) as client:
            assert (await client.submit(SONG, key="k")).task_id == "t1"
        assert len(server.paid) == 1
