"""Looking up many tasks: how they are divided into requests, and in which order they come back."""

import asyncio
from typing import Any

import pytest

from producer_tools import ProducerClient
from producer_tools.http.transport import Transport


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
