"""Everyone who asks for a task at the same time shares one look-up, and nobody is held up by another task's."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from producer_tools import BadRequestError, ProducerClient, ServerError, Task
from producer_tools.concurrency.clock import Clock, SystemClock
from producer_tools.http.transport import Transport
from tests.clocks import InstantClock, ManualClock, VirtualClock
from tests.tasks.timed_service import TimedService

PENDING = {"state": "pending"}
DONE = {"state": "complete", "response": {"success": True}}


class Service:
    """Answers look-ups in place of the API.

    Attributes:
        records: by task id; other tasks are pending.
        requests: the body of each look-up.
        times: when each of them was made, in seconds since the first.
        allowed: cleared by a test to keep the answers back.
        error: raised by every look-up of a task id in ``bad``.
        stopped: how many look-ups were cancelled.
        hangs_in: an event loop in which no answer comes.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.records: dict[str, Mapping[str, Any]] = {}
        self.requests: list[Mapping[str, Any]] = []
        self.times: list[float] = []
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.error: Exception | None = None
        self.bad: set[str] = set()
        self.stopped = 0
        self.hangs_in: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def client(self, **settings: Any) -> AsyncIterator[ProducerClient]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transport, "post", self._post)
            async with ProducerClient("t", "http://127.0.0.1:9", clock=self.clock, **settings) as client:
                yield client

    async def _post(self, _: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        assert not paid
        self.requests.append(body)
        self.times.append(self.clock.now())
        ids = body["ids"] if "ids" in body else [body["id"]]
        records = [{"id": task_id, **self.records.get(task_id, PENDING)} for task_id in ids]
        try:
            await asyncio.sleep(0)
            if asyncio.get_running_loop() is self.hangs_in:
                await asyncio.Event().wait()
            await self.allowed.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if self.error is not None and self.bad & set(ids):
            raise self.error
        return {"items": records} if "ids" in body else records[0]


async def turns(number: int = 20) -> None:
    """Let every task go on that can."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_ten_callers_share_one_look_up_and_wait_one_interval() -> None:
    """Each took an interval of its own: the tenth model that asked for a song waited 50 seconds."""
    clock = VirtualClock()
    service = Service(clock)
    async with service.client() as client:
        began = clock.now()
        await asyncio.gather(*(client.get_task("a") for _ in range(10)))
        assert (len(service.requests), clock.now()) == (1, began)
        await asyncio.gather(*(client.get_task("a") for _ in range(10)), client.get_tasks(["a"]), client.wait(["a"], 7))
    assert [at - began for at in service.times][:2] == [0.0, 5.0]
    assert clock.now() - began == 7
    assert len(service.requests) <= 3, "the wait may look once more at its end"


async def test_callers_in_several_event_loops_share_a_look_up() -> None:
    """With a look-up for each loop, the threads of a server would queue for one task as its callers once did."""
    clock = ManualClock()
    service = Service(clock)
    async with service.client() as client:
        await client.get_task("a")
        with ThreadPoolExecutor(5) as pool:
            asking = [pool.submit(asyncio.run, client.get_task("a")) for _ in range(5)]
            await asyncio.to_thread(clock.wait_for_sleepers, 1)
            while _askers(client) < 5:
                await asyncio.sleep(0.001)
            clock.advance(5)
            assert [(await asyncio.wrap_future(each)).task_id for each in asking] == ["a"] * 5
    assert len(service.requests) == 2


def _askers(client: ProducerClient) -> int:
    looks = client._lookups._shared_looks._looks  # noqa: SLF001 - nothing else shows that a thread waits
    return sum(look.askers for of_task in list(looks.values()) for look in list(of_task.values()))


@pytest.mark.parametrize("close", [True, False], ids=["closed", "cancelled"])
async def test_who_shares_a_look_up_of_a_loop_that_ends_looks_for_itself(
    close: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker thread that stops would take the answer of all others with it, and they would wait for ever."""
    monkeypatch.setattr("producer_tools.tasks.shared_looks._SECONDS_BETWEEN_CHECKS", 0.01)
    service = Service(InstantClock())
    service.hangs_in = other = asyncio.new_event_loop()

    async def start() -> list[asyncio.Task[Any]]:
        asking = asyncio.create_task(client.get_task("a"))
        await turns()
        return [asking, *asyncio.all_tasks()]

    async def end() -> None:
        for task in kept:
            task.cancel()
        await turns()

    async with service.client() as client:
        kept = await asyncio.to_thread(other.run_until_complete, start())
        asking = asyncio.create_task(client.get_task("a"))
        await turns()
        assert len(service.requests) == 1
        if not close:
            await asyncio.to_thread(other.run_until_complete, end())
        other.close()
        assert (await asyncio.wait_for(asking, 50)).task_id == "a"


async def test_a_cancelled_caller_does_not_cancel_the_others() -> None:
    """A model's call that times out would end the calls of all who asked for the same song."""
    service = Service(InstantClock())
    service.allowed.clear()
    async with service.client() as client:
        first, second = (asyncio.create_task(client.get_task("a")) for _ in range(2))
        await turns()
        first.cancel()
        await turns()
        service.allowed.set()
        assert (await second).state == "pending"
        with pytest.raises(asyncio.CancelledError):
            await first
    assert (len(service.requests), service.stopped) == (1, 0)


@pytest.mark.parametrize("begun", [True, False], ids=["under way", "waiting for the interval"])
async def test_a_look_up_that_nobody_waits_for_is_stopped(begun: bool) -> None:
    """Otherwise each wait that is given up would leave requests behind, which go on for up to a minute."""
    clock = ManualClock()
    service = Service(clock)
    async with service.client() as client:
        if not begun:
            await client.get_task("a")
        service.allowed.clear()
        callers = [asyncio.create_task(client.get_task("a")) for _ in range(3)]
        await turns()
        for caller in callers:
            caller.cancel()
        await turns()
        assert service.stopped == begun
        assert asyncio.all_tasks() == {asyncio.current_task()}
        service.allowed.set()
        asking = asyncio.create_task(client.get_task("b"))
        assert (await asking).task_id == "b"


async def test_an_error_reaches_all_who_share_it() -> None:
    """Each raises an error of its own: one exception raised in several tasks mixes their tracebacks."""
    service = Service(InstantClock())
    service.error, service.bad = BadRequestError("bad_request", "malformed", status=400), {"a"}
    async with service.client() as client:
        calls = (client.get_task("a"), client.get_task("a"), client.get_tasks(["a"]), client.wait(["a"], 9))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BadRequestError] * 4
    assert len({id(outcome) for outcome in outcomes}) == 4


async def test_a_batch_is_not_held_back_by_a_task_whose_interval_has_not_passed() -> None:
    """One task that somebody looks at would delay the look-up of all the others."""
    clock = VirtualClock()
    service = Service(clock)
    async with service.client() as client:
        await client.get_task("hot")
        await client.get_tasks(["a", "hot", "b"])
    assert [
        (body.get("ids"), at - service.times[0]) for body, at in zip(service.requests, service.times, strict=True)
    ] == [
        (None, 0.0),
        (["a", "b"], 0.0),
        (["hot"], 5.0),
    ]


async def test_a_task_that_is_asked_for_all_the_time_does_not_delay_waits() -> None:
    """The wait for a finished song, and that for the other songs, took as long as somebody asked for the hot one."""
    clock = VirtualClock()
    service = TimedService({"hot": 42.0, "a": 12.0, "b": 30.0}, clock)
    ended: dict[str, float] = {}
    async with service.client() as client:

        async def ask() -> None:
            while True:
                await client.get_task("hot")

        async def wait(*task_ids: str) -> None:
            await client.wait(task_ids, 100)
            ended["+".join(task_ids)] = clock.now() - began

        began = clock.now()
        asking = [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.gather(wait("a"), wait("a", "b"), wait("hot", "b"))
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert {name: at <= limit for (name, at), limit in zip(sorted(ended.items()), (17, 35, 47), strict=True)} == {
        "a": True, "a+b": True, "hot+b": True,
    }  # fmt: skip
    gaps = service.lookups_of("hot")
    assert all(later - earlier >= 5 - 1e-6 for earlier, later in pairwise(gaps) if later < 42)


async def test_a_look_up_that_is_being_retried_does_not_delay_other_waits() -> None:
    """The service failed for one song's look-up, and everybody's wait stood still for the 30 seconds of its retries."""
    clock = VirtualClock()
    service = Service(clock)
    service.error, service.bad = ServerError("api_error", "broken", status=500), {"bad"}
    async with service.client() as client:
        failing = asyncio.create_task(client.wait(["bad"], 100))
        await turns()
        began = clock.now()
        service.records["good"] = DONE
        assert (await client.wait(["good"], 100)).tasks[0].state == "complete"
        assert clock.now() - began <= 5
        with pytest.raises(ServerError):
            await failing


async def test_waking_a_task_starts_the_look_up_that_waits_for_its_interval() -> None:
    """A callback says that the song is done, and those who had asked for it would wait for the rest of the interval."""
    clock = ManualClock()
    service = Service(clock)
    async with service.client() as client:
        await asyncio.gather(client.get_task("a"), client.get_task("b"))
        asking = asyncio.create_task(client.get_tasks(["a", "b"]))
        await turns()
        service.records["a"] = DONE
        client.wake("a")
        await turns()
        assert service.requests[1:] == [{"ids": ["a"], "action": "retrieve_batch"}]
        clock.advance(5)
        assert [task.state for task in (await asking).tasks] == ["complete", "pending"]
    assert len(service.requests) == 3


async def test_after_a_wake_the_answer_to_an_earlier_request_is_not_shared() -> None:
    """It may have been made before the song was finished, so it would hide what the callback has told."""
    service = Service(ManualClock())
    service.allowed.clear()
    async with service.client() as client:
        before = asyncio.create_task(client.get_task("a"))
        await turns()
        service.records["a"] = DONE
        client.wake("a")
        after = asyncio.create_task(client.get_task("a"))
        await turns()
        service.allowed.set()
        assert [(await before).state, (await after).state] == ["pending", "complete"]


async def test_look_ups_of_one_turn_of_the_loop_go_into_one_request() -> None:
    """64 look-ups at once took more than a second, because the service allows 60 requests in a second."""
    clock = InstantClock()
    service = Service(clock)
    async with service.client() as client:
        tasks = await asyncio.gather(*(client.get_task(f"t{number}") for number in range(64)))
        assert [task.task_id for task in tasks] == [f"t{number}" for number in range(64)]
        assert [len(body["ids"]) for body in service.requests] == [50, 14]
        assert isinstance(await client.get_task("alone"), Task)
        assert service.requests[2] == {"id": "alone", "action": "retrieve"}
    assert clock.slept == []


async def test_many_waits_that_end_together_share_their_last_look_up() -> None:
    """With a request for each, only 48 could be made in the time that is left, and the other waits would fail."""
    clock = ManualClock()
    service = Service(clock)
    async with service.client() as client:
        await client.get_task("a")
        waits = [asyncio.create_task(client.wait(["a"], 1)) for _ in range(200)]
        await turns()
        clock.advance(1)
        batches = await asyncio.gather(*waits)
    assert {batch.tasks[0].state for batch in batches} == {"pending"}
    assert len(service.requests) == 2


async def test_a_look_up_of_another_loop_is_made_while_this_one_is_busy() -> None:
    """The system's clock: nothing here depends on a test's clock being shared between loops."""
    service = Service(SystemClock())
    async with service.client(poll_interval=0) as client:
        results = await asyncio.gather(*(asyncio.to_thread(asyncio.run, client.get_task(name)) for name in "abc"))
    assert [task.task_id for task in results] == ["a", "b", "c"]
