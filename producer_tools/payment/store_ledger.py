"""A ledger in a LangGraph store."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import BudgetExceededError, ConfigurationError, LedgerError
from producer_tools.payment.entry import Entry, Limit, Spent, checksum, encoded
from producer_tools.payment.store_spending import StoreSpending

T = TypeVar("T")

# One query sees one state of the store. Pages would not: an item could move between two of them.
_ALL = 1_000_000


class StoreLedger:
    """A ledger in a LangGraph store. With PostgreSQL behind it, it serves a fleet of workers on many machines.

    A store has no "insert if absent" and no "replace if unchanged". So no item is ever overwritten: each revision of an
    entry is an item of its own.

    * To begin an entry, a caller writes it and then reads all entries of the key. If it finds another one, it deletes
      its own. Two callers that begin at the same moment may both delete theirs and try again a little later, but they
      never both send.
    * To change an entry, a caller writes the new revision and then deletes the old one. If two change it at once, both
      revisions stay, and the one that has an answer counts.
    * To delete an entry, a caller deletes all its revisions but those with an answer or a longer lease.

    What it writes is ASCII, since PostgreSQL refuses some characters. The clocks of its machines may differ by up to a
    minute.

    Args:
        store: a LangGraph ``BaseStore``. An async store is used in its own event loop, a sync one in a thread.
    """

    _SUBMISSIONS = ("producer_tools", "submissions")
    _NOTES = ("producer_tools", "notes")

    def __init__(self, store: Any) -> None:
        self._store = store
        self._spending = StoreSpending(self)

    async def begin(
        self, entry: Entry, *, former_keys: Sequence[str] = (), limits: Sequence[Limit] = ()
    ) -> Entry | None:
        """Add an entry and return ``None``; or return the entry that exists.

        Raises:
            BudgetExceededError: it does not fit into a limit.
            Exception: whatever the store raises; then nothing may be sent.
        """
        # At the same time, because an async store then sends all reads together.
        for known in await asyncio.gather(*map(self.get, dict.fromkeys((entry.key, *former_keys)))):
            if known is not None:
                return known
        try:
            until = await self._spending.reserve(entry, limits)
        except BudgetExceededError:
            # A caller with the same key may have taken what was left. Its entry was written before it was confirmed.
            if (known := await self.get(entry.key)) is not None:
                return known
            raise
        try:
            await self._write(entry)
            others = [other for other in await self._revisions(entry.key) if other.revision != entry.revision]
            if others:
                await self.delete(_namespace_of(entry.key), entry.revision)
                await self._spending.remove(entry)
                return _most_final(others)
            await self._spending.confirm(entry, until)
        except BaseException:
            # Nothing is sent then, so an entry that stayed would be taken for a request with an unknown outcome.
            await self.delete(_namespace_of(entry.key), entry.revision)
            await self._spending.remove(entry)
            raise
        return None

    async def get(self, key: str) -> Entry | None:
        """The entry under a key."""
        revisions = await self._revisions(key)
        return _most_final(revisions) if revisions else None

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        """Put ``new`` in the place of ``old``, or delete ``old``, unless ``old`` was changed in the meantime."""
        revisions = await self._revisions(old.key)
        if old.revision not in {each.revision for each in revisions}:
            return False
        if new is not None:
            await self._write(new)
            await self.delete(_namespace_of(old.key), old.revision)
            return True
        for each in revisions:
            if each.revision == old.revision or _is_left_over(each, old):
                await self.delete(_namespace_of(old.key), each.revision)
        await self._spending.remove(old)
        return True

    async def entries(self, *, account: str | None = None, since: float = 0.0, unanswered: bool = False) -> list[Entry]:
        """The entries in the order in which they were begun."""
        revisions: dict[str, list[Entry]] = {}
        for item in await self.search(self._SUBMISSIONS):
            entry = _entry_of(item)
            revisions.setdefault(entry.key, []).append(entry)
        found = map(_most_final, revisions.values())
        wanted = [
            entry
            for entry in found
            if account in (None, entry.account)
            and entry.begun_at >= since
            and not (unanswered and entry.answer is not None)
        ]
        return sorted(wanted, key=lambda entry: entry.begun_at)

    async def spent(self, scope: str, day: int | None = None) -> Spent:
        """What the entries of a scope cost together."""
        return await self._spending.spent(scope, day)

    async def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A JSON object that the users of this ledger share."""
        item = await self._call("get", self._NOTES, name)
        return None if item is None else dict(json.loads(item.value["note"]))

    async def write_note(self, name: str, value: Mapping[str, Any]) -> None:
        """Share a JSON object."""
        await self.put(self._NOTES, name, {"note": json.dumps(value)})

    async def search(self, namespace: tuple[str, ...]) -> list[Any]:
        """All items whose namespace begins with this one."""
        # No item expires. With `refresh_ttl`, PostgreSQL would plan for a million updates of the times at which items
        # expire, and once there are thousands of items it would read them all in each search.
        found: list[Any] = await self._call("search", namespace, limit=_ALL, refresh_ttl=False)
        return found

    async def put(self, namespace: tuple[str, ...], name: str, value: dict[str, Any]) -> None:
        """Write an item that never expires and is never embedded, whatever the store does with its other items."""
        await self._call("put", namespace, name, value, index=False, ttl=None)

    async def delete(self, namespace: tuple[str, ...], name: str) -> None:
        """Delete an item."""
        await self._call("delete", namespace, name)

    async def _revisions(self, key: str) -> list[Entry]:
        return [_entry_of(item, key) for item in await self.search(_namespace_of(key))]

    async def _write(self, entry: Entry) -> None:
        text = entry.to_json()
        await self.put(_namespace_of(entry.key), entry.revision, {"entry": text, "checksum": checksum(text)})

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        try:
            return await getattr(self._store, f"a{method}")(*args, **options)
        except NotImplementedError:  # a store for sync graphs only, such as SqliteStore
            return await in_thread(getattr(self._store, method), *args, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        raise ConfigurationError(
            "configuration",
            "A StoreLedger cannot be sent to another process, because its store is a live connection. Make the client "
            "in the worker, with a store that the worker has opened.",
        )


def _namespace_of(key: str) -> tuple[str, ...]:
    """The namespace of the revisions of a key's entries. It holds a hash, since a namespace may not contain dots."""
    return (*StoreLedger._SUBMISSIONS, hashlib.sha256(encoded(key)).hexdigest())  # noqa: SLF001 - of this module


def _entry_of(item: Any, key: str | None = None) -> Entry:
    """The entry that an item holds.

    Args:
        item: the store's item.
        key: the entry's key, which items of the first version do not hold.

    Raises:
        LedgerError: the item is damaged.
    """
    value = item.value
    try:
        if "fingerprint" in value:  # written by the first version
            name = key or f"unknown key {item.namespace[-1]}"
            return Entry(
                key=name, fingerprint=value["fingerprint"], answer=value["answer"], owner=item.key, revision=item.key
            )
        if checksum(value["entry"]) == value["checksum"]:
            return Entry.from_json(value["entry"])
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise LedgerError(f"An item of the ledger is damaged: {item.key} in {item.namespace}. Restore it from a backup.")


def _is_left_over(each: Entry, old: Entry) -> bool:
    """Whether a revision without an answer belongs to an entry that is deleted.

    It does if two have changed the entry at once. In the first version, each process that died while it began an entry
    has left one of its own. A longer lease shows that the sender is alive.
    """
    are_of_first_version = each.owner == each.revision and old.owner == old.revision
    is_of_same_entry = each.owner == old.owner or are_of_first_version
    return is_of_same_entry and each.answer is None and each.lease_until <= old.lease_until


def _most_final(revisions: Sequence[Entry]) -> Entry:
    """Of several revisions, the service's own answer; else any other answer; else the longest lease."""
    return max(revisions, key=lambda entry: (entry.source == "answer", entry.answer is not None, entry.lease_until))
