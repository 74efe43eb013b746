"""The time of the running event loop, which a test moves on when what it waits for has happened."""

import asyncio


class LoopTime:
    """Lets timeouts end at the moment that the test means, however slow the machine is.

    A timeout of a few tenths of a second can end too early on a busy machine. With this, it may have many seconds.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._of_the_machine = self._loop.time
        self._passed = 0.0
        self._loop.time = self._now  # type: ignore[method-assign]  # all timers of the loop ask it

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. What was to happen in them happens in the next turns of the loop."""
        self._passed += seconds

    def _now(self) -> float:
        return self._of_the_machine() + self._passed
