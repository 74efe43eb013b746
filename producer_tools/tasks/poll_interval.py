"""The least time between two look-ups of one unfinished task."""

from collections.abc import Collection

from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.shared_state import shared_state


class PollInterval:
    """Keeps two look-ups of one unfinished task at least ``interval`` seconds apart."""

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._next_lookup: dict[str, float] = {}

    async def wait_for_turn(self, task_ids: Collection[str]) -> None:
        """Wait until all of these tasks may be looked up, then record a look-up of each."""
        with shared_state:
            now = self._clock.now()
            self._next_lookup = {task_id: at for task_id, at in self._next_lookup.items() if at > now}
            start = max((self._next_lookup.get(task_id, now) for task_id in task_ids), default=now)
            self._next_lookup.update(dict.fromkeys(task_ids, start + self._interval))
        if start > now:
            await self._clock.sleep(start - now)

    def forget(self, task_ids: Collection[str]) -> None:
        """Let these tasks be looked up at once: they are final, or something has happened to them."""
        with shared_state:
            for task_id in task_ids:
                self._next_lookup.pop(task_id, None)
