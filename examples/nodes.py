"""Make a song in a graph of your own. Kill it at any time and start it again: it resumes, and pays once.

    python nodes.py

It needs ACEDATACLOUD_API_TOKEN. Without one, keep `PRODUCER_SANDBOX_API_TOKEN=test producer-sandbox` running in another
terminal, and set ACEDATACLOUD_API_TOKEN=test and ACEDATACLOUD_API_BASE_URL=http://127.0.0.1:8080.
"""

import asyncio
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import DownloadNode, SongState, SubmitNode, WaitNode

FILE = "songs.sqlite"


def build(client: ProducerClient) -> StateGraph[SongState, Any, Any, Any]:
    """From a request to files. After an error, the later nodes skip."""
    builder = StateGraph(SongState)
    builder.add_node("submit", SubmitNode(client))
    builder.add_node("wait", WaitNode(client))
    builder.add_node("download", DownloadNode(client, "songs"))
    builder.add_edge(START, "submit")
    builder.add_edge("submit", "wait")
    builder.add_edge("wait", "download")
    return builder


async def main(prompt: str) -> None:
    """Make one song, or resume making it."""
    song: Any = {"request": {"name": "producer_generate_music", "args": {"prompt": prompt}}, "key": prompt}
    config: Any = {"configurable": {"thread_id": prompt}}
    async with ProducerClient(ledger=SqliteLedger(FILE)) as client, AsyncSqliteSaver.from_conn_string(FILE) as saver:
        graph = build(client).compile(checkpointer=saver)
        unfinished = (await graph.aget_state(config)).tasks
        state = await graph.ainvoke(None if unfinished else song, config, durability="sync")
    print(state["error"] or [file["path"] for file in state["files"]])


if __name__ == "__main__":
    asyncio.run(main("a calm piano piece"))
