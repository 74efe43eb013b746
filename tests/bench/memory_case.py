"""One case of the section on memory, in a process of its own: ``python -m tests.bench.memory_case CASE NUMBER FILE``.

It prints what the case took: CPU seconds, and bytes of memory at the most, beyond what one small case has taken before.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from producer_tools import Ledger, MemoryLedger, ProducerClient, SqliteLedger
from producer_tools.http.transport import Transport
from tests.bench.ledger_writers import fill, new_entry
from tests.clocks import VirtualClock

SONG_SECONDS = 10.0
LYRIC = "all the windows fill with light\n" * 25


class Service:
    """Answers in place of the API: each task is unfinished for ten seconds, and then it is a song."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self._began = self.clock.now()

    async def post(self, _: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        """The answer to a look-up."""
        assert not paid
        await asyncio.sleep(0)
        records = [self._record(task_id) for task_id in body.get("ids") or [body["id"]]]
        return {"items": records} if "ids" in body else records[0]

    def _record(self, task_id: str) -> dict[str, Any]:
        is_finished = self.clock.now() >= self._began + SONG_SECONDS
        url = f"https://cdn.example/{task_id}"
        song = {
            "id": task_id,
            "title": "Light",
            "lyric": LYRIC,
            "audio_url": url,
            "image_url": url,
            "duration": "181.3",
        }
        return {
            "id": task_id,
            "created_at": self._began,
            "finished_at": self._began + SONG_SECONDS if is_finished else None,
            "response": {"data": [{**song, "state": "succeeded"}]} if is_finished else None,
        }


async def wait_for_all(number: int, _: str) -> None:
    """One call waits for so many tasks."""
    await _wait([[f"task {each}" for each in range(number)]])


async def wait_for_each(number: int, _: str) -> None:
    """So many callers wait for a task each, in one process."""
    await _wait([[f"task {each}"] for each in range(number)])


async def memory_ledger(number: int, _: str) -> None:
    """So many entries in a ledger in memory, and a statement of them."""
    ledger = MemoryLedger()
    await fill(ledger, number)
    await _use(ledger)


async def begin_in_file(_: int, path: str) -> None:
    """A process opens and checks a SQLite file, and begins one entry."""
    await SqliteLedger(Path(path)).begin(new_entry())


async def read_file(_: int, path: str) -> None:
    """A process opens a SQLite file, begins one entry, and reads everything that was paid."""
    await _use(SqliteLedger(Path(path)))


async def _wait(calls: list[list[str]]) -> None:
    service = Service()
    with patch.object(Transport, "post", lambda _, *args, **options: service.post(*args, **options)):
        async with ProducerClient("t", "http://127.0.0.1:9", clock=service.clock) as client:
            batches = await asyncio.gather(*(client.wait(ids, timeout=600) for ids in calls))
    assert all(task.state == "complete" for batch in batches for task in batch.tasks)


async def _use(ledger: Ledger) -> None:
    await ledger.begin(new_entry())
    async with ProducerClient("t", "http://127.0.0.1:9", ledger=ledger) as client:
        assert (await client.spent(all_accounts=True)).calls


def most_bytes() -> int:
    """The most memory that this process has used at once."""
    [line] = [line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if "VmHWM" in line]
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run the small case, then the case, and print the difference."""
    name, number, path = sys.argv[1:]
    case = globals()[name]
    asyncio.run(case(1, f"{path}-small"))
    before, began = most_bytes(), time.process_time()
    asyncio.run(case(int(number), path))
    print(time.process_time() - began, most_bytes() - before)


if __name__ == "__main__":
    main()
