"""A process that makes songs with a graph, and may be killed at any moment: started anew, it goes on where it was."""

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
"""Songs that one step of the graph asks for."""


class Job(NamedTuple):
    """What a worker is told.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        directory: Where the checkpoints and the ledger are kept.
        thread: The graph's thread.
        songs: How many songs to make; the prompt of each is its number behind the thread's name.
    """

    base_url: str
    api_token: str
    directory: str
    thread: str
    songs: int

    def prompts(self) -> list[str]:
        return [f"{self.thread} song {number}" for number in range(self.songs)]


class State(TypedDict):
    wishes: list[str]
    asked: Annotated[int, operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


def work(job: Job) -> None:
    """Make the songs, or go on to make them."""
    with opened(job) as (graph, config):
        begun = graph.get_state(config)
        if not begun.values:
            graph.invoke({"wishes": job.prompts(), "asked": 0, "messages": []}, config)
        elif begun.tasks:  # not `next`: that leaves out a task that is done and whose step was not ended
            graph.invoke(None, config)


def outcomes(job: Job) -> dict[str, ToolMessage]:
    """What became of each wish, as the graph's last checkpoint tells it."""
    with opened(job) as (graph, config):
        messages = graph.get_state(config).values["messages"]
    told = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    prompts = {
        call["id"]: call["args"]["prompt"] for message in messages for call in getattr(message, "tool_calls", [])
    }
    return {prompts[call_id]: message for call_id, message in told.items()}


@contextmanager
def opened(job: Job) -> Iterator[tuple[Any, Any]]:
    """The graph over its files, and the configuration of the job's thread."""
    ledger = SqliteLedger(f"{job.directory}/ledger.sqlite")
    with (
        SqliteSaver.from_conn_string(f"{job.directory}/checkpoints.sqlite") as saver,
        ProducerClient(job.api_token, job.base_url, ledger=ledger, clock=FastClock()) as client,
    ):
        builder = StateGraph(State)
        builder.add_node("ask", _ask)
        builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
        builder.add_edge(START, "ask")
        builder.add_conditional_edges("ask", _more, ["tools", END])
        builder.add_edge("tools", "ask")
        yield builder.compile(checkpointer=saver), {"configurable": {"thread_id": job.thread}, "recursion_limit": 1000}


def _ask(state: State) -> dict[str, Any]:
    """Ask for the next songs, as a model would."""
    prompts = state["wishes"][state["asked"] : state["asked"] + AT_ONCE]
    calls: list[Any] = [
        {"type": "tool_call", "id": _call_id(prompt), "name": "producer_generate_music", "args": {"prompt": prompt}}
        for prompt in prompts
    ]
    return {"asked": len(calls), "messages": [AIMessage("", tool_calls=calls)] if calls else []}


def _call_id(prompt: str) -> str:
    return f"call for {prompt}"


def _more(state: State) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) else END
