"""How long a call takes, measured in the same way in both environments."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

WARM_UP = 2
"""So many calls do not count."""
LEAST, MOST = 3, 40
"""So many calls are made at least, even if they are slow, and at most."""
ENOUGH_SECONDS = 2.0
"""No further call is made after this time."""
PAUSE = 0.02
"""Seconds between two calls: the service allows 60 look-ups a second."""


async def seconds_of_calls(call: Callable[[], Awaitable[Any]]) -> list[float]:
    """The seconds that each call took."""
    for _ in range(WARM_UP):
        await call()
    times: list[float] = []
    while len(times) < LEAST or (len(times) < MOST and sum(times) < ENOUGH_SECONDS):
        await asyncio.sleep(PAUSE)
        began = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began)
    return times
