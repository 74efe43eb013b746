"""How many turns, and how many characters, one song costs a model, with polling and with waiting, and by MCP."""

import json
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import BaseTool

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.langgraph.usable_tools import UsableToolsMiddleware
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from tests.bench import turns_mcp
from tests.bench.cost import Cost
from tests.bench.section import Section
from tests.clocks import InstantClock, VirtualClock
from tests.virtual_time import requests_take_no_time, running

LENGTHS = (40, 60, 180)
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


async def polling(song_seconds: float = 60) -> Cost:
    """One song with the MCP server's tools; each look that comes too early sleeps, which passes at once."""
    return await _measure(InstantClock(), song_seconds, lambda name: name not in NOT_IN_THE_MCP_SERVER)


async def waiting(song_seconds: float = 60) -> Cost:
    """One song with the tool that waits: time passes at once, but only while everybody waits."""
    return await _measure_waiting(song_seconds)


async def waiting_with_usable_tools(song_seconds: float = 60) -> Cost:
    """The same, with a middleware that shows the model only the tools for which the conversation has an id."""
    return await _measure_waiting(song_seconds, UsableToolsMiddleware())


async def _measure_waiting(song_seconds: float, *middleware: UsableToolsMiddleware) -> Cost:
    with requests_take_no_time(), running() as clock:
        return await _measure(clock, song_seconds, lambda name: name != "producer_download_results", *middleware)


async def _measure(
    clock: VirtualClock | InstantClock,
    song_seconds: float,
    choose: Callable[[str], bool],
    *middleware: UsableToolsMiddleware,
) -> Cost:
    async with (
        ProducerSandbox(render_seconds=song_seconds, clock=clock) as sandbox,
        ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=LOOK_SECONDS, clock=clock) as client,
    ):
        tools: list[BaseTool] = [tool for tool in ProducerToolkit(client=client).get_tools() if choose(tool.name)]
        model = CountingChatModel()
        agent: Any = create_agent(model, tools, middleware=middleware)
        await agent.ainvoke({"messages": [HumanMessage("a happy song about summer")]})
    return Cost(model.turns, model.characters)


async def measure() -> Section:
    """One song of each length, with each way to wait for it."""
    ways = [
        ("producer-tools in an agent, with `producer_wait_for_tasks`", waiting),
        ("the same with `UsableToolsMiddleware`", waiting_with_usable_tools),
        (f"without `producer_wait_for_tasks`, a look-up every {LOOK_SECONDS} s", polling),
        ("producer-tools' MCP server", turns_mcp.ours),
        ("`mcp-producer`, no pause between look-ups", turns_mcp.theirs),
        ("`mcp-producer`, a pause of 15 s between look-ups", turns_mcp.theirs_with_pauses),
    ]
    rows: list[tuple[str, ...]] = []
    for name, way in ways:
        costs = [await way(seconds) for seconds in LENGTHS]
        rows.append((name, *map(_in_words, costs)))
    return Section(
        "Turns and characters of one song",
        "For a song that takes 40, 60 or 180 s to make: how often a model is called, its answer to the user included, "
        "and how many characters are sent to it, which are in each turn the definitions of the tools and everything so "
        "far. The models are scripted and do what the results say. In the agent's rows, the tool that downloads files "
        "is left out, since no file is wanted.\n\n"
        "`mcp-producer` has no tool that waits. It pauses 5 s in each look-up of an unfinished song. Its texts ask for "
        "15 s more between two look-ups, which a host may do and a model cannot.",
        ("tools", *(f"{seconds} s" for seconds in LENGTHS)),
        rows,
    )


def _in_words(cost: Cost) -> str:
    return f"{cost.turns} turns, {cost.characters:,} characters"
