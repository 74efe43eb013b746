"""A trial call whose process ends before it is sent: see `test_availability`."""

import asyncio

import pytest

from producer_tools import Ledger, MemoryLedger, ProducerClient
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import ManualClock

SONG = GenerateMusic(prompt="rain")


class _WatchedLedger(MemoryLedger):
    """Notices the first note that is written after the event was cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = asyncio.Event()

    async def write_note(self, name: str, value: object) -> None:
        await super().write_note(name, value)  # type: ignore[arg-type]
        self.is_written.set()


async def test_a_trial_that_is_cancelled_while_others_are_asked_stops_nobody() -> None:
    """A process that ends in that half second would stop the paid calls of a whole fleet for ten minutes."""
    clock, ledger = ManualClock(), _WatchedLedger()

    def client(shared: Ledger) -> ProducerClient:
        url, token = sandbox.base_url, sandbox.api_token
        return ProducerClient(token, url, poll_interval=0, ledger=shared, clock=clock, failures_until_down=1)

    with ProducerSandbox(render_seconds=0, clock=clock, silent=True) as sandbox:
        async with client(ledger) as first, client(ledger) as second:
            with sandbox.outage("no_capacity", submits=1):
                failed = await first.submit(SONG)
                await first.get_task(str(failed.task_id))
            clock.advance(60)
            ledger.is_written.clear()
            before = asyncio.all_tasks()
            trial = asyncio.create_task(first.submit(SONG))
            await ledger.is_written.wait()
            # As `asyncio.run` does it at its end.
            ended = asyncio.all_tasks() - before
            for each in ended:
                each.cancel()
            await asyncio.wait(ended)
            with pytest.raises(asyncio.CancelledError):
                await trial
            assert (await second.submit(SONG)).task_id
            assert len(sandbox.charges) == 1
