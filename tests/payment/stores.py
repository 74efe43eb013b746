"""Stores for the tests of ledgers in a store."""

import asyncio
from typing import Any

from langgraph.store.memory import InMemoryStore


class StepwiseStore:
    """A store on which each operation waits until the test allows it."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._allowed = asyncio.Semaphore(0)

    async def step(self) -> None:
        """Allow the next operation, and return after it has run."""
        self._allowed.release()
        for _ in range(10):
            await asyncio.sleep(0)

    def __getattr__(self, operation: str) -> Any:
        async def later(*args: Any, **options: Any) -> Any:
            await self._allowed.acquire()
            return await getattr(self._store, operation)(*args, **options)

        return later
