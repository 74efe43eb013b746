"""Nodes in a graph of your own: python examples/nodes.py. Where the service lives on, a killed run goes on as well."""

import asyncio
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from service import open_client

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import DownloadNode, SongState, SubmitNode, WaitNode

FILE = "songs.sqlite"


def build(client: ProducerClient) -> StateGraph[SongState, Any, Any, Any]:
    """From a request to files; where there is an error, the nodes behind it do nothing."""
    builder = StateGraph(SongState)
    builder.add_node("submit", SubmitNode(client))
    builder.add_node("wait", WaitNode(client))
    builder.add_node("download", DownloadNode(client, "songs"))
    builder.add_edge(START, "submit")
    builder.add_edge("submit", "wait")
    builder.add_edge("wait", "download")
    return builder


async def main(prompt: str) -> None:
    """Make one song, or go on to make it."""
    song: Any = {"request": {"name": "producer_generate_music", "args": {"prompt": prompt}}}
    config: Any = {"configurable": {"thread_id": prompt}}
    async with open_client(ledger=SqliteLedger(FILE)) as client, AsyncSqliteSaver.from_conn_string(FILE) as saver:
        graph = build(client).compile(checkpointer=saver)
        was_stopped = bool((await graph.aget_state(config)).tasks)
        state = await graph.ainvoke(None if was_stopped else song, config, durability="sync")
    print(state["error"] or [file["path"] for file in state["files"]])


if __name__ == "__main__":
    asyncio.run(main("a calm piano piece"))
