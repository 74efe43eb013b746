"""The part of ``make turns`` about MCP hosts: one song with this package's server, and with ``mcp-producer``.

The host is scripted. It does what the servers' texts say: with ``mcp-producer`` it looks again and again, once with the
pause of 15 s that the texts ask for, and once like a model, which cannot pause. That server itself pauses 5 s in a
look-up of an unfinished song.
"""

import asyncio
import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from mcp import ClientSession

from producer_tools.sandbox import ProducerSandbox
from tests.bench.fast_mcp_producer import SPEED
from tests.clocks import FastClock
from tests.mcp.hosts import FAST_PROGRAM, stdio_program, text_of

SONG_SECONDS = 60


class Cost(NamedTuple):
    """What one song has cost.

    Attributes:
        calls: how often a tool was called.
        turns: how often the model was called, including the last time, when it answers the user.
        characters: all that was sent to the model: in each turn the tools, and everything so far.
    """

    calls: int
    turns: int
    characters: int


class Host:
    """A host with a scripted model.

    Args:
        session: with the server.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._said: list[Any] = ["a happy song about summer"]
        self._characters = self._calls = 0

    async def song(self, pause: float = 0.0) -> Cost:
        """Make one song.

        Args:
            pause: seconds between two looks, if the server has no tool that waits.
        """
        listed = (await self._session.list_tools()).tools
        self._tools = json.dumps([[each.name, each.description, each.inputSchema] for each in listed])
        task_id = (await self._call("producer_generate_music", prompt="happy summer pop"))["task_id"]
        if any(each.name == "producer_wait_for_tasks" for each in listed):
            waited = await self._call("producer_wait_for_tasks", task_ids=[task_id])
            assert waited["counts"]["complete"] == 1
        else:
            while not (await self._call("producer_get_task", task_id=task_id))["mcp_task_polling"]["is_complete"]:
                await asyncio.sleep(pause)
        self._turn()
        return Cost(self._calls, self._calls + 1, self._characters)

    async def _call(self, name: str, **arguments: Any) -> dict[str, Any]:
        self._turn()
        self._calls += 1
        result = await self._session.call_tool(name, arguments)
        assert not result.isError, text_of(result)
        self._said += [[name, arguments], text_of(result)]
        return dict(json.loads(text_of(result)))

    def _turn(self) -> None:
        self._characters += len(self._tools) + len(json.dumps(self._said, ensure_ascii=False))


async def ours() -> Cost:
    """One song with this package's server."""
    with ProducerSandbox(render_seconds=SONG_SECONDS, clock=FastClock()) as sandbox:
        async with stdio_program(sandbox, module=FAST_PROGRAM) as session:
            return await Host(session).song()


async def theirs(pause: float) -> Cost:
    """One song with ``mcp-producer``, and a pause between two looks.

    Its look-up fails on an unfinished record in the format of the API's specification. So the sandbox sends the format
    that the server's own texts describe.
    """
    with ProducerSandbox(render_seconds=SONG_SECONDS, vocabulary="state", clock=FastClock(SPEED)) as sandbox:
        async with stdio_program(sandbox, module="tests.bench.fast_mcp_producer") as session:
            return await Host(session).song(pause / SPEED)


async def print_rows() -> None:
    """Measure both servers, and print them side by side."""
    print(f"\none song of {SONG_SECONDS} s, by MCP            calls  turns  characters to the model")
    _print_row("producer_tools.mcp", await ours())
    try:
        name = f"mcp-producer {version('mcp-producer')}"
    except PackageNotFoundError:
        print("mcp-producer                  not installed: it is in the dependency group peers")
        return
    _print_row(name, await theirs(0))
    _print_row("the same, looks 15 s apart", await theirs(15))


def _print_row(name: str, cost: Cost) -> None:
    print(f"{name:<30}{cost.calls:5}  {cost.turns:5}  {cost.characters:,}")
