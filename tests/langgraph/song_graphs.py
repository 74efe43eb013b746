"""Graphs that a user could build from the nodes, and what they are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph

from producer_tools import ProducerClient
from producer_tools.langgraph import ApproveNode, DownloadNode, SongRequest, SongState, SubmitNode, WaitNode
from tests.langgraph.runner import Builder, request

WALTZ = request("generate_music", prompt="a waltz")


class Order(SongState, total=False):
    """A user's own state: a song, and keys that the nodes do not know."""

    customer: str
    thanks: str


def order(song_request: SongRequest = WALTZ, **more: Any) -> dict[str, Any]:
    """The input of a graph over `Order`."""
    return {"customer": "Ann", "request": song_request, **more}


def build_checked_graph(client: ProducerClient, directory: Path, **submit_options: Any) -> Builder:
    """Submit, wait, download, thank; conditional edges end the graph after an error."""
    graph: Builder = StateGraph(Order)
    graph.add_node("submit", SubmitNode(client), **submit_options)
    graph.add_node("wait", WaitNode(client))
    graph.add_node("download", DownloadNode(client, directory))
    graph.add_node("thank", _thank)
    graph.add_edge(START, "submit")
    for step, following in [("submit", "wait"), ("wait", "download"), ("download", "thank")]:
        graph.add_conditional_edges(step, _unless_error(following), [following, END])
    return graph


def build_plain_graph(client: ProducerClient, directory: Path, *, approve: bool = False) -> Builder:
    """Submit, wait, download, joined by plain edges: each node runs, whether or not the one before it failed."""
    graph: Builder = StateGraph(SongState)
    steps = [("submit", SubmitNode(client)), ("wait", WaitNode(client)), ("download", DownloadNode(client, directory))]
    graph.add_sequence([("approve", ApproveNode(client)), *steps] if approve else steps)
    graph.add_edge(START, "approve" if approve else "submit")
    return graph


def _thank(state: Order) -> dict[str, str]:
    return {"thanks": f"{state['customer']}, your song is {state['task']['state']}"}


def _unless_error(step: str) -> Callable[[Order], str]:
    return lambda state: END if state.get("error") else step
