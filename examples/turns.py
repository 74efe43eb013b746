"""How many turns, and how many characters, does one song cost a model? Looking again and again against waiting.

    python examples/turns.py

The song takes 60 s. The same scripted model, which does what each ``next_step`` says, has in (a) the tools that the
MCP server has too, and looks every 5 s; in (b) it can wait. All times are a tenth of what they stand for.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import BaseTool

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel

SCALE = 0.1
OUR_OWN = {"producer_wait_for_tasks", "producer_download_results"}


class CountingChatModel(ScriptedChatModel):
    """The scripted model, with a count of what each turn sends to it: all messages so far, and the tools."""

    turns: int = 0
    characters: int = 0

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.turns += 1
        sent = [{"text": message.text, "calls": getattr(message, "tool_calls", [])} for message in messages]
        self.characters += len(json.dumps(sent, ensure_ascii=False)) + len(json.dumps(kwargs.get("tools", [])))
        return super()._generate(messages, stop, run_manager, **kwargs)


async def measure(choose: Callable[[str], bool]) -> CountingChatModel:
    """Let the model make one song with the chosen tools."""
    async with (
        ProducerSandbox(render_seconds=60 * SCALE) as sandbox,
        ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=5 * SCALE) as client,
    ):
        tools: list[BaseTool] = [tool for tool in ProducerToolkit(client=client).get_tools() if choose(tool.name)]
        model = CountingChatModel()
        await create_agent(model, tools).ainvoke({"messages": [HumanMessage("a happy song about summer")]})
    return model


async def main() -> None:
    """Measure both ways and print them side by side."""
    polling = await measure(lambda name: name not in OUR_OWN)
    waiting = await measure(lambda name: name != "producer_download_results")
    print("one song of 60 s                turns  characters to the model")
    print(f"(a) submit, look every 5 s    {polling.turns:7}  {polling.characters:,}")
    print(f"(b) submit, wait              {waiting.turns:7}  {waiting.characters:,}")
    print("Each count includes the last turn, in which the model answers the user.")


if __name__ == "__main__":
    asyncio.run(main())
