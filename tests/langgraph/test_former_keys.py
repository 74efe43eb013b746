"""The keys under which earlier versions filed a request: a thread that one has half finished must not pay again."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

from producer_tools import MemoryLedger
from producer_tools.langgraph import SubmitNode
from producer_tools.payment.graph_keys import GraphKey, key_of_step, key_of_tool_call
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import Builder, fast_client, paid_task_ids
from tests.langgraph.song_graphs import WALTZ

RETRIES = RetryPolicy(initial_interval=0, jitter=False)
Look = Callable[[], Any]
TASK = "/0/__pregel_push/('__pregel_pull', 'steps')/0/True"


def in_a_task(look: Look) -> Look:
    return task(look)


def in_a_task_of_an_entrypoint_in_an_entrypoint(look: Look) -> Look:
    @entrypoint()
    def inner(_: Any) -> Any:
        return task(look)().result()

    return lambda: inner.invoke("go")


def in_a_graph_in_a_task(look: Look) -> Look:
    def step(_: Any) -> None:
        look()

    graph: Builder = StateGraph(dict)
    graph.add_node("inner", step)
    graph.add_edge(START, "inner")
    compiled = graph.compile()
    return task(lambda: compiled.invoke({"a": 1}))


def run_steps(place: Callable[[Look], Look], look: Look, *, fails: int = 0) -> None:
    """Call ``look`` in a step of an entrypoint, which fails so often at its end and is run again."""
    failures = [ConnectionError("again")] * fails
    inside = place(look)

    @entrypoint(checkpointer=InMemorySaver(), retry_policy=RETRIES)
    def steps(_: Any) -> None:
        outcome = inside()
        if hasattr(outcome, "result"):
            outcome.result()
        if failures:
            raise failures.pop()

    steps.invoke({}, {"configurable": {"thread_id": "t"}})


@pytest.mark.parametrize(
    ("place", "former"),
    [
        (in_a_task, [f"t/steps:ID{TASK}"]),
        (
            in_a_task_of_an_entrypoint_in_an_entrypoint,
            [
                "t/steps:ID/0/__pregel_pull/steps/0/__pregel_push/('__pregel_pull', 'inner')/0/True",
                "t/steps:ID/inner:ID/0/__pregel_push/('__pregel_pull', 'inner')/0/True",
            ],
        ),
        (
            in_a_graph_in_a_task,
            [f"t/steps:ID{TASK}/1/__pregel_pull/inner", "t/steps:ID/<lambda>:ID/1/__pregel_pull/inner"],
        ),
    ],
)
def test_each_submit_of_a_task_is_also_filed_as_in_earlier_versions(
    place: Callable[[Look], Look], former: list[str]
) -> None:
    """Not only the first one of the task: the second song of a half-finished thread would be paid for twice."""
    found: list[GraphKey] = []

    def look() -> None:
        found.extend([key_of_step(get_config()) for _ in range(2)])

    run_steps(place, look)
    for key, suffix in zip(found, ("", "#1"), strict=True):
        without_ids = [re.sub(r"[0-9a-f-]{36}", "ID", each) for each in key.former_keys]
        assert without_ids == [each + suffix for each in former]


def test_a_tool_call_in_a_task_is_also_filed_as_in_earlier_versions() -> None:
    """An agent that a task runs would pay for its songs twice."""
    found: list[GraphKey] = []

    class Runtime:
        tool_call_id = "call 1"

    def look() -> None:
        Runtime.config = get_config()  # type: ignore[attr-defined]
        found.append(key_of_tool_call(Runtime))

    run_steps(in_a_graph_in_a_task, look)
    former = [re.sub(r"[0-9a-f-]{36}", "ID", each) for each in found[0].former_keys]
    assert former == [f"t/steps:ID{TASK}/call 1", "t/steps:ID/<lambda>:ID/call 1", "t/call 1"]


def test_a_retry_finds_what_an_earlier_version_filed_too(sandbox: ProducerSandbox) -> None:
    """Its first attempt would find the task, and its second one would pay again."""
    songs: list[str] = []
    with fast_client(sandbox, ledger=MemoryLedger()) as client:

        def look() -> None:
            state: Any = {"request": WALTZ}
            if not songs:  # the earlier version's submit
                state["key"] = key_of_step(get_config()).former_keys[0].removeprefix("t/")
            made = SubmitNode(client).invoke(state)
            assert made["error"] is None
            songs.append(made["task"]["task_id"])

        run_steps(in_a_task, look, fails=2)
    assert len(songs) == 3
    assert set(songs) == set(paid_task_ids(sandbox))
    assert len(set(songs)) == 1
