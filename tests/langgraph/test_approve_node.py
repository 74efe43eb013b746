"""ApproveNode in graphs that a user builds: the person's answer decides, whatever edges the graph has."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from producer_tools import ProducerClient
from producer_tools.langgraph import ApproveNode, SongState, SubmitNode, WaitNode
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import (
    AUDIOS,
    MODES,
    Builder,
    Runner,
    charged_prompts,
    open_runner,
    paid_task_ids,
    request,
    sync_and_async,
)
from tests.langgraph.song_graphs import WALTZ, build_plain_graph

APPROVE = {"type": "approve"}


def asking_graph(client: ProducerClient) -> Builder:
    """Ask, submit, wait; conditional edges end the graph after an error."""
    graph: Builder = StateGraph(SongState)
    graph.add_node("approve", ApproveNode(client))
    graph.add_node("submit", SubmitNode(client))
    graph.add_node("wait", WaitNode(client))
    graph.add_edge(START, "approve")
    graph.add_conditional_edges("approve", lambda state: END if state["error"] else "submit", ["submit", END])
    graph.add_conditional_edges("submit", lambda state: END if state["error"] else "wait", ["wait", END])
    return graph


@sync_and_async
@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
async def test_the_node_asks_in_any_graph(
    decision: str, run: Runner, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """It must also work async on Python 3.10, where LangGraph's own interrupt in an async function does not."""
    graph = asking_graph(client)
    state = await run(graph, {"request": WALTZ})
    assert paid_task_ids(sandbox) == []
    (question,) = state["__interrupt__"]
    decisions = {
        "approve": APPROVE,
        "edit": {"type": "edit", "edited_action": request("generate_music", prompt="a tango")},
        "reject": {"type": "reject", "message": "Too dear."},
    }
    state = await run(graph, Command(resume={"decisions": [decisions[decision]]}))
    assert question.value["action_requests"][0]["args"] == {"prompt": "a waltz"}
    assert charged_prompts(sandbox) == {"approve": {"a waltz": 1}, "edit": {"a tango": 1}, "reject": {}}[decision]
    if decision == "reject":
        assert state["error"]["code"] == "rejected"
        assert "Too dear." in state["error"]["message"]
        assert not state.get("task")
    else:
        assert (state["error"], state["task"]["success"]) == (None, True)


@pytest.mark.parametrize("mode", MODES)
async def test_the_question_says_that_a_request_is_invalid(
    mode: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """Without it, a person would approve a request that cannot succeed."""
    async with open_runner(mode, tmp_path) as run:
        state = await run(asking_graph(client), {"request": request("generate_music", prompt="x" * 201)})
        (question,) = state["__interrupt__"]
        assert "will refuse, at no cost" in question.value["action_requests"][0]["description"]
        sandbox.fail_next("forbidden", endpoint=AUDIOS)  # an invalid request is not sent, so it never gets this answer
        state = await run(asking_graph(client), Command(resume={"decisions": [APPROVE]}))
    assert state["error"]["code"] == "bad_request"
    assert paid_task_ids(sandbox) == []


@sync_and_async
async def test_a_rejected_request_is_not_submitted_by_plain_edges(
    run: Runner, client: ProducerClient, sandbox: ProducerSandbox, directory: Path
) -> None:
    """If the rejection only set ``error``, a graph without conditional edges would submit all the same."""
    graph = build_plain_graph(client, directory, approve=True)
    await run(graph, {"request": WALTZ})
    state = await run(graph, Command(resume={"decisions": [{"type": "reject", "message": "No waltz."}]}))
    assert state["error"]["code"] == "rejected"
    assert (state["task"], state["files"]) == ({}, [])
    assert paid_task_ids(sandbox) == []


@pytest.mark.parametrize(
    "answer", [True, {"decisions": []}, {"decisions": [{"type": "accept"}]}, {"decisions": [{"type": "edit"}]}]
)
async def test_an_invalid_answer_is_asked_for_again(answer: Any, run: Runner, client: ProducerClient) -> None:
    """LangGraph keeps each answer: after an error, the thread would fail with every later answer, even a valid one."""
    builder: Builder = StateGraph(SongState)
    builder.add_node("approve", ApproveNode(client))
    builder.add_edge(START, "approve")
    await run(builder, {"request": WALTZ})
    state = await run(builder, Command(resume=answer))
    assert state["__interrupt__"][0].value["action_requests"][0]["name"] == "producer_generate_music"
    state = await run(builder, Command(resume={"decisions": [APPROVE]}))
    assert state["error"] is None
