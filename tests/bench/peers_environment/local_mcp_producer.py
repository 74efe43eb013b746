"""``mcp-producer`` without its one long pause, of `PAUSE` seconds, and listening on loopback only."""

import asyncio
from importlib.metadata import entry_points
from typing import Any

PAUSE = 5.0
"""The seconds for which it sleeps in a look-up of an unfinished song."""

_sleep = asyncio.sleep


async def _sleep_unless_it_is_long(seconds: float, result: Any = None) -> Any:
    return await _sleep(0 if seconds == PAUSE else seconds, result)


def _listen_on_loopback() -> None:
    import uvicorn  # noqa: PLC0415 - the suite's environment imports this module too, and needs no uvicorn

    run = uvicorn.run
    uvicorn.run = lambda app, **options: run(app, **{**options, "host": "127.0.0.1"})


if __name__ == "__main__":
    asyncio.sleep = _sleep_unless_it_is_long  # type: ignore[assignment]
    _listen_on_loopback()
    [program] = entry_points(group="console_scripts", name="mcp-producer")
    program.load()()
