"""Entries and submits for the tests of ledgers, and what the ledgers hold."""

from pathlib import Path
from typing import Any

from producer_tools import Ledger, ProducerClient, SqliteLedger
from producer_tools.payment.entry import Entry
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")


def entry(key: str = "key", fingerprint: str = "fingerprint", **values: Any) -> Entry:
    """A new entry, whose lease has lapsed unless the values say otherwise."""
    return Entry(key=key, fingerprint=fingerprint, **values)


async def answer(ledger: Ledger, begun: Entry, task_id: str = "t1") -> Entry:
    """Give an entry the answer that it became this task."""
    answered = begun.changed(answer={"task_id": task_id}, source="answer")
    assert await ledger.replace(begun, answered)
    return answered


async def answered(ledger: Ledger, key: str = "key", task_id: str = "t1") -> Entry:
    """Begin an entry and give it an answer."""
    begun = entry(key)
    assert await ledger.begin(begun) is None
    return await answer(ledger, begun, task_id)


async def keys(ledger: Ledger) -> set[str]:
    """The callers' keys of all entries, without the account before them."""
    return {each.key.partition("/")[2] for each in await ledger.entries()}


async def submit(sandbox: ProducerSandbox, path: Path, key: str = "k") -> str | None:
    """Submit a song as a process does that was started just now, and return the id of its task."""
    ledger = SqliteLedger(path)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, clock=InstantClock()) as client:
        return (await client.submit(SONG, key=key)).task_id
