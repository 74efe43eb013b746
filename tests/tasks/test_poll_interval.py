"""Two look-ups of one unfinished task are at least one poll interval apart."""

import weakref

from producer_tools import ProducerClient
from producer_tools.tasks.poll_interval import PollInterval
from tests.clocks import InstantClock
from tests.raw_server import answering, http


class WatchedId(str):
    """A task id that can be referenced weakly, to see whether anything still holds it."""

    __slots__ = ("__weakref__",)


async def test_a_second_look_up_of_an_unfinished_task_waits_for_the_rest_of_the_interval() -> None:
    """Without the wait, a model would use up its turns within a second."""
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


async def test_a_final_task_can_be_looked_up_again_at_once() -> None:
    """It does not change any more, so there is nothing to wait for."""
    clock = InstantClock()
    async with answering(http({"id": "t1", "state": "failed"})) as server:
        async with ProducerClient("t", server.base_url, clock=clock) as client:
            await client.get_task("t1")
            await client.get_task("t1")
    assert clock.slept == []


async def test_an_interval_of_zero_never_waits() -> None:
    clock = InstantClock()
    async with answering(http({"id": "t1", "state": "pending"})) as server:
        async with ProducerClient("t", server.base_url, clock=clock, poll_interval=0) as client:
            for _ in range(3):
                await client.get_task("t1")
    assert clock.slept == []


def test_tasks_whose_interval_is_over_are_dropped() -> None:
    """If they were kept, the memory of a long-lived worker would grow with every task that it has looked up."""
    clock = InstantClock()
    interval = PollInterval(5, clock)
    held: weakref.WeakSet[WatchedId] = weakref.WeakSet()
    for number in range(100):
        task_id = WatchedId(number)
        held.add(task_id)
        interval.begin("token", [task_id])
        clock.time += 1
    assert len(held) <= 6
