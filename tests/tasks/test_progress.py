"""Progress of a wait: in the streams of a graph, in a callback, and as bars in a terminal."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import rich
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from producer_tools import ProducerClient, ProducerWaitForTasks, Progress
from producer_tools.progress import ProgressBar
from producer_tools.sandbox import ProducerSandbox
from tests.tasks.timed_service import SONG, TimedService


def graph_of(tool: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "tools")
    return builder.compile()


def call_of(task_id: str) -> dict[str, Any]:
    """A tool call as a model could write it, with a forged ``runtime``."""
    arguments = {"task_ids": [task_id], "runtime": "forged"}
    return {"type": "tool_call", "id": "c", "name": "producer_wait_for_tasks", "args": arguments}


def messages_of(task_id: str) -> dict[str, Any]:
    return {"messages": [AIMessage("", tool_calls=[call_of(task_id)])]}


@pytest.fixture
def finished() -> Iterator[tuple[ProducerClient, str]]:
    """A client, and the id of a finished task."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
            yield client, str(client.submit_sync(SONG).task_id)


async def test_progress_reaches_the_streams_of_a_graph_and_a_callback() -> None:
    service = TimedService({"a": 12.0})
    reported: list[Progress] = []
    async with service.client() as client:
        tool = ProducerWaitForTasks(client=client, on_progress=reported.append)
        events = [event async for event in graph_of(tool).astream(messages_of("a"), stream_mode=["custom", "tools"])]
    expected = [
        {"type": "producer_progress", "task_id": "a", "state": "processing", "percent": None, "seconds": 0.0},
        {"type": "producer_progress", "task_id": "a", "state": "complete", "percent": 100.0, "seconds": 12.0},
    ]
    assert [event for mode, event in events if mode == "custom"] == expected
    deltas = [event["delta"] for mode, event in events if mode == "tools" and event["event"] == "tool-output-delta"]
    assert deltas == expected
    assert reported == expected


def test_progress_reaches_the_stream_of_a_sync_graph(finished: tuple[ProducerClient, str]) -> None:
    client, task_id = finished
    events = list(graph_of(ProducerWaitForTasks(client=client)).stream(messages_of(task_id), stream_mode="custom"))
    assert [event["state"] for event in events] == ["complete"]


def test_a_forged_runtime_outside_a_graph_is_harmless(finished: tuple[ProducerClient, str]) -> None:
    """A model can write any argument, also those that only the graph should set."""
    client, task_id = finished
    answer = ProducerWaitForTasks(client=client).invoke(call_of(task_id))
    assert json.loads(answer.content)["counts"]["complete"] == 1


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rich takes the captured output for a terminal, whatever an earlier test of this process ran it in."""
    monkeypatch.setenv("TERM", "xterm")
    rich.reconfigure(force_terminal=True, force_jupyter=False)
    yield
    rich.reconfigure()


@pytest.mark.usefixtures("_terminal")
def test_a_bar_shows_the_state_and_the_last_known_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    """A report without a percentage must not set the bar back to zero."""
    with ProgressBar() as bar:
        for percent in (10.0, 60.0, None):
            bar(
                {
                    "type": "producer_progress",
                    "task_id": "abc",
                    "state": "processing",
                    "percent": percent,
                    "seconds": 1,
                }
            )
    output = capsys.readouterr().out
    assert " 60 %" in output.rpartition("abc processing")[2], "what was drawn last"
    assert output.count("\n") == 1, "one row for the task"
