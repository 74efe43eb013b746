"""What one call costs with this package and with its peers, beside the bare request."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, NamedTuple

import aiohttp
from langchain_core.tools import BaseTool, tool

from producer_tools import ProducerClient, ProducerToolkit
from tests.bench import peers_environment
from tests.bench.peers_environment.timing import ENOUGH_SECONDS, LEAST, MOST, PAUSE, WARM_UP, seconds_of_calls
from tests.bench.section import Section
from tests.bench.servers import NEAR, Server, sandbox_process

ROUNDS = 3
SONG = {"prompt": "happy summer pop"}


class Times(NamedTuple):
    """The seconds of each call.

    Attributes:
        submit: of each submit of a song.
        look_up: of each look-up of a finished task.
    """

    submit: list[float]
    look_up: list[float]


Timed = Callable[[Server], Awaitable[Times]]


def in_peers_environment(way: str) -> Timed:
    """Times the calls of a peer; ``peer_calls.py`` has the ways."""

    async def timed(server: Server) -> Times:
        return Times(**await peers_environment.calls(server.base_url, server.api_token, way, "times"))

    return timed


async def bare(server: Server) -> Times:
    """Time LangChain tools that do nothing but one POST."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.api_token}"}) as session:

        async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            async with session.post(server.base_url + path, json=body) as response:
                return dict(await response.json())

        @tool
        async def submit(prompt: str) -> dict[str, Any]:
            """Make a song."""
            body = {"action": "generate", "prompt": prompt, "lyric": "", "async": True}
            return await post("/producer/audios", body)

        @tool
        async def look_up(task_id: str) -> dict[str, Any]:
            """Look a song up."""
            return await post("/producer/tasks", {"action": "retrieve", "id": task_id})

        return await _times(submit, look_up, (await submit.ainvoke(SONG))["task_id"])


async def ours(server: Server) -> Times:
    """Time this package's tools."""
    async with ProducerClient(server.api_token, server.base_url) as client:
        tools = {each.name: each for each in ProducerToolkit(client=client).get_tools()}
        submit, look_up = tools["producer_generate_music"], tools["producer_get_task"]
        call = {"name": submit.name, "args": SONG, "id": "first", "type": "tool_call"}
        return await _times(submit, look_up, (await submit.ainvoke(call)).artifact["task_id"])


PEERS: list[tuple[str, Timed]] = [
    ("a bare POST with aiohttp", bare),
    ("producer-tools", ours),
    ("`acedatacloud`, the provider's SDK", in_peers_environment("sdk")),
    ("`langchain-suno-acedatacloud`, HTTP client kept", in_peers_environment("suno")),
    ("the same, its default: a client for each call", in_peers_environment("suno_default")),
    ("`mcp-producer` over HTTP, session kept", in_peers_environment("mcp_http")),
    ("the same, the adapters' default: a session for each call", in_peers_environment("mcp_http_default")),
    ("`mcp-producer` over stdio, session kept", in_peers_environment("mcp_stdio")),
    ("the same, the adapters' default: a process for each call", in_peers_environment("mcp_stdio_default")),
]


async def measure() -> Section:
    """The median of all calls of all rounds; in each round, each way starts anew."""
    times: dict[str, Times] = defaultdict(lambda: Times([], []))
    with sandbox_process(NEAR, "--vocabulary", "state") as server:  # a format that every peer can read
        for _ in range(ROUNDS):
            for name, timed in PEERS:
                submit, look_up = await timed(server)
                times[name].submit.extend(submit)
                times[name].look_up.extend(look_up)
    medians = {name: (median(each.submit), median(each.look_up)) for name, each in times.items()}
    base = medians[PEERS[0][0]]
    return Section(
        "One call, beside the peers",
        "The time from the call of a LangChain tool to its result: to submit a song, and to look up a finished task. "
        "The server is the sandbox in a process of its own, and the ratios compare with a tool that only sends a POST. "
        f"Each time is the median of all calls of {ROUNDS} rounds. A round has {WARM_UP} calls that do not count, and "
        f"then up to {MOST}, {PAUSE * 1000:.0f} ms apart; of a slow way, as many as fit into {ENOUGH_SECONDS:.0f} s, "
        f"at least {LEAST}.\n\n"
        "`mcp-producer` is called through `langchain-mcp-adapters`. `langchain-suno-acedatacloud` has tools for Suno, "
        "another of the provider's APIs: its requests are sent to the Producer paths here. The SDK has no LangChain "
        "tools: its calls stand in two tools of one line. Only this package writes each paid call to a ledger.",
        ("one call", "submit", "ratio", "look-up", "ratio"),
        [
            (name, *[cell for one in zip(seconds, base, strict=True) for cell in _cells(*one)])
            for name, seconds in medians.items()
        ],
    )


def _cells(seconds: float, base: float) -> tuple[str, str]:
    return f"{seconds * 1000:.1f} ms", f"{seconds / base:.1f}"


async def _times(submit: BaseTool, look_up: BaseTool, task_id: str) -> Times:
    return Times(
        await seconds_of_calls(lambda: submit.ainvoke(SONG)),
        await seconds_of_calls(lambda: look_up.ainvoke({"task_id": task_id})),
    )
