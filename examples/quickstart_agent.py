"""``make demo``: an agent is asked for a song, waits for it, and saves a file that plays.

    python examples/quickstart_agent.py "a slow sad waltz"

Without keys it runs on the sandbox, with a scripted model; `service.py` and `chat_model.py` look for keys.
"""

import asyncio
import os
import sys
from typing import Any

from chat_model import choose_chat_model
from langchain.agents import create_agent
from service import open_client

from producer_tools import ProducerToolkit
from producer_tools.progress import ProgressBar
from producer_tools.prompts import TOOL_CHOICE


async def main(words: str) -> None:
    """Ask the agent, and print what it saved."""
    model = choose_chat_model()
    async with open_client() as client:
        with ProgressBar() as bar:
            toolkit = ProducerToolkit(client=client, on_progress=bar, download_dir="songs")
            prompt = f"{TOOL_CHOICE}\nSave every finished song for the user."
            agent: Any = create_agent(model, toolkit.get_tools(), system_prompt=prompt)
            messages = (await agent.ainvoke({"messages": [{"role": "user", "content": words}]}))["messages"]
    saved = [message for message in messages if message.name == "producer_download_results"]
    files = [file for message in saved for file in (message.artifact or {}).get("files", [])]
    if not files:
        raise SystemExit(messages[-1].text)
    for file in files:
        length = f", {file['duration_seconds']:.1f} s" if file["kind"] == "audio" else f" ({file['kind']} file)"
        print(f"{file['title']}{length}: {os.path.relpath(file['path'])}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]).strip() or "a happy upbeat song about the first day of summer"))
