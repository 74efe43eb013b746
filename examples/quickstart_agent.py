"""An agent is asked for a song, waits for it, and hands over a file that plays.

    python examples/quickstart_agent.py "a slow sad waltz"

Without keys it runs on the sandbox with a scripted model. With ACEDATACLOUD_API_TOKEN it asks the real service.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from chat_model import choose_chat_model
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from rich.progress import Progress

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.prompts import TOOL_CHOICE
from producer_tools.sandbox import ProducerSandbox


@asynccontextmanager
async def open_client() -> AsyncIterator[ProducerClient]:
    """The real service if there is a token for it, else a sandbox."""
    if os.environ.get("ACEDATACLOUD_API_TOKEN"):
        print("Service: the real one. THIS COSTS MONEY: about 0.08 US dollars a song at the last published price.")
        async with ProducerClient() as client:
            yield client
    else:
        print("Service: the sandbox on this machine (no ACEDATACLOUD_API_TOKEN). The music is the sandbox's own.")
        async with (
            ProducerSandbox(render_seconds=6) as sandbox,
            ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5) as client,
        ):
            yield client


async def ask(client: ProducerClient, wish: str) -> dict[str, Any]:
    """Let the agent make the song; return the artifact of its last tool call."""
    tools = ProducerToolkit(client=client).get_tools()
    agent = create_agent(choose_chat_model(), tools, system_prompt=TOOL_CHOICE)
    last: dict[str, Any] = {}
    with Progress(transient=True) as progress:
        bar = progress.add_task("submitting")
        async for update in agent.astream({"messages": [HumanMessage(wish)]}, stream_mode="updates"):
            for message in update.get("tools", {}).get("messages", []):
                if isinstance(message, ToolMessage) and message.status == "error":
                    raise SystemExit(message.text)
                last = message.artifact
                progress.update(bar, description=last.get("state", "working"), completed=last.get("progress") or 0)
    return last


async def save(url: str, stem: str) -> Path:
    """Download a result to the folder ``songs``."""
    name = re.sub(r"[^\w-]+", "-", stem).strip("-").lower()
    path = Path("songs") / f"{name}{Path(url).suffix}"
    path.parent.mkdir(exist_ok=True)
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
        path.write_bytes(await response.read())
    return path


async def main(wish: str) -> None:
    """Ask, wait, save, tell."""
    async with open_client() as client:
        task = await ask(client, wish)
        if task.get("state") != "complete":
            raise SystemExit(f"No song came of it: {task}")
        for song in task["results"]:
            path = await save(song["audio_url"], f"{song['title']}-{task['task_id'][:8]}")
            print(f"{song['title']}, {song['duration_seconds']:.1f} s: {path}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]).strip() or "a happy upbeat song about the first day of summer"))
