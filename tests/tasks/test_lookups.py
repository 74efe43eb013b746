"""Looking up many tasks: how they are divided into requests, and in which order they come back."""

import asyncio
import copy
from typing import Any

import pytest

from producer_tools import (
    AnswerError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ProducerClient,
    ProducerToolError,
    RetiredError,
    ServerError,
    TaskBatch,
)
from producer_tools.http.transport import Transport
from tests.clocks import FastClock, InstantClock


@pytest.mark.parametrize("ids", [["t1"] * 3, [f"t{n}" for n in range(120)], ["t3", "t1", "t2", "t1"]])
async def test_a_batch_asks_for_fifty_at_a_time_and_returns_the_order_asked(
    ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 50 in a request are not recommended; in another order, results would be given to the wrong songs."""
    requested: list[list[str]] = []

    async def post(_: Transport, __: str, body: dict[str, list[str]], **___: object) -> dict[str, Any]:
        requested.append(body["ids"])
        await asyncio.sleep(0)
        return {"items": [{"id": i, "state": "pending"} for i in reversed(body["ids"]) if i != "t2"]}

    monkeypatch.setattr(Transport, "post", post)
    async with ProducerClient("t", "http://127.0.0.1:9") as client:
        batch = await client.get_tasks(ids)
    unique = list(dict.fromkeys(ids))
    assert [len(chunk) for chunk in requested] == [50] * (len(unique) // 50) + [len(unique) % 50]
    assert [task.task_id for task in batch.tasks] == [i for i in unique if i != "t2"]
    assert list(batch.not_found) == [i for i in unique if i == "t2"]


def refusing(monkeypatch: pytest.MonkeyPatch, bad: set[str], error: ProducerToolError) -> list[list[str]]:
    """Refuse each look-up that asks for one of the ``bad`` ids, and finish all other tasks; return the look-ups."""
    requested: list[list[str]] = []

    async def post(_: Transport, __: str, body: dict[str, list[str]], **___: object) -> dict[str, Any]:
        requested.append(body["ids"])
        await asyncio.sleep(0)
        if bad & set(body["ids"]):
            raise copy.copy(error)
        return {"items": [{"id": i, "state": "complete", "response": {"success": True}} for i in body["ids"]]}

    monkeypatch.setattr(Transport, "post", post)
    return requested


ERRORS = {
    "400": BadRequestError("http_400", "malformed id", status=400),
    "403": APIError("http_403", "malformed id", status=403),
    "410": RetiredError("http_410", "no longer kept", status=410),
    "422": APIError("http_422", "malformed id", status=422),
    "500": ServerError("http_500", "it crashed on a record", status=500),
    "an answer that is too large": AnswerError("unreadable_answer", "it is larger than 16 MiB"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
@pytest.mark.parametrize("bad", [{"t7"}, {"t0", "t49", "t50"}, {"t3", "t4"}])
async def test_an_id_that_is_refused_fails_only_the_wait_for_it(
    bad: set[str], error: ProducerToolError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waits share their look-ups, so one wrong id failed the wait of everybody whose task was in the same request."""
    requested = refusing(monkeypatch, bad, error)
    ids = [f"t{number}" for number in range(60)]
    async with ProducerClient("t", "http://127.0.0.1:9", clock=FastClock(1000)) as client:
        waits = await asyncio.gather(*(client.wait([task_id], 50_000) for task_id in ids), return_exceptions=True)
    for task_id, outcome in zip(ids, waits, strict=True):
        if task_id in bad:
            assert isinstance(outcome, type(error))
            assert outcome.task_id == task_id
        else:
            assert isinstance(outcome, TaskBatch)
            assert outcome.tasks[0].state == "complete"
    tries = 1 if isinstance(error, BadRequestError | RetiredError) or type(error) is APIError else 6
    assert len(requested) <= 2 * tries + 12 * len(bad)


@pytest.mark.parametrize("error", [ERRORS["500"], ERRORS["an answer that is too large"]], ids=["500", "too large"])
async def test_a_service_that_fails_on_every_task_is_not_asked_for_each(
    error: ProducerToolError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is overloaded would get a hundred requests in the place of one."""
    requested = refusing(monkeypatch, {f"t{number}" for number in range(50)}, error)
    async with ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()) as client:
        with pytest.raises(type(error)):
            await client.get_tasks([f"t{number}" for number in range(50)])
    assert [len(ids) for ids in requested[-7:]] == [50, 25, 25, 12, 13, 12, 13]
    assert {len(ids) for ids in requested[:-7]} == {50}


async def test_a_batch_with_a_refused_id_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the id in the message, nobody could correct it."""
    refusing(monkeypatch, {"t3"}, BadRequestError("bad_request", "malformed id", status=400))
    async with ProducerClient("t", "http://127.0.0.1:9") as client:
        with pytest.raises(BadRequestError, match=r"malformed id \(task_id t3\)") as caught:
            await client.get_tasks([f"t{number}" for number in range(10)])
    assert "t3" in caught.value.args[0], "LangChain shows a model the first argument"


async def test_a_refused_token_is_not_asked_for_each_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal has nothing to do with the ids, so 50 more requests would only be refused as well."""
    requested = refusing(monkeypatch, {"t3"}, AuthenticationError("invalid_token", "no", status=401))
    async with ProducerClient("t", "http://127.0.0.1:9") as client:
        with pytest.raises(AuthenticationError):
            await client.get_tasks([f"t{number}" for number in range(50)])
    assert len(requested) == 1
