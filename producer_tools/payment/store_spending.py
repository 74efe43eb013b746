"""What lasting budgets have counted, in a LangGraph store."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from random import uniform
from typing import Any, Protocol

from producer_tools.payment.entry import Entry, Limit, Spent, encoded
from producer_tools.payment.ledger import check_limits

# A process that dies between writing down what it means to spend and spending it leaves that for so long.
_SECONDS_TO_CONFIRM = 60.0
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 2.0


class _Items(Protocol):
    """What is used of the store."""

    async def search(self, namespace: tuple[str, ...]) -> list[Any]: ...

    async def put(self, namespace: tuple[str, ...], name: str, value: dict[str, Any]) -> None: ...

    async def delete(self, namespace: tuple[str, ...], name: str) -> None: ...


class StoreSpending:
    """Counts entries in their scopes, exactly, however many processes begin entries at once.

    A store cannot add up and write in one step. So each caller first writes down what it means to spend and then reads
    what all have written. If everything fits, it goes on. If what is confirmed does not leave room for it, it is
    refused. Otherwise several callers compete for what is left: each deletes its own, and tries again after a random
    pause.

    Args:
        items: the store's items.
    """

    def __init__(self, items: _Items) -> None:
        self._items = items

    async def reserve(self, entry: Entry, limits: Sequence[Limit]) -> None:
        """Count an entry for a minute, until `confirm` or `remove`.

        Raises:
            BudgetExceededError: it does not fit into a limit.
        """
        pause = _FIRST_PAUSE
        while limits and not await self._fits(entry, limits):
            await asyncio.sleep(uniform(0.0, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def confirm(self, entry: Entry) -> None:
        """Count an entry for ever, since its request is about to be sent."""
        await self._write(entry, confirmed=True)

    async def spent(self, scope: str, since: float) -> Spent:
        """What the entries of a scope cost together, with what is about to be spent."""
        spent = Spent()
        for value in await self._values(scope, since):
            spent = spent.plus(value["usd"], value["credits"])
        return spent

    async def remove(self, entry: Entry) -> None:
        """Count an entry no longer."""
        for scope in entry.scopes:
            await self._items.delete(_of_scope(scope), entry.owner)

    async def _fits(self, entry: Entry, limits: Sequence[Limit]) -> bool:
        """Write down what the entry will cost; ``False`` if others compete for what is left."""
        await self._write(entry, confirmed=False)
        try:
            certain, possible = [], []
            for limit in limits:
                values = await self._values(limit.scope, limit.since)
                others = [value for value in values if value["owner"] != entry.owner]
                certain.append(_sum(value for value in others if value["confirmed"]))
                possible.append(_sum(others))
            check_limits(entry, limits, certain)
        except BaseException:
            await self.remove(entry)
            raise
        fits = not any(
            others.plus(entry.usd, entry.credits).exceeds(limit) for others, limit in zip(possible, limits, strict=True)
        )
        if not fits:
            await self.remove(entry)
        return fits

    async def _write(self, entry: Entry, *, confirmed: bool) -> None:
        value = {
            "owner": entry.owner,
            "begun_at": entry.begun_at,
            "written_at": time.time(),
            "usd": entry.usd,
            "credits": entry.credits,
            "confirmed": confirmed,
        }
        for scope in entry.scopes:
            await self._items.put(_of_scope(scope), entry.owner, value)

    async def _values(self, scope: str, since: float) -> list[dict[str, Any]]:
        oldest = time.time() - _SECONDS_TO_CONFIRM
        values = [item.value for item in await self._items.search(_of_scope(scope))]
        return [
            value
            for value in values
            if value["begun_at"] >= since and (value["confirmed"] or value["written_at"] >= oldest)
        ]


def _sum(values: Any) -> Spent:
    spent = Spent()
    for value in values:
        spent = spent.plus(value["usd"], value["credits"])
    return spent


def _of_scope(scope: str) -> tuple[str, ...]:
    return ("producer_tools", "spending", hashlib.sha256(encoded(scope)).hexdigest())
