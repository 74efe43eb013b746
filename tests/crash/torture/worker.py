"""A process that makes songs with a graph. It may be killed at any moment; started again, it resumes."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from producer_tools import ProducerClient, ProducerGenerateMusic, SqliteLedger
from tests.clocks import FastClock

AT_ONCE = 3
"""Songs that one step of the graph requests."""


class Job(NamedTuple):
    """What a worker is given.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        directory: For the checkpoints and the ledger.
        thread: The graph's thread.
        songs: How many songs to make; a song's prompt is the thread's name and its number.
    """

    base_url: str
    api_token: str
    directory: str
    thread: str
    songs: int

    def prompts(self) -> list[str]:
        return [f"{self.thread} song {number}" for number in range(self.songs)]


class State(TypedDict):
    prompts: list[str]
    requested: Annotated[int, operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


def work(job: Job) -> None:
    """Make the songs, or resume making them."""
    with opened(job) as (graph, config):
        state = graph.get_state(config)
        if not state.values:
            graph.invoke({"prompts": job.prompts(), "requested": 0, "messages": []}, config)
        elif state.tasks:  # `next` would miss a step whose tasks are done but whose checkpoint was not written
            graph.invoke(None, config)


def outcomes(job: Job) -> dict[str, ToolMessage]:
    """The tool message for each prompt, from the graph's last checkpoint."""
    with opened(job) as (graph, config):
        messages = graph.get_state(config).values["messages"]
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    prompts = {
        call["id"]: call["args"]["prompt"] for message in messages for call in getattr(message, "tool_calls", [])
    }
    return {prompts[call_id]: message for call_id, message in answers.items()}


@contextmanager
def opened(job: Job) -> Iterator[tuple[Any, Any]]:
    """The graph over its files, and the configuration of the job's thread."""
    ledger = SqliteLedger(f"{job.directory}/ledger.sqlite")
    with (
        SqliteSaver.from_conn_string(f"{job.directory}/checkpoints.sqlite") as saver,
        # The faults are random: they do not mean that the service is down.
        ProducerClient(
            job.api_token, job.base_url, ledger=ledger, clock=FastClock(), failures_until_down=1_000_000
        ) as client,
    ):
        builder = StateGraph(State)
        builder.add_node("request", _request)
        builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
        builder.add_edge(START, "request")
        builder.add_conditional_edges("request", _next, ["tools", END])
        builder.add_edge("tools", "request")
        yield builder.compile(checkpointer=saver), {"configurable": {"thread_id": job.thread}, "recursion_limit": 1000}


def _request(state: State) -> dict[str, Any]:
    """Request the next songs, as a model would."""
    prompts = state["prompts"][state["requested"] : state["requested"] + AT_ONCE]
    calls: list[Any] = [
        {"type": "tool_call", "id": _call_id(prompt), "name": "producer_generate_music", "args": {"prompt": prompt}}
        for prompt in prompts
    ]
    return {"requested": len(calls), "messages": [AIMessage("", tool_calls=calls)] if calls else []}


def _call_id(prompt: str) -> str:
    return f"call for {prompt}"


def _next(state: State) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) else END
