"""Waiting for tasks: few requests, one watcher for everyone who waits, and no result lost at a timeout."""

import asyncio
import json
from itertools import pairwise
from random import Random

import pytest

import producer_tools
from producer_tools import (
    AuthenticationError,
    MemoryLedger,
    ProducerClient,
    ProducerWaitForTasks,
    ServerError,
    ServiceUnreachableError,
    TaskBatch,
    TaskNotFoundError,
)
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock, ManualClock, VirtualClock
from tests.tasks.timed_service import PREVIEW, SONG, TimedService, running_watchers


async def test_a_thousand_waits_need_a_fortieth_of_the_requests_of_pollers() -> None:
    """1,000 songs of 20-120 s: each ends its wait within one poll interval, with at most 1/40 of the requests.

    The others would poll each task every 5 seconds.
    """
    random = Random(7)
    service = TimedService({f"song {number}": random.uniform(20, 120) for number in range(1000)})
    reported: dict[str, float] = {}
    async with service.client() as client:
        began = service.clock.now()
        await service.submit_all(client)
        assert service.clock.now() == began

        async def wait(task_id: str) -> None:
            async for task in client.watch([task_id]):
                if task.state == "complete":
                    reported[task_id] = service.clock.now() - began

        await asyncio.gather(*map(wait, service.finish_after))
        await asyncio.sleep(0)
        assert running_watchers() == []
    by_pollers = sum(-(-seconds // 5) for seconds in service.finish_after.values())
    print(f"{len(service.requests)} requests in place of {by_pollers:.0f}: 1/{by_pollers / len(service.requests):.0f}")
    assert len(service.requests) <= by_pollers / 40
    assert all(0 <= reported[task_id] - seconds <= 5 for task_id, seconds in service.finish_after.items())
    assert all(len(ids) <= 50 for ids in service.requests)
    for times in map(service.lookups_of, service.finish_after):
        assert times[0] == pytest.approx(5, abs=0.1), "a person who waits sees soon that the task is known"
        assert times[1] >= 15, "no song is complete before"
        assert all(later - earlier >= 5 - 1e-6 for earlier, later in pairwise(times))


async def test_a_task_that_takes_long_is_looked_up_less_often() -> None:
    """A forgotten task would otherwise cost a look-up every 5 seconds for hours."""
    service = TimedService({"slow": 1200.0})
    async with service.client() as client:
        await client.wait(["slow"], timeout=2000)
    gaps = [later - earlier for earlier, later in pairwise(service.lookups_of("slow"))]
    assert gaps[0] == pytest.approx(5)
    assert gaps[-1] == pytest.approx(15)
    assert max(gaps) <= 15 + 1e-6


async def test_waits_that_share_a_task_look_it_up_once() -> None:
    service = TimedService({"a": 21.0, "b": 21.0, "c": 21.0})
    async with service.client() as client:
        await service.submit_all(client)
        first, second = await asyncio.gather(client.wait(["a", "b"], 100), client.wait(["b", "c"], 100))
    assert [task.task_id for task in first.tasks] == ["a", "b"]
    assert [task.task_id for task in second.tasks] == ["b", "c"]
    assert all(len(ids) == len(set(ids)) == 3 for ids in service.requests)


async def test_at_the_timeout_unfinished_tasks_are_returned_and_can_be_waited_for_again() -> None:
    """If they were dropped or cancelled, songs that are paid for would be lost."""
    service = TimedService({"done": 20.0, "late": 400.0})
    async with service.client() as client:
        tool = ProducerWaitForTasks(client=client)
        ids = ["late", "done", "unknown", "late"]
        content = json.loads(await tool.ainvoke({"task_ids": ids, "timeout_seconds": 60}))
        assert [(task["task_id"], task["state"]) for task in content["tasks"]] == [
            ("late", "processing"),
            ("done", "complete"),
        ]
        assert content["not_found"] == ["unknown"]
        assert "producer_wait_for_tasks" in content["next_step"]
        assert PREVIEW in content["tasks"][0]["preview_urls"]
        again = json.loads(await tool.ainvoke({"task_ids": ["late"], "timeout_seconds": 1800}))
        assert again["tasks"][0]["state"] == "complete"
        await asyncio.sleep(0)
        assert running_watchers() == []


async def test_a_timeout_before_the_first_look_up_still_returns_the_present_state() -> None:
    """Otherwise a short wait would report a task of the caller's as unknown."""
    service = TimedService({"a": 100.0})
    async with service.client() as client:
        await service.submit_all(client)
        batch = await client.wait(["a"], timeout=1)
    assert [task.state for task in batch.tasks] == ["processing"]


async def test_a_cancelled_wait_does_not_end_the_others() -> None:
    service = TimedService({"a": 30.0})
    async with service.client() as client:
        staying = asyncio.create_task(client.wait(["a"], 100))
        cancelled = asyncio.create_task(client.wait(["a"], 100))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert (await staying).tasks[0].state == "complete"
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.sleep(0)
        assert running_watchers() == []


async def test_a_watch_yields_each_change_once() -> None:
    service = TimedService({"a": 12.0})
    async with service.client() as client:
        states = [task.state async for task in client.watch(["a", "a"])]
    assert states == ["processing", "complete"]


async def test_an_unknown_task_ends_a_watch() -> None:
    """Without the error, a watch for a mistyped id would never end."""
    async with TimedService({}).client() as client:
        with pytest.raises(TaskNotFoundError):
            async for _ in client.watch(["unknown"]):
                pass


async def test_a_temporary_fault_is_retried_and_a_lasting_one_is_raised() -> None:
    clock = VirtualClock()
    service = TimedService({"a": 20.0, "b": 2000.0}, clock)
    service.errors = [ServerError("api_error", "busy", status=500, retry_after=7.0)]
    async with service.client() as client:
        assert (await client.wait(["a"], 100)).tasks[0].state == "complete"
        assert any(7 <= seconds <= 8 for seconds in clock.slept)
        service.errors = [AuthenticationError("token_expired", "old", status=401)]
        with pytest.raises(AuthenticationError):
            await client.wait(["b"], 100)


async def test_each_users_tasks_are_looked_up_separately() -> None:
    """In one request, one user's token would be used to look up, or fail to look up, the other's songs."""
    service = TimedService({"a": 1.0, "b": 1.0})
    async with service.client() as client:

        async def wait(token: str, task_id: str) -> None:
            with producer_tools.api_token(token):
                await client.wait([task_id], 100)

        await asyncio.gather(wait("one", "a"), wait("two", "b"))
    assert {tuple(ids) for ids in service.requests} == {("a",), ("b",)}


async def test_waking_a_task_makes_its_look_up_happen_at_once() -> None:
    """Without it, a callback would not end a wait before the next round of look-ups."""
    service = TimedService({"a": 0.0}, ManualClock())
    async with service.client() as client:
        await service.submit_all(client)
        waiting = asyncio.create_task(client.wait(["a"], 100))
        for _ in range(20):
            await asyncio.sleep(0)
        assert service.requests == []
        client.wake("a")
        batch = await waiting
    assert batch.tasks[0].state == "complete"


async def test_a_task_from_the_ledger_is_looked_up_at_once() -> None:
    """A resumed batch would wait 5 seconds for songs that were finished long ago."""
    ledger = MemoryLedger()
    with ProducerSandbox(render_seconds=0) as sandbox:
        for first_lookup in (5.0, 0.0):
            clock = InstantClock()
            async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, clock=clock) as client:
                task = await client.submit(SONG, key="one")
                began = clock.time
                async for change in client.watch([str(task.task_id)]):
                    assert change.state == "complete"
                    assert clock.time - began == first_lookup


async def wait_that_has_looked(
    service: TimedService, client: ProducerClient, timeout: float
) -> "asyncio.Task[TaskBatch]":
    """A wait for the task ``a`` that has made its first look-up."""
    await service.submit_all(client)
    waiting = asyncio.create_task(client.wait(["a"], timeout))
    while not service.requests:
        await asyncio.sleep(0)
    return waiting


async def test_a_wait_outlasts_a_short_outage_of_the_network() -> None:
    """Within a wait of minutes, a router that restarts would end the waits of all songs that are being made."""
    service = TimedService({"a": 60.0})
    async with service.client() as client:
        waiting = await wait_that_has_looked(service, client, 100)
        service.errors = [ServiceUnreachableError("connection_error", "no route") for _ in range(5)]
        batch = await waiting
    assert service.errors == []
    assert batch.tasks[0].state == "complete"


async def test_a_long_outage_ends_a_wait() -> None:
    """A wait for a service that is gone would use up its whole timeout in silence."""
    service = TimedService({"a": 600.0})
    async with service.client() as client:
        waiting = await wait_that_has_looked(service, client, 500)
        began = service.clock.now()
        service.errors = [ServiceUnreachableError("connection_error", "no route") for _ in range(100)]
        with pytest.raises(ServiceUnreachableError):
            await waiting
        assert 30 <= service.clock.now() - began < 60
