"""Clients with one ledger share whether the service is down, and a ledger that cannot share it stops no call."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import Ledger, MemoryLedger, SqliteLedger, StoreLedger
from tests.payment.service_down import DOWN, SONG, Down


@pytest.mark.parametrize("kind", ["memory", "sqlite", "store"])
async def test_clients_of_one_ledger_share_what_they_saw(down: Down, tmp_path: Path, kind: str) -> None:
    """If this fails, each worker of a fleet finds out by itself, at three songs each."""
    path = tmp_path / "ledger.db"
    memory, store = MemoryLedger(), InMemoryStore()
    make: dict[str, Callable[[], Ledger]] = {
        "memory": lambda: memory,
        "sqlite": lambda: SqliteLedger(path),
        "store": lambda: StoreLedger(store),
    }
    one, two = (down.client(make[kind]()) for _ in range(2))
    with down.sandbox.outage("no_capacity"):
        assert await down.songs(one, 2) == ["failed"] * 2
        assert await down.songs(two, 2) == ["failed", DOWN]
        down.clock.advance(5)
        assert await down.song(one) == DOWN
    down.clock.advance(60)
    down.sandbox.render_seconds = 1
    trial = await one.submit(SONG)
    assert await down.song(two) == DOWN
    down.clock.advance(1)
    await two.get_task(str(trial.task_id))
    assert await down.song(one) == "pending"


class _SlowToRead(MemoryLedger):
    """A ledger whose notes may be changed while an answer is on its way, as in a database."""

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        note = await super().read_note(name)
        for _ in range(20):
            await asyncio.sleep(0)
        return note


async def test_of_several_trials_in_one_moment_only_one_is_sent(down: Down) -> None:
    """All workers of a fleet wait for the same minute to end, and each would try the service."""
    ledger = _SlowToRead()
    clients = [down.client(ledger, failures_until_down=1) for _ in range(3)]
    with down.sandbox.outage("no_capacity", submits=1):
        await down.song(clients[0])
    down.clock.advance(60)
    assert sorted(await asyncio.gather(*map(down.song, clients))) == ["complete", DOWN, DOWN]
    assert down.songs_sent == 2


class _CountingLedger(MemoryLedger):
    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = 0

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        self.reads += 1
        return await super().read_note(name)

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        self.writes += 1
        await super().write_note(name, value)


async def test_while_all_goes_well_the_ledger_is_hardly_asked(down: Down) -> None:
    """Each song would otherwise cost two more round trips to the database."""
    ledger = _CountingLedger()
    assert await down.songs(down.client(ledger), 5) == ["complete"] * 5
    assert (ledger.reads, ledger.writes) == (1, 0)


class _NoteFails(MemoryLedger):
    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        raise OSError(f"{name} cannot be read")

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        raise OSError(f"{name} cannot be written: {value}")


async def test_a_ledger_that_cannot_share_stops_no_call(down: Down) -> None:
    """The client then goes by what it saw itself."""
    client = down.client(_NoteFails())
    assert await down.song(client) == "complete"
    with down.sandbox.outage("no_capacity"):
        assert await down.songs(client, 4) == ["failed"] * 3 + [DOWN]


async def test_a_locked_ledger_does_not_delay_a_look_up(
    down: Down, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits 30 seconds for a locked file, and its thread cannot be stopped: each look-up took a minute."""
    monkeypatch.setattr("producer_tools.payment.shared_note._LONGEST_SECONDS", 0.01)
    client = down.client(SqliteLedger(tmp_path / "ledger.sqlite"))
    with down.sandbox.outage("no_capacity", submits=1):
        task = await client.submit(SONG)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", timeout=50, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            down.clock.advance(5)
            looked_up = await asyncio.wait_for(client.get_task(str(task.task_id)), 50)
            assert looked_up.state == "failed"


class _HangingLedger(MemoryLedger):
    """A ledger that does not answer for its note, and cannot be stopped, as one in a locked file."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.answers = asyncio.Event()

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        self.reads += 1
        await self.answers.wait()
        return await super().read_note(name)


async def test_a_ledger_that_hangs_is_not_asked_again_meanwhile(down: Down, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up would take another thread for as long as the file is locked, until no ledger has one left."""
    monkeypatch.setattr("producer_tools.payment.shared_note._LONGEST_SECONDS", 0.01)
    ledger = _HangingLedger()
    client = down.client(ledger)
    for _ in range(3):
        down.clock.advance(5)
        assert await down.song(client) == "complete"
    assert ledger.reads == 1
    ledger.answers.set()
    await asyncio.sleep(0)
    down.clock.advance(5)
    assert await down.song(client) == "complete"
    assert ledger.reads == 2


@pytest.mark.parametrize(
    "state",
    [
        "text",
        None,
        {},
        {"failures": [], "retry_at": "x"},
        {"failures": [{"at": float("nan")}]},
        {"failures": [{"at": 9e99, "words": "w", "unknown_key": "", "account": ""}], "since": 9e99, "retry_at": 9e99,
         "trial": "t", "trial_until": 9e99, "changed_at": 9e99},
    ],
)  # fmt: skip
async def test_a_damaged_note_stops_no_call(down: Down, state: Any) -> None:
    ledger = MemoryLedger()
    await ledger.write_note(f"service {down.sandbox.base_url}", {"/producer/audios": state})
    assert await down.song(down.client(ledger)) == "complete"
