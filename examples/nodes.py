"""Nodes in a graph of your own: python examples/nodes.py. With a service that lives on, a run that was killed goes on."""

import asyncio
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import DownloadNode, SongState, SubmitNode, WaitNode
from producer_tools.sandbox import ProducerSandbox


async def main(prompt: str) -> None:
    """Make one song."""
    with ProducerSandbox() as sandbox:
        ledger = SqliteLedger("songs.sqlite")
        client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5, ledger=ledger)

        builder = StateGraph(SongState)
        builder.add_node("submit", SubmitNode(client))
        builder.add_node("wait", WaitNode(client))
        builder.add_node("download", DownloadNode(client, "songs"))
        builder.add_edge(START, "submit")
        builder.add_conditional_edges("submit", lambda state: END if state["error"] else "wait")
        builder.add_conditional_edges("wait", lambda state: END if state["error"] else "download")

        async with client, AsyncSqliteSaver.from_conn_string("songs.sqlite") as saver:
            graph = builder.compile(checkpointer=saver)
            config: Any = {"configurable": {"thread_id": prompt}}
            unfinished = (await graph.aget_state(config)).tasks
            given: Any = (
                None if unfinished else {"request": {"name": "producer_generate_music", "args": {"prompt": prompt}}}
            )
            state = await graph.ainvoke(given, config, durability="sync")
        print(state["error"] or [file["path"] for file in state["files"]])


if __name__ == "__main__":
    asyncio.run(main("a calm piano piece"))
