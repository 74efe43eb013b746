"""The event loop and the process that something runs in."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress


class HomeLoop:
    """The running event loop of this process, as others see it: from other loops and threads, and after a fork."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._process = os.getpid()

    @property
    def is_alive(self) -> bool:
        """Whether its tasks can still run: not if the loop is closed, or if this is a fork of its process."""
        return not self.loop.is_closed() and self._process == os.getpid()

    def call(self, callback: Callable[..., object], *args: object) -> None:
        """Have the loop call ``callback`` soon. It may be used from any thread; after the loop's end it does nothing.

        Args:
            callback: what to call in the loop.
            args: what to call it with.
        """
        if self.is_alive:
            with suppress(RuntimeError):  # the loop is closed at this very moment
                self.loop.call_soon_threadsafe(callback, *args)
