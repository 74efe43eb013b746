"""A service in virtual time, whose tasks finish at known times, and which counts what it is asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from producer_tools import ProducerClient
from producer_tools.concurrency.clock import Clock
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic
from tests.clocks import VirtualClock

PREVIEW = "https://cdn.example/a"
SONG = GenerateMusic(prompt="a song")


class TimedService:
    """Answers in place of the API.

    Args:
        finish_after: by task id, after how many seconds the task is finished. Submits get these ids in their order.
        clock: the time of the tasks; default a `VirtualClock`.

    Attributes:
        finish_after: as given; tasks may be added later.
        clock: the time of the tasks.
        requests: the task ids of each look-up.
        errors: what the next look-ups raise, in order.
    """

    def __init__(self, finish_after: dict[str, float], clock: Clock | None = None) -> None:
        self.finish_after = finish_after
        self.clock = clock or VirtualClock()
        self.requests: list[list[str]] = []
        self.errors: list[Exception] = []
        self._began = self.clock.now()
        self._lookups: dict[str, list[float]] = {}
        self._unsubmitted = list(finish_after)

    def lookups_of(self, task_id: str) -> list[float]:
        """When a task was looked up, in seconds since the start."""
        return self._lookups.get(task_id, [])

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ProducerClient]:
        """A client whose requests are answered by this service."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transport, "post", self._post)
            async with ProducerClient("t", "http://127.0.0.1:9", clock=self.clock) as client:
                yield client

    async def submit_all(self, client: ProducerClient) -> None:
        """Submit every task that is not submitted yet."""
        while self._unsubmitted:
            await client.submit(SONG)

    async def _post(self, _: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        await asyncio.sleep(0)
        if paid:
            return {"task_id": self._unsubmitted.pop(0)}
        if self.errors:
            raise self.errors.pop(0)
        ids = body["ids"] if "ids" in body else [body["id"]]
        self.requests.append(ids)
        now = self.clock.now() - self._began
        for task_id in ids:
            self._lookups.setdefault(task_id, []).append(now)
        records = [self._record(task_id, now) for task_id in ids if task_id in self.finish_after]
        return {"items": records} if "ids" in body else (records or [{}])[0]

    def _record(self, task_id: str, now: float) -> dict[str, Any]:
        finish_after = self.finish_after[task_id]
        finished = now >= finish_after
        return {
            "id": task_id,
            "created_at": self._began,
            "started_at": self._began,
            "finished_at": self._began + finish_after if finished else None,
            "response": {"data": [{"state": "succeeded" if finished else "processing", "audio_url": PREVIEW}]},
        }


def running_watchers() -> list[asyncio.Task[Any]]:
    """The client's background tasks in the running loop."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "producer-tools watcher"]
