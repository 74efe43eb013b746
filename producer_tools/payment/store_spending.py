"""What lasting budgets have counted, in a LangGraph store."""

import asyncio
import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import uniform
from typing import Any, Protocol
from uuid import uuid4

from producer_tools.errors import LedgerError
from producer_tools.payment.entry import Entry, Limit, Spent, day_of, encoded
from producer_tools.payment.ledger import check_limits

_SECONDS_TO_CONFIRM = 60.0
# The clocks of two machines may differ by a minute. So what a process wrote down that died before it confirmed it
# counts for two minutes.
_CLOCK_DIFFERENCE = 60.0

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 2.0

# So many old calls are put into lists together: at least, and at most, because a caller waits for it.
_FEWEST_TO_LIST = 100
_MOST_TO_LIST = 1000
# A call that the service refuses is removed, which is easy only while it is in no list.
_SECONDS_UNTIL_LISTED = 600.0


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

    Each call is an item first. Once a hundred of them are old, they are put into a list for each day, since a list of
    ten thousand calls is read as fast as a few hundred items. A call is known by the owner of its entry and counts
    once, however many items and lists name it. So several processes may make lists at once and die at any step.

    Args:
        items: the store's items.
    """

    def __init__(self, items: _Items) -> None:
        self._items = items

    async def reserve(self, entry: Entry, limits: Sequence[Limit]) -> float:
        """Count an entry until it is confirmed or removed.

        Returns:
            Until when it must be confirmed (Unix seconds).

        Raises:
            BudgetExceededError: it does not fit into a limit.
        """
        if not limits:
            return math.inf
        pause = _FIRST_PAUSE
        while True:
            until = time.time() + _SECONDS_TO_CONFIRM
            if await self._fits(entry, limits):
                return until
            await asyncio.sleep(uniform(0.0, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def confirm(self, entry: Entry, until: float) -> None:
        """Count an entry for ever, since its request is about to be sent.

        Raises:
            LedgerError: the time that `reserve` gave is over, so others may have spent what was left.
        """
        await self._write(entry, confirmed=True)
        if time.time() > until:
            raise LedgerError("The store took longer than a minute, so the budget may be used up by now. Try again.")

    async def spent(self, scope: str, day: int | None) -> Spent:
        """What the entries of a scope cost together, with what is about to be spent."""
        return (await self._counted(scope, day)).possible("")

    async def remove(self, entry: Entry) -> None:
        """Count an entry no longer."""
        for scope in entry.scopes:
            await self._items.delete(_of_day(scope, entry), entry.owner)
            if time.time() - entry.begun_at > _SECONDS_UNTIL_LISTED / 2:  # the half, because clocks differ
                await self._remove_old(scope, entry.owner)

    async def _remove_old(self, scope: str, owner: str) -> None:
        """Count an entry no longer that may be in a list, or whose time was changed since it was begun."""
        for item in await self._items.search(_of_scope(scope)):
            if item.key == owner:
                await self._items.delete(item.namespace, owner)
            elif any(owner in owners for owners in item.value.get("calls", {}).values()):
                await self._items.put(item.namespace, f"removed {owner}", {"removed": owner})

    async def _fits(self, entry: Entry, limits: Sequence[Limit]) -> bool:
        """Write down what the entry will cost; ``False`` if others compete for what is left."""
        await self._write(entry, confirmed=False)
        fits = False
        try:
            # At the same time, because an async store then sends all reads together.
            counted = await asyncio.gather(*(self._counted(limit.scope, limit.day) for limit in limits))
            check_limits(entry, limits, [each.certain() for each in counted])
            for each in counted:
                await self._shorten(each)
            fits = not any(
                each.possible(entry.owner).plus(entry.usd, entry.credits).exceeds(limit)
                for each, limit in zip(counted, limits, strict=True)
            )
        finally:
            if not fits:
                await self.remove(entry)
        return fits

    async def _shorten(self, counted: "_Counted") -> None:
        """Put old calls into lists, if there are many. Nothing that counts is deleted before it is in a list."""
        await self._delete(counted.given_up)
        if sum(map(len, counted.old.values())) < _FEWEST_TO_LIST:
            return
        left = _MOST_TO_LIST
        for namespace, old in counted.old.items():
            calls = old[:left]
            left -= len(calls)
            if len(calls) > 1:
                lists = counted.lists[namespace]
                listed = _merged([_by_price(calls), *(item.value["calls"] for item in lists)])
                await self._items.put(namespace, f"list {uuid4().hex}", {"calls": listed})
                await self._delete([*calls, *lists])

    async def _delete(self, items: Iterable[Any]) -> None:
        await asyncio.gather(*(self._items.delete(item.namespace, item.key) for item in items))

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
            await self._items.put(_of_day(scope, entry), entry.owner, value)

    async def _counted(self, scope: str, day: int | None) -> "_Counted":
        return _Counted(await self._items.search(_of_scope(scope, day)), time.time())


class _Counted:
    """What was spent and is about to be spent, by some items.

    Args:
        items: the items.
        now: Unix seconds.

    Attributes:
        old: by namespace, the items of confirmed calls that can be put into a list.
        lists: by namespace, the lists.
        given_up: the items of calls that were reserved long ago and never confirmed.
    """

    def __init__(self, items: Iterable[Any], now: float) -> None:
        self.old: defaultdict[tuple[str, ...], list[Any]] = defaultdict(list)
        self.lists: defaultdict[tuple[str, ...], list[Any]] = defaultdict(list)
        self.given_up: list[Any] = []
        self._confirmed: defaultdict[str, set[str]] = defaultdict(set)
        self._reserved: dict[str, str] = {}
        removed: set[str] = set()
        for item in items:
            if "calls" in item.value:
                self.lists[tuple(item.namespace)].append(item)
            elif "removed" in item.value:
                removed.add(item.value["removed"])
            else:
                self._add_call(item, now)
        for each in (item for lists in self.lists.values() for item in lists):
            for price, owners in each.value["calls"].items():
                self._confirmed[price] |= set(owners) - removed
        # A call that was counted again after its removal from a list must stay out of it.
        for namespace, calls in self.old.items():
            self.old[namespace] = [item for item in calls if item.key not in removed]

    def certain(self) -> Spent:
        """What is confirmed."""
        spent = Spent()
        for price, owners in self._confirmed.items():
            usd, in_credits = price.split()
            spent = spent.plus(usd, in_credits, len(owners))
        return spent

    def possible(self, owner: str) -> Spent:
        """What is confirmed or about to be spent, without the entry of this owner."""
        spent = self.certain()
        for each, price in self._reserved.items():
            if each != owner:
                usd, in_credits = price.split()
                spent = spent.plus(usd, in_credits)
        return spent

    def _add_call(self, item: Any, now: float) -> None:
        value, written_at = item.value, item.value["written_at"]
        if value["confirmed"]:
            self._confirmed[_price(value)].add(value["owner"])
            if written_at < now - _SECONDS_UNTIL_LISTED:
                self.old[tuple(item.namespace)].append(item)
        elif now - _SECONDS_TO_CONFIRM - _CLOCK_DIFFERENCE <= written_at <= now + _CLOCK_DIFFERENCE:
            self._reserved[value["owner"]] = _price(value)
        elif written_at < now - _SECONDS_UNTIL_LISTED:
            self.given_up.append(item)


def _price(value: dict[str, Any]) -> str:
    return f"{value['usd']} {value['credits']}"


def _by_price(calls: Iterable[Any]) -> dict[str, list[str]]:
    """The owners of calls by the price, as a list has them."""
    found = defaultdict(list)
    for item in calls:
        found[_price(item.value)].append(item.value["owner"])
    return dict(found)


def _merged(lists: Iterable[dict[str, list[str]]]) -> dict[str, list[str]]:
    """One list in place of several, with each owner once."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in lists:
        for price, owners in each.items():
            found[price].update(owners)
    return {price: sorted(owners) for price, owners in found.items()}


def _of_scope(scope: str, day: int | None = None) -> tuple[str, ...]:
    """The namespace of what a scope has spent, on one day (UTC) or in all."""
    days = () if day is None else (f"{day:07d}",)
    return ("producer_tools", "spending", hashlib.sha256(encoded(scope)).hexdigest(), *days)


def _of_day(scope: str, entry: Entry) -> tuple[str, ...]:
    return _of_scope(scope, day_of(entry.begun_at))
