"""A note in a ledger, by which clients share whether the service works. The ledger stops no call."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from producer_tools.payment.ledger import Ledger
from producer_tools.telemetry import logger

# A ledger that does not answer must not hold a call up. By the machine's time, as every timeout.
_LONGEST_SECONDS = 2.0

T = TypeVar("T")


class SharedNote:
    """Reads and writes a note, if the ledger can do it in time.

    A call to a ledger in a locked file cannot be stopped. So it goes on when nobody waits for it any more, and no other
    one is begun until it ends.

    Args:
        name: its name in the ledger.
        ledger: the ledger, which may be exchanged.
    """

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.ledger = ledger
        self._late_call: asyncio.Future[Any] | None = None

    async def read(self) -> Mapping[str, Any] | None:
        """What the note says; ``None`` if there is none, or the ledger fails or takes too long."""
        return None if self._is_busy() else await self._in_time(self.ledger.read_note(self.name))

    async def write(self, value: Mapping[str, Any]) -> None:
        """Write the note, unless the ledger fails or takes too long."""
        if not self._is_busy():
            await self._in_time(self.ledger.write_note(self.name, value))

    def _is_busy(self) -> bool:
        """Whether a call that took too long is still under way."""
        late = self._late_call
        return late is not None and late.get_loop() is asyncio.get_running_loop() and not late.done()

    async def _in_time(self, call: Awaitable[T]) -> T | None:
        calling = asyncio.ensure_future(call)
        calling.add_done_callback(_take_error)
        try:
            await asyncio.wait([calling], timeout=_LONGEST_SECONDS)
            if calling.done():
                return calling.result()
            reason = f"no answer within {_LONGEST_SECONDS:g} seconds"
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is no reason to stop a call
            reason = f"{type(fault).__name__}: {fault}"
        finally:
            if not calling.done():
                self._late_call = calling
        logger.warning("The ledger did not share whether the service works: %s", reason)
        return None


def _take_error(calling: asyncio.Future[Any]) -> None:
    """Take the error of a call, which perhaps nobody waits for any more: asyncio would report it."""
    if not calling.cancelled():
        calling.exception()
