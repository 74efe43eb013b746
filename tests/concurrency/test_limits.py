"""The semaphore and the rate limiter, which hold across all event loops and threads of a process."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from producer_tools.concurrency.limits import RateLimiter, Semaphore
from tests.clocks import InstantClock


async def test_the_rate_limiter_lets_at_most_its_count_start_in_any_second() -> None:
    """More than that, and the service refuses look-ups with 429; much less, and waits end late."""
    clock = InstantClock()
    limiter = RateLimiter(60, clock)
    starts = []
    for _ in range(200):
        await limiter.acquire()
        starts.append(clock.time)
        clock.time += 0.001
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(starts, starts[60:], strict=False))
    assert starts[-1] - starts[0] < 4


def test_the_semaphore_holds_across_loops_and_threads() -> None:
    """If each loop had its own, four threads would send 20 paid requests at once, and the service allows 5."""
    semaphore, lock, holders, most = Semaphore(5), threading.Lock(), 0, 0

    def count(change: int) -> None:
        nonlocal holders, most
        with lock:
            holders += change
            most = max(most, holders)

    async def hold() -> None:
        async with semaphore.hold():
            count(1)
            await asyncio.sleep(0.001)
            count(-1)

    async def many() -> None:
        await asyncio.gather(*(hold() for _ in range(20)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asyncio.run(many()), range(4)))
    assert most == 5
    assert semaphore.free == 5


async def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    """If each cancelled call kept the semaphore, a worker would stop for good after five of them."""
    semaphore = Semaphore(1)
    order: list[str] = []

    async def hold(name: str) -> None:
        async with semaphore.hold():
            order.append(name)
            await asyncio.sleep(0)

    async with semaphore.hold():
        waiting = [asyncio.create_task(hold(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # the semaphore was handed to it a moment ago
    await asyncio.gather(*waiting, return_exceptions=True)
    assert order == ["c"]
    assert semaphore.free == 1
