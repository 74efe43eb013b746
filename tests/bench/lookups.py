"""What many look-ups at once take: a server looks tasks up for many requests of its users at the same time."""

import asyncio
import time

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from tests.bench.calls import TOKEN, sandbox_process
from tests.bench.section import Section

RUNS = 40
MANY = 64


async def measure() -> Section:
    """The fastest of 15 runs of each."""
    one, many = [], []
    with sandbox_process() as url:
        async with ProducerClient(TOKEN, url, poll_interval=0) as client:
            ids = [str((await client.submit(GenerateMusic(prompt="a song"))).task_id) for _ in range(MANY)]
            for _ in range(RUNS):
                one.append(await _seconds(client, ids[:1]))
                many.append(await _seconds(client, ids))
                await asyncio.sleep(0.1)  # the rate that the service allows is not what is measured
    return Section(
        "Look-ups",
        "The service allows 60 look-ups a second. Look-ups that start together go into requests of 50 tasks each. All "
        f"tasks are finished. The sandbox answers in a process of its own. The least of {RUNS} runs.",
        ("look-ups at once", "time", "ratio"),
        [
            ("1", f"{min(one) * 1000:.1f} ms", "1.0"),
            (f"{MANY} of different tasks", f"{min(many) * 1000:.1f} ms", f"{min(many) / min(one):.1f}"),
        ],
    )


async def _seconds(client: ProducerClient, task_ids: list[str]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*map(client.get_task, task_ids))
    return time.perf_counter() - began
