"""The toolkit in an agent, on the sandbox: python examples/toolkit.py."""

import asyncio
from typing import Any

from chat_model import choose_chat_model
from langchain.agents import create_agent

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox


async def main(wish: str) -> None:
    """Ask an agent for a song."""
    with ProducerSandbox() as sandbox:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5)
        async with ProducerToolkit(client=client, download_dir="songs") as toolkit:
            agent: Any = create_agent(choose_chat_model(), toolkit.get_tools())
            answer = await agent.ainvoke({"messages": [("user", wish)]})
            print(answer["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main("a calm piano piece"))
