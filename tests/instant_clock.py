"""A clock on which every wait is over at once, and remembered."""

import asyncio


class InstantClock:
    """Time passes only in `sleep`, and at once."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
