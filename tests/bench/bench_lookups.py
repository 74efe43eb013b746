"""What many look-ups at once take. `make bench` runs it; the suite does not."""

import asyncio
import time

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox

RUNS = 15
MANY = 64


async def test_many_look_ups_at_once_take_little_longer_than_one() -> None:
    """A server looks tasks up for many of its users' requests at once, and the service allows 60 look-ups a second."""
    one, many = [], []
    with ProducerSandbox() as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
            ids = [str((await client.submit(GenerateMusic(prompt="a song"))).task_id) for _ in range(MANY)]
            for _ in range(RUNS):
                one.append(await _seconds(client, ids[:1]))
                many.append(await _seconds(client, ids))
                await asyncio.sleep(0.1)  # the rate that the service allows is not what is measured
    print(
        f"1 look-up: {min(one) * 1000:.1f} ms; {MANY} at once: {min(many) * 1000:.1f} ms, {min(many) / min(one):.1f}x"
    )
    assert min(many) < 0.2


async def _seconds(client: ProducerClient, task_ids: list[str]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*map(client.get_task, task_ids))
    return time.perf_counter() - began
