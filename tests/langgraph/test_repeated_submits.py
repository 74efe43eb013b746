"""Several submits of one run: each has its own key, which stays the same when its step is run again."""

import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from producer_tools import MemoryLedger, ProducerClient, ProducerGenerateMusic
from producer_tools.langgraph import SongState, SubmitNode
from producer_tools.payment.graph_keys import key_of_step
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import Builder, fast_client, open_runner, paid_task_ids
from tests.langgraph.song_graphs import WALTZ

SONG: Any = {"request": WALTZ}
RETRIES = RetryPolicy(initial_interval=0, jitter=False)
Steps = Callable[[ProducerClient, Callable[[], None]], Any]
"""Makes something that can be compiled or run, from a client and a function that may fail."""


def passed_on(config: RunnableConfig) -> RunnableConfig | None:
    """What an async step gives to the graphs that it calls: on Python 3.10, asyncio does not carry it along."""
    return config if sys.version_info < (3, 11) else None


def song_graph(client: ProducerClient) -> Any:
    """A subgraph of one step that submits."""
    song: Builder = StateGraph(SongState)
    song.add_sequence([("look around", lambda _: None), ("submit", SubmitNode(client))])
    song.add_edge(START, "look around")
    return song.compile()


class Ids(TypedDict, total=False):
    ids: Annotated[list[str], lambda old, new: [*old, *new]]
    request: Any


def one_step(step: Any) -> Any:
    """A graph of one step, which a retry policy runs again."""
    graph: Builder = StateGraph(Ids)
    graph.add_node("step", step, retry_policy=RETRIES)
    graph.add_edge(START, "step")
    return graph


def id_of(state: Any) -> str:
    """The task's id in a state in which all went well."""
    assert state["error"] is None
    task_id: str = state["task"]["task_id"]
    return task_id


def a_subgraph_called_twice(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    inner = song_graph(client)

    async def step(_: Any, config: RunnableConfig) -> Ids:
        ids = [id_of(await inner.ainvoke(SONG, passed_on(config))) for _ in range(2)]
        may_fail()
        return {"ids": ids}

    return one_step(step)


def a_subgraph_in_a_subgraph(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    middle = a_subgraph_called_twice(client, lambda: None).compile()

    async def step(_: Any, config: RunnableConfig) -> Ids:
        ids = [(await middle.ainvoke({}, passed_on(config)))["ids"] for _ in range(2)]
        may_fail()
        return {"ids": [*ids[0], *ids[1]]}

    return one_step(step)


def a_node_in_a_loop(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    async def step(_: Any, config: RunnableConfig) -> Ids:
        ids = [id_of(await SubmitNode(client).ainvoke(SONG, passed_on(config))) for _ in range(2)]
        may_fail()
        return {"ids": ids}

    return one_step(step)


def a_tool_in_a_loop(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    tool = ProducerGenerateMusic(client=client)
    call = {"type": "tool_call", "id": "functions.producer_generate_music:0", "name": tool.name}

    async def step(_: Any, config: RunnableConfig) -> Ids:
        given: Any = {**call, "args": WALTZ["args"]}
        messages = [await tool.ainvoke(given, passed_on(config)) for _ in range(2)]
        may_fail()
        return {"ids": [message.artifact["task_id"] for message in messages]}

    return one_step(step)


def sends_with_equal_payloads(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    inner, submitted = song_graph(client), [0]

    async def song(state: Any, config: RunnableConfig) -> Ids:
        made = id_of(await inner.ainvoke(state, passed_on(config)))
        submitted[0] += 1
        if submitted[0] > 1:
            may_fail()
        return {"ids": [made]}

    graph: Builder = StateGraph(Ids)
    graph.add_node("song", song, retry_policy=RETRIES)
    graph.add_conditional_edges(START, lambda _: [Send("song", SONG), Send("song", SONG)], ["song"])
    return graph


def an_entrypoint_with_a_loop(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    async def songs(_: Any, config: RunnableConfig) -> Ids:
        ids: list[str] = []
        while len(ids) < 2:
            ids.append(id_of(await SubmitNode(client).ainvoke(SONG, passed_on(config))))
        may_fail()
        return {"ids": ids}

    return songs


def an_entrypoint_with_tasks(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    @task
    async def plan() -> str:
        return "songs"

    @task
    async def song() -> str:
        return id_of(await SubmitNode(client).ainvoke(SONG))

    async def songs(_: Any) -> Ids:
        ids: list[str] = []
        while len(ids) < 2:
            await plan()
            ids.append(await song())
        may_fail()
        return {"ids": ids}

    return songs


def an_entrypoint_in_an_entrypoint(client: ProducerClient, may_fail: Callable[[], None]) -> Any:
    @task
    async def song() -> str:
        return id_of(await SubmitNode(client).ainvoke(SONG))

    @entrypoint()
    async def two_songs(_: Any) -> list[str]:
        return [await song(), await song()]

    async def songs(_: Any) -> Ids:
        ids = [*await two_songs.ainvoke("take 1"), *await two_songs.ainvoke("take 2")]
        may_fail()
        return {"ids": ids}

    return songs


on_python_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="LangGraph needs 3.11 for it in async code")
each_kind = pytest.mark.parametrize(
    ("steps", "songs"),
    [
        (a_subgraph_called_twice, 2),
        (a_subgraph_in_a_subgraph, 4),
        (a_node_in_a_loop, 2),
        (a_tool_in_a_loop, 2),
        (sends_with_equal_payloads, 2),
        (an_entrypoint_with_a_loop, 2),
        pytest.param(an_entrypoint_with_tasks, 2, marks=on_python_3_11),
        pytest.param(an_entrypoint_in_an_entrypoint, 4, marks=on_python_3_11),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)


class KilledError(BaseException):
    """Ends a run as a kill would: no retry policy runs the step again."""


class Failing:
    """Raises each of the errors once."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)

    def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def runs(steps: Any, saver: Any) -> Callable[[Any], Awaitable[Any]]:
    """Runs a graph or an entrypoint in one thread."""
    config: Any = {"configurable": {"thread_id": "a thread"}}
    if hasattr(steps, "compile"):
        graph = steps.compile(checkpointer=saver)
    else:
        graph = entrypoint(checkpointer=saver, retry_policy=RETRIES)(steps)
    return lambda given: graph.ainvoke(given, config, durability="sync")


@each_kind
async def test_each_submit_is_paid_once_in_spite_of_retries(
    steps: Steps, songs: int, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """LangGraph runs the step three times. Someone who wants two takes of a song must get two, and pay for two."""
    failing = Failing(ConnectionError("once"), ConnectionError("twice"))
    async with fast_client(sandbox) as client, open_runner("ainvoke on sqlite", tmp_path) as runner:
        run = runs(steps(client, failing), runner.saver)
        first = (await run({"ids": []}))["ids"]
        assert failing.errors == []
        assert sorted(first) == sorted(paid_task_ids(sandbox))
        assert len(set(first)) == songs
        second = (await run({"ids": []}))["ids"][-songs:]
        assert len({*first, *second}) == len(paid_task_ids(sandbox)) == 2 * songs, "another run makes other songs"


@each_kind
async def test_each_submit_is_paid_once_in_spite_of_a_crash(
    steps: Steps, songs: int, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """After a crash, the file of checkpoints and the ledger are all that is left."""
    ledger = MemoryLedger()
    async with fast_client(sandbox, ledger=ledger) as client, open_runner("ainvoke on sqlite", tmp_path) as runner:
        with pytest.raises(KilledError):
            await runs(steps(client, Failing(KilledError())), runner.saver)({"ids": []})
    before = paid_task_ids(sandbox)
    async with fast_client(sandbox, ledger=ledger) as client, open_runner("ainvoke on sqlite", tmp_path) as runner:
        # A retry after the crash, so that numbers that went on counting would show.
        state = await runs(steps(client, Failing(ConnectionError("again"))), runner.saver)(None)
    assert sorted(state["ids"]) == sorted(before)
    assert len(paid_task_ids(sandbox)) == songs


@each_kind
async def test_each_submit_is_paid_once_if_a_crash_loses_the_checkpoints(
    steps: Steps, songs: int, sandbox: ProducerSandbox
) -> None:
    """LangGraph writes them late, or only at the end of a run. Then the run begins again, with other ids of its own."""
    ledger, ids = MemoryLedger(), []
    for crash in (KilledError(), ConnectionError("a retry, so that numbers that went on counting would show")):
        async with fast_client(sandbox, ledger=ledger) as client:
            run = runs(steps(client, Failing(crash)), InMemorySaver())
            with suppress(KilledError):
                ids = (await run({"ids": []}))["ids"]
    assert sorted(ids) == sorted(paid_task_ids(sandbox))
    assert len(set(ids)) == songs


@on_python_3_11
async def test_an_answered_interrupt_does_not_submit_again(sandbox: ProducerSandbox, tmp_path: Path) -> None:
    """The resume runs the entrypoint from its start, with the submits before the question."""
    async with fast_client(sandbox) as client, open_runner("ainvoke on sqlite", tmp_path) as runner:
        run = runs(an_entrypoint_with_a_loop(client, lambda: interrupt("go on?")), runner.saver)
        await run({"ids": []})
        state = await run(Command(resume="yes"))
    assert state["ids"] == paid_task_ids(sandbox)
    assert len(state["ids"]) == 2


def test_sync_graphs_count_in_the_same_way(sandbox: ProducerSandbox) -> None:
    """Sync graphs run their steps and tasks in other threads, where counts could get lost."""
    failing = Failing(ConnectionError("once"))
    with fast_client(sandbox) as client:
        inner = song_graph(client)

        @task
        def song() -> str:
            return id_of(SubmitNode(client).invoke(SONG))

        @entrypoint(checkpointer=InMemorySaver(), retry_policy=RETRIES)
        def songs(_: Any) -> list[str]:
            by_tasks = [song().result() for _ in range(2)]
            by_subgraphs = [id_of(inner.invoke(SONG)) for _ in range(2)]
            failing()
            return [*by_tasks, *by_subgraphs]

        ids = songs.invoke({}, {"configurable": {"thread_id": "t"}})
    assert failing.errors == []
    assert ids == paid_task_ids(sandbox)
    assert len(set(ids)) == 4


def test_without_langgraphs_internal_values_names_are_as_before() -> None:
    """A later LangGraph may hide them: then a retried subgraph must still not be paid for twice."""
    metadata = {
        "langgraph_node": "submit",
        "langgraph_step": 1,
        "langgraph_path": ("__pregel_pull", "submit"),
        "langgraph_checkpoint_ns": "song:id1|2|submit:id2",
    }
    config: Any = {"metadata": metadata, "configurable": {"thread_id": "t", "__pregel_checkpointer": object()}}
    assert key_of_step(config).key == "t/song:id1/1/__pregel_pull/submit"
    assert key_of_step({**config, "metadata": {}}).key is None


def test_a_nested_step_is_also_filed_under_its_former_name(sandbox: ProducerSandbox) -> None:
    """A thread that an earlier version has half finished would pay again."""
    former: list[Any] = []

    class RecordingClient(ProducerClient):
        async def submit(self, *args: Any, **options: Any) -> Any:
            former.append(options["former_keys"])
            return await super().submit(*args, **options)

    with fast_client(sandbox, RecordingClient) as client:
        inner = song_graph(client)
        outer = one_step(lambda _: {"ids": [id_of(inner.invoke(SONG)) for _ in range(2)]})
        outer.compile(checkpointer=InMemorySaver()).invoke({"ids": []}, {"configurable": {"thread_id": "t"}})
    (first,), second = former
    assert re.fullmatch(r"t/step:[0-9a-f-]+/2/__pregel_pull/submit", first)
    assert second == (), "an earlier version had one key for both, which was that of the first"
