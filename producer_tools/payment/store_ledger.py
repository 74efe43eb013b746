"""A ledger in a LangGraph store."""

import asyncio
import hashlib
from typing import Any
from uuid import uuid4

from producer_tools.payment.ledger import Entry, check_unanswered


class StoreLedger:
    """A ledger in a LangGraph store. With PostgreSQL behind it, it serves a fleet of workers on many machines.

    A store has no "insert if absent". So each caller first writes a claim of its own and then reads all claims on the
    key. If it finds another one, it withdraws its own. Two callers that begin at the same moment may both withdraw and
    try again a little later, but they never both send.

    Args:
        store: a LangGraph ``BaseStore``. An async store is used in its own event loop, a sync one in a thread.
    """

    is_shared = True
    _NAMESPACE = ("producer_tools", "submissions")

    def __init__(self, store: Any) -> None:
        self._store = store
        self._claimed: dict[str, tuple[str, str]] = {}

    async def begin(self, key: str, fingerprint: str) -> Entry | None:
        """Begin an entry and return ``None``; or return the entry that exists.

        Raises:
            Exception: whatever the store raises; then nothing may be sent.
        """
        claims, own = self._claims(key), uuid4().hex
        if known := await self._others(claims, own):
            return known
        await self._put(claims, own, {"fingerprint": fingerprint, "answer": None})
        if known := await self._others(claims, own):
            await self._delete(claims, own)
            return known
        self._claimed[key] = own, fingerprint
        return None

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Add the service's answer to the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, which is kept.
        """
        claims = self._claims(key)
        found = await self._unanswered(key)
        own, fingerprint = self._claimed.pop(key, (found[0].key, found[0].value["fingerprint"]))
        await self._put(claims, own, {"fingerprint": fingerprint, "answer": answer})

    async def forget(self, key: str) -> None:
        """Delete the entry.

        Raises:
            KeyError: there is no entry.
            OutcomeKnownError: the entry has an answer, and is kept.
        """
        claims, found = self._claims(key), await self._unanswered(key)
        claimed = self._claimed.pop(key, None)
        # If it is this process's own, only that one: another may have written its claim by now and be about to send.
        for name in [item.key for item in found] if claimed is None else [claimed[0]]:
            await self._delete(claims, name)

    async def _unanswered(self, key: str) -> list[Any]:
        """The claims on a key, of which there is at least one and none is answered."""
        found = await self._search(self._claims(key))
        if not found:
            raise KeyError(key)
        for item in found:
            check_unanswered(key, item.value["answer"])
        return found

    async def _others(self, claims: tuple[str, ...], own: str) -> Entry | None:
        others = [item.value for item in await self._search(claims) if item.key != own]
        answered = [value for value in others if value["answer"] is not None]
        return Entry(**(answered or others)[0]) if others else None

    async def _search(self, claims: tuple[str, ...]) -> list[Any]:
        found: list[Any] = await self._call("search", claims)
        return found

    async def _put(self, claims: tuple[str, ...], name: str, value: dict[str, Any]) -> None:
        # Never expired and never embedded, whatever the store does with its other items.
        await self._call("put", claims, name, value, index=False, ttl=None)

    async def _delete(self, claims: tuple[str, ...], name: str) -> None:
        await self._call("delete", claims, name)

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        try:
            return await getattr(self._store, f"a{method}")(*args, **options)
        except NotImplementedError:  # a store for sync graphs only, such as SqliteStore
            return await asyncio.to_thread(getattr(self._store, method), *args, **options)

    def _claims(self, key: str) -> tuple[str, ...]:
        """The namespace of the claims on a key. It holds a hash, since a namespace may not contain dots."""
        return (*self._NAMESPACE, hashlib.sha256(key.encode()).hexdigest())
