"""The semaphore and the rate limiter, which hold across all event loops and threads of a process."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from producer_tools.concurrency.limits import RateLimiter, Semaphore
from tests.clocks import InstantClock


async def test_the_rate_limiter_lets_at_most_its_count_start_in_any_second() -> None:
    """More than that, and the service refuses look-ups with 429; much less, and waits end late."""
    clock = InstantClock()
    limiter = RateLimiter(60, clock)
    starts = []
    for _ in range(200):
        await limiter.acquire("token")
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


def test_a_closed_loop_does_not_keep_the_semaphore() -> None:
    """A worker whose loops are closed during calls would never send a paid request again after five of them."""
    semaphore = Semaphore(2)
    kept: list[object] = []  # as a debugger or a traceback keeps a task, so that it is not collected

    async def hold() -> None:
        async with semaphore.hold():
            await asyncio.Event().wait()

    async def start() -> None:
        kept.extend(asyncio.create_task(hold()) for _ in range(4))  # two hold it, two wait
        await asyncio.sleep(0)

    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(start())
        loop.close()
        assert semaphore.free == 2
    asyncio.run(asyncio.wait_for(_hold_once(semaphore), 50))


def test_a_waiter_is_served_when_the_loop_of_a_holder_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tells a waiter that another loop was closed, so it must look for itself."""
    monkeypatch.setattr("producer_tools.concurrency.limits._SECONDS_BETWEEN_CHECKS", 0.01)
    semaphore = Semaphore(1)
    kept: list[object] = []
    other = asyncio.new_event_loop()

    async def hold() -> None:
        async with semaphore.hold():
            await asyncio.Event().wait()

    async def start() -> None:
        kept.append(asyncio.create_task(hold()))
        await asyncio.sleep(0)

    async def wait() -> None:
        waiting = asyncio.create_task(_hold_once(semaphore))
        await asyncio.sleep(0)
        other.close()
        await asyncio.wait_for(waiting, 50)

    other.run_until_complete(start())
    asyncio.run(wait())


async def _hold_once(semaphore: Semaphore) -> None:
    async with semaphore.hold():
        pass


async def test_thousands_of_waiters_take_little_time() -> None:
    """16,000 submits at once took two minutes of the event loop, in which nothing else of the server went on."""
    assert await _seconds_for(4000) < 2, "some 0.05 seconds, or 8 if each of them walks through all others"


async def _seconds_for(waiters: int) -> float:
    """The processor time that so many waiters of a semaphore take, without that of the garbage of other tests."""
    semaphore = Semaphore(5)
    gc.disable()
    try:
        began = time.thread_time()
        await asyncio.gather(*(_hold_once(semaphore) for _ in range(waiters)))
        return time.thread_time() - began
    finally:
        gc.enable()
