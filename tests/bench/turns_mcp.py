"""One song with a scripted MCP host: with this package's server, and with ``mcp-producer``.

The host does what the servers' texts say. With ``mcp-producer``, it looks the song up again and again. Then time passes
only in pauses, so the figures do not depend on the machine.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from producer_tools.sandbox import ProducerSandbox
from tests.bench import peers_environment
from tests.bench.cost import Cost
from tests.bench.peers_environment.local_mcp_producer import PAUSE
from tests.clocks import FastClock, ManualClock
from tests.mcp.fast_program import SPEED
from tests.mcp.hosts import FAST_PROGRAM, stdio_program, text_of

ADVISED_PAUSE = 15.0


class Host:
    """A host with a scripted model.

    Args:
        session: with the server.
        pause: called between two looks, if the server has no tool that waits.
    """

    def __init__(self, session: ClientSession, pause: Callable[[], None] | None = None) -> None:
        self._session = session
        self._pause = pause
        self._said: list[Any] = ["a happy song about summer"]
        self._characters = self._turns = 0

    async def song(self) -> Cost:
        """Make one song."""
        listed = (await self._session.list_tools()).tools
        self._tools = json.dumps([[each.name, each.description, each.inputSchema] for each in listed])
        task_id = (await self._call("producer_generate_music", prompt="happy summer pop"))["task_id"]
        if self._pause is None:
            waited = await self._call("producer_wait_for_tasks", task_ids=[task_id])
            assert waited["counts"]["complete"] == 1
        else:
            while not (await self._call("producer_get_task", task_id=task_id))["mcp_task_polling"]["is_complete"]:
                self._pause()
        self._turn()
        return Cost(self._turns, self._characters)

    async def _call(self, name: str, **arguments: Any) -> dict[str, Any]:
        self._turn()
        result = await self._session.call_tool(name, arguments)
        assert not result.isError, text_of(result)
        self._said += [[name, arguments], text_of(result)]
        return dict(json.loads(text_of(result)))

    def _turn(self) -> None:
        self._turns += 1
        self._characters += len(self._tools) + len(json.dumps(self._said, ensure_ascii=False))


async def ours(song_seconds: float) -> Cost:
    """One song with this package's server."""
    with ProducerSandbox(render_seconds=song_seconds, clock=FastClock(SPEED)) as sandbox:
        async with stdio_program(sandbox, module=FAST_PROGRAM) as session:
            return await Host(session).song()


async def theirs_with_pauses(song_seconds: float) -> Cost:
    """One song with ``mcp-producer``, and the pause between two looks that its texts ask for."""
    return await theirs(song_seconds, ADVISED_PAUSE)


async def theirs(song_seconds: float, pause: float = 0.0) -> Cost:
    """One song with ``mcp-producer``, whose own pause in each look is followed by one of the host's.

    Its look-up fails on a pending record in the format of the API's specification. So the sandbox sends the format that
    the server's own texts describe.
    """
    clock = ManualClock()
    with ProducerSandbox(render_seconds=song_seconds, vocabulary="state", clock=clock) as sandbox:
        server = StdioServerParameters(
            command=str(peers_environment.PYTHON),
            args=[str(peers_environment.MCP_PRODUCER)],
            env=peers_environment.variables(sandbox.base_url, sandbox.api_token),
        )
        with Path(os.devnull).open("w") as log:
            async with stdio_client(server, errlog=log) as streams, ClientSession(*streams) as session:
                await session.initialize()
                return await Host(session, lambda: clock.advance(PAUSE + pause)).song()
