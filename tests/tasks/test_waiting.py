"""Waiting: two turns instead of forty, one watcher for everybody, and nothing lost at a deadline."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import producer_tools
from producer_tools import (
    AuthenticationError,
    ProducerClient,
    ProducerWaitForTasks,
    Progress,
    ServerError,
    Task,
    TaskNotFoundError,
)
from producer_tools.progress import ProgressBar
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import VirtualClock


class Studio:
    """A service on a clock: tasks that are final at known times, and a count of what was asked."""

    def __init__(self, ends: dict[str, float]) -> None:
        self.clock = VirtualClock()
        self.began = self.clock.time
        self.ends = ends
        self.asked: list[list[str]] = []
        self.looks: dict[str, list[float]] = {task_id: [] for task_id in ends}
        self.refusals: list[Exception] = []

    async def post(self, _: object, body: dict[str, Any], **__: object) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        ids = body["ids"] if "ids" in body else [body["id"]]
        self.asked.append(ids)
        records = []
        for task_id in ids:
            if task_id in self.ends:
                self.looks[task_id].append(self.clock.now() - self.began)
                records.append(self._record(task_id))
        return {"items": records} if "ids" in body else (records or [{}])[0]

    def _record(self, task_id: str) -> dict[str, Any]:
        ended = self.clock.now() - self.began >= self.ends[task_id]
        data = [{"state": "succeeded" if ended else "processing", "audio_url": "https://cdn.example/a"}]
        return {
            "id": task_id,
            "created_at": self.began,
            "started_at": self.began,
            "finished_at": self.began + self.ends[task_id] if ended else None,
            "response": {"data": data},
        }


@asynccontextmanager
async def waiting_on(studio: Studio, **settings: Any) -> AsyncIterator[ProducerClient]:
    async with ProducerClient("t", "http://127.0.0.1:9", clock=studio.clock, **settings) as client:
        client._transport.post = studio.post  # type: ignore[method-assign,assignment]
        yield client


def remember_all(client: ProducerClient, studio: Studio) -> None:
    for task_id in studio.ends:
        client._waits.remember(Task(task_id, "pending"))


def watchers() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "producer-tools watcher"]


async def test_a_thousand_waits_cost_a_fortieth_of_a_thousand_pollers() -> None:
    """1,000 songs that take 20-120 s: at most 1/40 of one look per task every 5 s, each told within one interval."""
    clock, random = VirtualClock(), Random(7)
    asked: list[list[str]] = []
    looks: dict[str, list[float]] = {}
    ends: dict[str, float] = {}
    told: dict[str, float] = {}
    with ProducerSandbox(clock=clock) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=clock) as client:
            post = client._transport.post

            async def counted(endpoint: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
                if "ids" in body:
                    asked.append(body["ids"])
                    for task_id in body["ids"]:
                        looks.setdefault(task_id, []).append(clock.now() - began)
                with clock.working():
                    return await post(endpoint, body, paid=paid)

            client._transport.post = counted  # type: ignore[method-assign]
            began = clock.now()
            for _ in range(1000):
                seconds = sandbox.render_seconds = random.uniform(20, 120)
                ends[str((await client.submit(GenerateMusic(prompt="x"))).task_id)] = seconds
            assert clock.now() == began

            async def wait(task_id: str) -> None:
                async for task in client.watch([task_id]):
                    if task.state == "complete":
                        told[task_id] = clock.now() - began

            await asyncio.gather(*map(wait, ends))
            await asyncio.sleep(0)
            assert watchers() == []
    pollers = sum(-(-end // 5) for end in ends.values())
    print(f"{len(asked)} requests against {pollers}: 1/{pollers / len(asked):.0f}")
    assert len(asked) <= pollers / 40
    assert all(0 <= told[task_id] - end <= 5 for task_id, end in ends.items())
    assert all(len(ids) <= 50 for ids in asked)
    for times in looks.values():
        assert times[0] >= 15
        assert all(later - earlier >= 5 - 1e-6 for earlier, later in pairwise(times))


async def test_a_task_that_takes_long_is_looked_at_less_often() -> None:
    studio = Studio({"slow": 1200.0})
    async with waiting_on(studio) as client:
        await client.wait(["slow"], timeout=2000)
    gaps = [later - earlier for earlier, later in pairwise(studio.looks["slow"])]
    assert gaps[0] == pytest.approx(5)
    assert gaps[-1] == pytest.approx(15)
    assert max(gaps) <= 15 + 1e-6


async def test_two_waits_that_share_a_task_ask_for_it_once() -> None:
    studio = Studio({"a": 21.0, "b": 21.0, "c": 21.0})
    async with waiting_on(studio) as client:
        remember_all(client, studio)
        first, second = await asyncio.gather(client.wait(["a", "b"], 100), client.wait(["b", "c"], 100))
    assert [task.task_id for task in first.tasks] == ["a", "b"]
    assert [task.task_id for task in second.tasks] == ["b", "c"]
    assert all(len(ids) == len(set(ids)) == 3 for ids in studio.asked)


async def test_the_deadline_brings_back_what_there_is_and_loses_nothing() -> None:
    studio = Studio({"done": 20.0, "late": 400.0})
    async with waiting_on(studio) as client:
        tool = ProducerWaitForTasks(client=client)
        ids = ["late", "done", "nobody", "late"]
        content = json.loads(await tool.ainvoke({"task_ids": ids, "timeout_seconds": 60}))
        assert [(task["task_id"], task["state"]) for task in content["tasks"]] == [
            ("late", "processing"),
            ("done", "complete"),
        ]
        assert content["not_found"] == ["nobody"]
        assert "producer_wait_for_tasks" in content["next_step"]
        assert "https://cdn.example/a" in content["tasks"][0]["preview_urls"]
        again = json.loads(await tool.ainvoke({"task_ids": ["late"], "timeout_seconds": 1800}))
        assert again["tasks"][0]["state"] == "complete"
        await asyncio.sleep(0)
        assert watchers() == []


async def test_a_deadline_before_the_first_look_still_says_how_things_are() -> None:
    studio = Studio({"a": 100.0})
    async with waiting_on(studio) as client:
        remember_all(client, studio)
        batch = await client.wait(["a"], timeout=1)
    assert [task.state for task in batch.tasks] == ["processing"]


async def test_cancelling_a_wait_leaves_the_others_waiting() -> None:
    studio = Studio({"a": 30.0})
    async with waiting_on(studio) as client:
        staying = asyncio.create_task(client.wait(["a"], 100))
        leaving = asyncio.create_task(client.wait(["a"], 100))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).tasks[0].state == "complete"
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await asyncio.sleep(0)
        assert watchers() == []


async def test_each_change_is_told_once() -> None:
    studio = Studio({"a": 12.0})
    async with waiting_on(studio) as client:
        states = [task.state async for task in client.watch(["a", "a"])]
    assert states == ["processing", "complete"]


async def test_an_unknown_task_ends_a_watch() -> None:
    async with waiting_on(Studio({})) as client:
        with pytest.raises(TaskNotFoundError):
            async for _ in client.watch(["nobody"]):
                pass


async def test_a_passing_fault_is_waited_out_and_a_lasting_one_told() -> None:
    studio = Studio({"a": 20.0})
    studio.refusals = [ServerError("api_error", "busy", status=500, retry_after=7.0)]
    async with waiting_on(studio) as client:
        assert (await client.wait(["a"], 100)).tasks[0].state == "complete"
        assert 7.0 in studio.clock.slept
        studio.refusals = [AuthenticationError("token_expired", "old", status=401)]
        studio.ends["b"] = 2000.0
        studio.looks["b"] = []
        with pytest.raises(AuthenticationError):
            await client.wait(["b"], 100)


async def test_tenants_are_asked_for_apart() -> None:
    """Asked for together, one tenant's token would fetch, or fail to fetch, the other's songs."""
    studio = Studio({"a": 1.0, "b": 1.0})
    async with waiting_on(studio) as client:

        async def wait(token: str, task_id: str) -> None:
            with producer_tools.api_token(token):
                await client.wait([task_id], 100)

        await asyncio.gather(wait("one", "a"), wait("two", "b"))
    assert {tuple(ids) for ids in studio.asked} == {("a",), ("b",)}


async def test_a_hint_makes_the_look_come_at_once() -> None:
    studio = Studio({"a": 0.0})
    async with waiting_on(studio) as client:
        remember_all(client, studio)
        ticks = asyncio.Event()

        async def never(_: float) -> None:
            await ticks.wait()

        studio.clock.sleep = never  # type: ignore[method-assign,assignment]
        waiting = asyncio.create_task(client.wait(["a"], 100))
        for _ in range(5):
            await asyncio.sleep(0)
        assert studio.asked == []
        client.wake("a")
        batch = await asyncio.wait_for(waiting, 5)
    assert batch.tasks[0].state == "complete"


def test_from_sync_code() -> None:
    """In a script without a loop, and from inside a running one."""
    with ProducerSandbox(render_seconds=0.05) as sandbox:
        with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.02) as client:

            async def submit() -> str:
                return str((await client.submit(GenerateMusic(prompt="x"))).task_id)

            first = asyncio.run(submit())
            assert client.wait_sync([first], 10).tasks[0].state == "complete"
            second = asyncio.run(submit())
            changes: list[Task] = list(client.watch_sync([second]))
            assert changes[-1].state == "complete"

            async def notebook() -> str:
                return client.wait_sync([first], 10).tasks[0].state

            assert asyncio.run(notebook()) == "complete"


def graph(tool: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "tools")
    return builder.compile()


def calls(task_id: str) -> dict[str, Any]:
    arguments = {"task_ids": [task_id], "runtime": "forged"}
    call = {"type": "tool_call", "id": "c", "name": "producer_wait_for_tasks", "args": arguments}
    return {"messages": [AIMessage("", tool_calls=[call])]}


async def test_progress_streams_out_of_a_graph_and_into_a_callback() -> None:
    studio = Studio({"a": 12.0})
    told: list[Progress] = []
    async with waiting_on(studio) as client:
        tool = ProducerWaitForTasks(client=client, on_progress=told.append)
        events = [event async for event in graph(tool).astream(calls("a"), stream_mode=["custom", "tools"])]
    expected = [
        {"type": "producer_progress", "task_id": "a", "state": "processing", "percent": None, "seconds": 0.0},
        {"type": "producer_progress", "task_id": "a", "state": "complete", "percent": 100.0, "seconds": 12.0},
    ]
    assert [event for mode, event in events if mode == "custom"] == expected
    deltas = [event["delta"] for mode, event in events if mode == "tools" and event["event"] == "tool-output-delta"]
    assert deltas == expected
    assert told == expected


@pytest.fixture
def finished() -> Iterator[tuple[ProducerClient, str]]:
    with ProducerSandbox(render_seconds=0) as sandbox:
        with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:

            async def submit() -> str:
                return str((await client.submit(GenerateMusic(prompt="x"))).task_id)

            yield client, asyncio.run(submit())


def test_progress_streams_out_of_a_sync_graph(finished: tuple[ProducerClient, str]) -> None:
    client, task_id = finished
    events = list(graph(ProducerWaitForTasks(client=client)).stream(calls(task_id), stream_mode="custom"))
    assert [event["state"] for event in events] == ["complete"]


def test_a_forged_runtime_outside_a_graph_is_harmless(finished: tuple[ProducerClient, str]) -> None:
    client, task_id = finished
    [message] = calls(task_id)["messages"]
    answer = ProducerWaitForTasks(client=client).invoke(message.tool_calls[0])
    assert json.loads(answer.content)["counts"]["complete"] == 1


def test_a_bar_for_each_task() -> None:
    with ProgressBar() as bar:
        for percent in (10.0, None, 60.0):
            bar(
                {
                    "type": "producer_progress",
                    "task_id": "abc",
                    "state": "processing",
                    "percent": percent,
                    "seconds": 1,
                }
            )
        [row] = bar._bars.tasks
        assert (row.description, row.completed) == ("abc processing", 60.0)
