"""A ledger in a file, with one request of each kind."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from producer_tools import SqliteLedger
from producer_tools.payment.entry import Entry

ACCOUNT, OTHER = "5f16a9c02be871d4", "aaaaaaaa11111111"
CANDIDATES = ["1a6ac2ad-10f2-4e2b-b500-66ec27fe82ad", "8f0e1d2c-3b4a-4958-8776-655443322110"]


def entry(key: str, account: str = ACCOUNT, **values: Any) -> Entry:
    """A request for a song that was begun two hours ago; its outcome is unknown unless the values say otherwise."""
    request = {"action": "generate", "model": "FUZZ-2.0", "prompt": "late-night jazz trio"}
    of_a_song = {
        "fingerprint": "2:abc",
        "endpoint": "/producer/audios",
        "begun_at": time.time() - 7200,
        "request": request,
    }
    return Entry(**{"key": f"{account}/{key}", "account": account, **of_a_song, **values})


def write(path: Path, entries: Iterable[Entry]) -> str:
    """Make the file, and return its path as on a command line."""

    async def begin() -> None:
        ledger = SqliteLedger(path)
        for each in entries:
            assert await ledger.begin(each) is None

    asyncio.run(begin())
    return str(path)


def read(path: str | Path) -> dict[str, Entry]:
    """The entries of the file by their keys."""
    return {each.key: each for each in asyncio.run(SqliteLedger(path).entries())}


def of_each_kind() -> list[Entry]:
    """One request of each kind, and what a search leaves in a ledger."""
    several = {"state": "several", "task_ids": CANDIDATES, "source": "listing"}
    mark: dict[str, Any] = {"fingerprint": f"task of {ACCOUNT}/answered", "endpoint": "", "request": {}}
    return [
        entry("unknown"),
        entry("searched", finding=several, request={"action": "cover", "title": "First Day of Summer"}),
        entry("in-flight", lease_until=time.time() + 70),
        entry("answered", answer={"task_id": "t-answered"}, source="answer"),
        entry("freed released", answer={}, outcome="released"),
        entry("task t-answered", answer={"task_id": "t-answered"}, **mark),
    ]
