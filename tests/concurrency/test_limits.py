"""The API's limits, kept on a clock of the test's own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from producer_tools import ProducerClient
from producer_tools.concurrency.limits import RateLimiter, Semaphore
from producer_tools.tasks.poll_interval import PollInterval
from tests.clocks import InstantClock
from tests.raw_server import answering, http


async def test_a_second_look_at_an_unfinished_task_waits_for_the_rest_of_the_interval() -> None:
    """Without it a model burns its turns within a second."""
    clock = InstantClock()
    async with answering(http({"id": "t1", "state": "pending"})) as server:
        async with ProducerClient("t", server.base_url, clock=clock) as client:
            await client.get_task("t1")
            clock.time += 2
            await client.get_task("t1")
            await client.get_task("another")
            clock.time += 60
            await client.get_task("t1")
    assert clock.slept == [3.0]


async def test_a_final_task_can_be_looked_at_again_at_once() -> None:
    clock = InstantClock()
    async with answering(http({"id": "t1", "state": "failed"})) as server:
        async with ProducerClient("t", server.base_url, clock=clock) as client:
            await client.get_task("t1")
            await client.get_task("t1")
    assert clock.slept == []


async def test_a_batch_waits_for_the_task_that_was_looked_at_last() -> None:
    clock = InstantClock()
    pace = PollInterval(5, clock)
    await pace.wait_for_turn(["a"])
    clock.time += 1
    await pace.wait_for_turn(["b"])
    clock.time += 1
    await pace.wait_for_turn(["a", "b"])
    assert clock.slept == [4.0]


async def test_an_interval_of_zero_never_waits() -> None:
    clock = InstantClock()
    pace = PollInterval(0, clock)
    for _ in range(3):
        await pace.wait_for_turn(["a"])
    assert clock.slept == []


async def test_the_pace_forgets_tasks_whose_interval_is_over() -> None:
    """It must not grow with every task a long-lived worker has ever looked at."""
    clock = InstantClock()
    pace = PollInterval(5, clock)
    for n in range(100):
        await pace.wait_for_turn([str(n)])
        clock.time += 1
    assert len(pace._next_lookup) <= 6


async def test_the_rate_lets_no_second_have_more_than_its_share() -> None:
    clock = InstantClock()
    rate = RateLimiter(60, clock)
    starts = []
    for _ in range(200):
        await rate.acquire()
        starts.append(clock.time)
        clock.time += 0.001
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(starts, starts[60:], strict=False))
    assert starts[-1] - starts[0] < 4


def test_paid_slots_hold_across_loops_and_threads() -> None:
    slots, under_way, most = Semaphore(5), 0, 0

    async def work() -> None:
        nonlocal under_way, most
        async with slots.hold():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    async def many() -> None:
        await asyncio.gather(*(work() for _ in range(20)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asyncio.run(many()), range(4)))
    assert most <= 5
    assert slots.free == 5


async def test_a_cancelled_wait_gives_its_turn_away() -> None:
    """A slot lost with each cancelled call would stop a worker for good after five of them."""
    slots = Semaphore(1)
    order: list[str] = []

    async def work(name: str) -> None:
        async with slots.hold():
            order.append(name)
            await asyncio.sleep(0)

    async with slots.hold():
        waiting = [asyncio.create_task(work(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # its turn has just come
    await asyncio.gather(*waiting, return_exceptions=True)
    assert order == ["c"]
    assert slots.free == 1


@pytest.mark.parametrize("ids", [["t1"] * 3, [f"t{n}" for n in range(120)], ["t3", "t1", "t2", "t1"]])
async def test_a_batch_asks_fifty_at_a_time_and_answers_in_the_order_asked(ids: list[str]) -> None:
    asked: list[list[str]] = []
    async with answering(b"") as server:
        async with ProducerClient("t", server.base_url) as client:

            async def post(_: object, body: dict[str, list[str]], **__: object) -> dict[str, object]:
                asked.append(body["ids"])
                await asyncio.sleep(0)
                return {"items": [{"id": i, "state": "pending"} for i in reversed(body["ids"]) if i != "t2"]}

            client._transport.post = post  # type: ignore[method-assign,assignment]
            batch = await client.get_tasks(ids)
    unique = list(dict.fromkeys(ids))
    assert [len(chunk) for chunk in asked] == [50] * (len(unique) // 50) + [len(unique) % 50]
    assert [task.task_id for task in batch.tasks] == [i for i in unique if i != "t2"]
    assert list(batch.not_found) == [i for i in unique if i == "t2"]
