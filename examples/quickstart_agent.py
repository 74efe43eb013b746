"""An agent is asked for a song, waits for it, and hands over a file that plays.

    python examples/quickstart_agent.py "a slow sad waltz"

Without keys it runs on the sandbox with a scripted model. With ACEDATACLOUD_API_TOKEN it asks the real service.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from chat_model import choose_chat_model
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, HumanMessage
from service import open_client

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.progress import ProgressBar
from producer_tools.prompts import TOOL_CHOICE


async def ask(client: ProducerClient, wish: str) -> list[BaseMessage]:
    """Let the agent make the song and save it."""
    model = choose_chat_model()
    with ProgressBar() as bar:
        toolkit = ProducerToolkit(client=client, on_progress=bar, download_dir=Path("songs"))
        prompt = f"{TOOL_CHOICE}\nSave every finished song for the user."
        agent: Any = create_agent(model, toolkit.get_tools(), system_prompt=prompt)
        state = await agent.ainvoke({"messages": [HumanMessage(wish)]})
    messages: list[BaseMessage] = state["messages"]
    return messages


async def main(wish: str) -> None:
    """Ask, wait, save, tell."""
    async with open_client() as client:
        messages = await ask(client, wish)
    saved = [message for message in messages if message.name == "producer_download_results"]
    files = [file for message in saved for file in (getattr(message, "artifact", None) or {}).get("files", [])]
    if not files:
        raise SystemExit(messages[-1].text)
    for file in files:
        length = f", {file['duration_seconds']:.1f} s" if file["kind"] == "audio" else f" ({file['kind']})"
        print(f"{file['title']}{length}: {os.path.relpath(file['path'])}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]).strip() or "a happy upbeat song about the first day of summer"))
