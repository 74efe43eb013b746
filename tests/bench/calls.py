"""What a submit through a tool costs, beside the least that a tool of LangChain can do: one POST with aiohttp."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, Literal

import aiohttp
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from producer_tools import ProducerClient, ProducerGenerateMusic
from producer_tools.requests import GenerateMusic
from tests.bench.section import Section

CALLS = 400
MANY = 64
RUNS = 25
IN_FLIGHT = 5
ARGUMENTS = {"prompt": "a slow sad waltz for strings"}
TOKEN = "token-of-the-sandbox"


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
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.in_flight, self.session.post(self.url, json=body, headers=headers) as response:
            answer = await response.json()
        return json.dumps(answer), answer


@contextmanager
def sandbox_process() -> Iterator[str]:
    """The sandbox in a process of its own, since its work is not the client's. Yields the base URL."""
    options = ["--port", "0", "--api-token", TOKEN, "--render-seconds", "0"]
    command = [sys.executable, "-m", "producer_tools.sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" on ")[1].split()[0]
        finally:
            process.terminate()


@asynccontextmanager
async def tools() -> AsyncIterator[tuple[BaseTool, BaseTool, BaseTool]]:
    """The package's tool, and the bare one with the same limit and without a limit."""
    with sandbox_process() as url:
        async with ProducerClient(TOKEN, url) as client, aiohttp.ClientSession() as session:
            address = f"{url}/producer/audios"
            yield (
                ProducerGenerateMusic(client=client),
                BareTool(url=address, session=session, in_flight=asyncio.Semaphore(IN_FLIGHT)),
                BareTool(url=address, session=session, in_flight=nullcontext()),
            )


async def measure() -> Section:
    """The fastest of many calls that take turns."""
    async with tools() as (ours, limited, bare):
        one = await _least(CALLS, lambda tool: tool.ainvoke(ARGUMENTS), ours, bare)
        many = await _least(RUNS, _at_once, ours, limited, bare)
    return Section(
        "Submits",
        "A submit through the tool `producer_generate_music`, with a client and a ledger as they are by default, "
        "beside a `BaseTool` with the same arguments that only sends the same body with a kept aiohttp session. The "
        f"client keeps {IN_FLIGHT} paid requests of a token in flight, as the service allows, so the bare tool is "
        "measured with that limit and without it. The sandbox answers in a process of its own; the time that it takes "
        f"is in all figures. The tools take turns. The least of {CALLS} calls, and of {RUNS} times {MANY} at once. "
        "The difference is what the client does besides: it writes the request and its outcome down, and sends it from "
        "an event loop that outlives the caller's.",
        ("submits", "tool", "time", "ratio"),
        [
            _row("1", "bare", one[1], one[1]),
            _row("1", "`producer_generate_music`", one[0], one[1]),
            _row(f"{MANY} at once", f"bare, {IN_FLIGHT} in flight", many[1], many[1]),
            _row(f"{MANY} at once", "bare, no limit", many[2], many[1]),
            _row(f"{MANY} at once", "`producer_generate_music`", many[0], many[1]),
        ],
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


def _row(submits: str, tool: str, seconds: float, base: float) -> tuple[str, ...]:
    return submits, tool, f"{seconds * 1000:.2f} ms", f"{seconds / base:.2f}"
