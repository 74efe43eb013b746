"""Entries for the tests of ledgers, and what the ledgers hold."""

from typing import Any

from producer_tools import Ledger
from producer_tools.payment.entry import Entry


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
