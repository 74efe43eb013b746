"""What a submit through a tool costs, beside the least that a tool of LangChain can do: one POST with aiohttp."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Literal

import aiohttp
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from producer_tools import ProducerClient, ProducerGenerateMusic
from producer_tools.requests import GenerateMusic
from tests.bench.distant_sandbox import SECONDS
from tests.bench.section import Section
from tests.bench.servers import DISTANT, NEAR, sandbox_process

CALLS = 150
MANY = 64
RUNS = 12
IN_FLIGHT = 5
ARGUMENTS = {"prompt": "a slow sad waltz for strings"}


class BareTool(BaseTool):
    """The same arguments and the same body, sent with a session that stays open. Nothing is written down."""

    name: str = "generate_music"
    description: str = "Make a new song."
    args_schema: type[BaseModel] = GenerateMusic
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    url: str
    session: Any
    in_flight: Any
    """A semaphore, or a context that limits nothing."""

    def _run(self, **_: Any) -> Any:
        raise NotImplementedError

    async def _arun(self, prompt: str, **_: Any) -> tuple[str, dict[str, Any]]:
        body = {
            "action": "generate",
            "lyric": "",
            "prompt": prompt,
            "model": "FUZZ-2.0",
            "instrumental": False,
            "async": True,
        }
        async with self.in_flight, self.session.post(self.url, json=body) as response:
            answer = await response.json()
        return json.dumps(answer), answer


@asynccontextmanager
async def tools(module: str) -> AsyncIterator[tuple[BaseTool, BaseTool, BaseTool]]:
    """The package's tool, and the bare one with the same limit and without a limit, for a sandbox."""
    with sandbox_process(module) as server:
        headers = {"Authorization": f"Bearer {server.api_token}"}
        async with (
            ProducerClient(server.api_token, server.base_url) as client,
            aiohttp.ClientSession(headers=headers) as session,
        ):
            address = f"{server.base_url}/producer/audios"
            yield (
                ProducerGenerateMusic(client=client),
                BareTool(url=address, session=session, in_flight=asyncio.Semaphore(IN_FLIGHT)),
                BareTool(url=address, session=session, in_flight=nullcontext()),
            )


async def measure() -> Section:
    """The fastest of many calls that take turns, with a sandbox that answers at once and with one that does not."""
    rows: list[tuple[str, ...]] = []
    for answer, module in (("at once", NEAR), (f"after {SECONDS * 1000:.0f} ms", DISTANT)):
        async with tools(module) as (ours, limited, bare):
            one = await _least(CALLS, lambda tool: tool.ainvoke(ARGUMENTS), ours, bare)
            many = await _least(RUNS, _at_once, ours, limited, bare)
        rows += [
            _row("1", answer, "bare", one[1], one[1]),
            _row("1", answer, "`producer_generate_music`", one[0], one[1]),
            _row(f"{MANY} at once", answer, f"bare, {IN_FLIGHT} in flight", many[1], many[1]),
            _row(f"{MANY} at once", answer, "bare, no limit", many[2], many[1]),
            _row(f"{MANY} at once", answer, "`producer_generate_music`", many[0], many[1]),
        ]
    return Section(
        "Submits",
        "A submit through the tool `producer_generate_music`, with a client and a ledger as they are by default, "
        "beside a `BaseTool` with the same arguments that only sends the same body with a kept aiohttp session. The "
        f"client keeps {IN_FLIGHT} paid requests of a token in flight, as the service allows, so the bare tool is "
        "measured with that limit and without it. The sandbox answers in a process of its own, at once or later, as "
        f"over a network. The tools take turns. The least of {CALLS} calls, and of {RUNS} times {MANY} at once.\n\n"
        "The difference is what the client does besides: it writes the request and its outcome down, and sends it from "
        "an event loop that outlives the caller's.",
        ("submits", "the service answers", "tool", "time", "ratio"),
        rows,
    )


async def _least(runs: int, call: Callable[[BaseTool], Awaitable[object]], *tools: BaseTool) -> list[float]:
    """The least time of the call with each tool."""
    times: list[list[float]] = [[] for _ in tools]
    for _ in range(runs):
        for tool, its_times in zip(tools, times, strict=True):
            began = time.perf_counter()
            await call(tool)
            its_times.append(time.perf_counter() - began)
    return [min(its_times) for its_times in times]


async def _at_once(tool: BaseTool) -> None:
    await asyncio.gather(*(tool.ainvoke(ARGUMENTS) for _ in range(MANY)))


def _row(submits: str, answer: str, tool: str, seconds: float, base: float) -> tuple[str, ...]:
    return submits, answer, tool, f"{seconds * 1000:.2f} ms", f"{seconds / base:.2f}"
