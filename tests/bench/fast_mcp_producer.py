"""``mcp-producer`` with pauses that are twenty times as short."""

import asyncio
from importlib.metadata import entry_points
from typing import Any

SPEED = 20.0

_sleep = asyncio.sleep


async def _short_sleep(seconds: float, result: Any = None) -> Any:
    return await _sleep(seconds / SPEED, result)


if __name__ == "__main__":
    asyncio.sleep = _short_sleep  # type: ignore[assignment]
    [program] = entry_points(group="console_scripts", name="mcp-producer")
    program.load()()
