"""``make turns``: how many turns, and how many characters, one song costs a model, with polling and with waiting.

The song takes 60 s. The same scripted model, which follows each ``next_step``, runs twice: (a) with only the tools that
the MCP server has too, so it looks every 5 s; (b) with `producer_wait_for_tasks`. All times pass on a test's clock.
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
from tests.bench import turns_mcp
from tests.clocks import FastClock, InstantClock

SONG_SECONDS = 60
LOOK_SECONDS = 5
NOT_IN_THE_MCP_SERVER = {"producer_wait_for_tasks", "producer_download_results"}


class CountingChatModel(ScriptedChatModel):
    """The scripted model, with a count of its turns and of all that is sent to it: messages so far, and tools."""

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


async def polling() -> CountingChatModel:
    """One song with the MCP server's tools; each look that comes too early sleeps, which passes at once."""
    return await _measure(InstantClock(), lambda name: name not in NOT_IN_THE_MCP_SERVER)


async def waiting() -> CountingChatModel:
    """One song with the tool that waits; its timeout and its looks run side by side, so the clock is only faster."""
    return await _measure(FastClock(), lambda name: name != "producer_download_results")


async def _measure(clock: FastClock | InstantClock, choose: Callable[[str], bool]) -> CountingChatModel:
    async with (
        ProducerSandbox(render_seconds=SONG_SECONDS, clock=clock) as sandbox,
        ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=LOOK_SECONDS, clock=clock) as client,
    ):
        tools: list[BaseTool] = [tool for tool in ProducerToolkit(client=client).get_tools() if choose(tool.name)]
        model = CountingChatModel()
        await create_agent(model, tools).ainvoke({"messages": [HumanMessage("a happy song about summer")]})
    return model


async def main() -> None:
    """Measure both, and print them side by side."""
    looked, waited = await polling(), await waiting()
    print(f"one song of {SONG_SECONDS} s                turns  characters to the model")
    print(f"(a) submit, look every {LOOK_SECONDS} s    {looked.turns:7}  {looked.characters:,}")
    print(f"(b) submit, wait              {waited.turns:7}  {waited.characters:,}")
    print("Each count includes the last turn, in which the model answers the user.")
    await turns_mcp.print_rows()


if __name__ == "__main__":
    asyncio.run(main())
