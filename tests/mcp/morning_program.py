"""``python -m producer_tools.mcp`` whose clock shows the same morning at each start, so that no day ends in a test."""

import asyncio
import time
from unittest.mock import patch

from producer_tools.mcp.__main__ import main

_EIGHT_O_CLOCK = 1_800_000_000.0  # UTC
_BEGAN = time.monotonic()


class _MorningClock:
    def now(self) -> float:
        return _EIGHT_O_CLOCK + time.monotonic() - _BEGAN

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


if __name__ == "__main__":
    with patch("producer_tools.client.client.SystemClock", _MorningClock):
        main()
