"""Give an agent the tools, and ask it for a song. It needs no keys: it runs on the sandbox, with a scripted model.

Run it with: python toolkit.py
"""

import asyncio
from typing import Any

from langchain.agents import create_agent

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel


async def main(words: str) -> None:
    """Ask the agent, and print its answer."""
    model = ScriptedChatModel()  # with a key: "anthropic:claude-sonnet-4-5", or any other that LangChain knows
    with ProducerSandbox() as sandbox:  # with ACEDATACLOUD_API_TOKEN, write client = ProducerClient() instead
        client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5)
        async with ProducerToolkit(client=client, download_dir="songs") as toolkit:
            agent: Any = create_agent(model, toolkit.get_tools())
            answer = await agent.ainvoke({"messages": [{"role": "user", "content": words}]})
            print(answer["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main("a calm piano piece"))
