"""What many look-ups at once take: a server looks tasks up for many requests of its users at the same time."""

import asyncio
import time

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from tests.bench.distant_sandbox import SECONDS
from tests.bench.section import Section
from tests.bench.servers import DISTANT, NEAR, sandbox_process

RUNS = 40
MANY = 64


async def measure() -> Section:
    """The fastest of many runs of each, with a sandbox that answers at once and with one that does not."""
    rows: list[tuple[str, ...]] = []
    for answer, module in (("at once", NEAR), (f"after {SECONDS * 1000:.0f} ms", DISTANT)):
        one, many = await _least(module)
        rows += [
            ("1", answer, f"{one * 1000:.1f} ms", "1.0"),
            (f"{MANY} of different tasks", answer, f"{many * 1000:.1f} ms", f"{many / one:.1f}"),
        ]
    return Section(
        "Look-ups",
        "The service allows 60 look-ups a second. Look-ups that start together go into requests of 50 tasks each. All "
        "tasks are finished. The sandbox answers in a process of its own, at once or later, as over a network. If it "
        "answers at once, the ratio is that of the work: of making and of reading 64 records in place of one. The "
        f"least of {RUNS} runs.",
        ("look-ups at once", "the service answers", "time", "ratio"),
        rows,
    )


async def _least(module: str) -> tuple[float, float]:
    one, many = [], []
    with sandbox_process(module) as server:
        async with ProducerClient(server.api_token, server.base_url, poll_interval=0) as client:
            ids = [str((await client.submit(GenerateMusic(prompt="a song"))).task_id) for _ in range(MANY)]
            for _ in range(RUNS):
                one.append(await _seconds(client, ids[:1]))
                many.append(await _seconds(client, ids))
                await asyncio.sleep(0.1)  # the rate that the service allows is not what is measured
    return min(one), min(many)


async def _seconds(client: ProducerClient, task_ids: list[str]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*map(client.get_task, task_ids))
    return time.perf_counter() - began
