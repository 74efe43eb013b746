"""The ledger of submissions: what was meant to be paid for is written down before it is sent, so it is sent once.

A wish has a key: the tool call of a graph, or one that the caller gives. An entry says that the wish was *meant*
(written before the request), and then what the service *answered*. A wish that was answered gets the same answer
again; one that was only meant has an unknown outcome, and is not sent a second time.
"""

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

_REMEMBERED = 10_000


class Entry(NamedTuple):
    """What the ledger holds under a key.

    Attributes:
        wish: a fingerprint of what was asked for.
        answer: the service's answer; ``None`` while it is only meant.
    """

    wish: str
    answer: dict[str, Any] | None = None


class Ledger(Protocol):
    """Where submissions are written down. Whatever goes wrong with it must raise: what is not written is not sent.

    Attributes:
        is_shared: whether other processes write into it too.
    """

    is_shared: bool

    async def begin(self, key: str, wish: str) -> Entry | None:
        """Write down that ``wish`` is meant, unless there is an entry: then return that, and write nothing.

        Of several that begin at once, at most one gets ``None``.
        """

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Write down what the service answered.

        Raises:
            KeyError: there is no entry.
        """

    async def forget(self, key: str) -> None:
        """Strike the entry out: it surely did no work, or a person has decided that it may be sent again.

        Raises:
            KeyError: there is no entry.
        """


def fingerprint(path: str, body: Mapping[str, Any]) -> str:
    """Two wishes are the same if they ask the same of one endpoint; where the result is posted does not matter."""
    asked = {name: value for name, value in body.items() if name != "callback_url"}
    return hashlib.sha256(f"{path} {json.dumps(asked, sort_keys=True)}".encode()).hexdigest()


def wish_key(config: Mapping[str, Any], name: str | None) -> str | None:
    """What tells a wish in a graph from all others: its name, and the thread, or at least the run, it belongs to.

    Args:
        config: the run's ``RunnableConfig``.
        name: what is the same whenever the same step is run again, such as a tool call's id.
    """
    thread = config.get("configurable", {}).get("thread_id")
    # A retried node has its subgraph's steps in another namespace, but for the first part of it.
    scope = thread or config.get("metadata", {}).get("langgraph_checkpoint_ns", "").partition("|")[0]
    return f"{scope}/{name}" if scope and name else None


def step_name(config: Mapping[str, Any]) -> str | None:
    """What is the same whenever one step of a graph is run again, after a crash or by a retry.

    Task and checkpoint ids are not: a checkpoint that a crash has taken along is made anew, with another id. Where
    the step stands is; only which of several subgraphs it stands in, an id must tell.

    Args:
        config: the run's ``RunnableConfig``; outside a graph there is no step.
    """
    facts = config.get("metadata", {})
    if "langgraph_node" not in facts:
        return None
    subgraphs = [part for part in facts["langgraph_checkpoint_ns"].split("|")[:-1] if not part.isdigit()]
    return "/".join([*subgraphs, *map(str, (facts["langgraph_step"], *facts["langgraph_path"]))])


class MemoryLedger:
    """A ledger in memory: it survives retries, interrupts and repeated calls, but not the end of the process.

    It remembers the 10,000 newest wishes.
    """

    is_shared = False

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    async def begin(self, key: str, wish: str) -> Entry | None:
        """Write down that ``wish`` is meant."""
        with self._lock:
            known = self._entries.get(key)
            if known is None:
                self._entries[key] = Entry(wish)
                self._forget_oldest()
            return known

    def _forget_oldest(self) -> None:
        """Keep a long-lived worker's memory level; what is unknown stays."""
        if len(self._entries) > _REMEMBERED:
            answered = (key for key, entry in self._entries.items() if entry.answer is not None)
            self._entries.pop(next(answered, ""), None)

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Write down what the service answered.

        Raises:
            KeyError: there is no entry.
        """
        with self._lock:
            self._entries[key] = self._entries[key]._replace(answer=answer)

    async def forget(self, key: str) -> None:
        """Strike the entry out.

        Raises:
            KeyError: there is no entry.
        """
        with self._lock:
            del self._entries[key]


class SqliteLedger:
    """A ledger in a SQLite file: it survives crashes, and serves all processes of a machine.

    Args:
        path: the file; made when it is first needed.
    """

    is_shared = True

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    async def begin(self, key: str, wish: str) -> Entry | None:
        """Write down that ``wish`` is meant.

        Raises:
            sqlite3.Error: it could not be written.
        """
        return await asyncio.to_thread(self._begin, key, wish)

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Write down what the service answered.

        Raises:
            KeyError: there is no entry.
            sqlite3.Error: it could not be written.
        """
        update = "UPDATE submissions SET answer = ? WHERE key = ?"
        if not await asyncio.to_thread(self._execute, update, json.dumps(answer), key):
            raise KeyError(key)

    async def forget(self, key: str) -> None:
        """Strike the entry out.

        Raises:
            KeyError: there is no entry.
            sqlite3.Error: it could not be written.
        """
        if not await asyncio.to_thread(self._execute, "DELETE FROM submissions WHERE key = ?", key):
            raise KeyError(key)

    def _begin(self, key: str, wish: str) -> Entry | None:
        # The insert is the decision: of several processes, one makes the row.
        if self._execute("INSERT OR IGNORE INTO submissions (key, wish) VALUES (?, ?)", key, wish):
            return None
        with self._opened() as connection:
            row = connection.execute("SELECT wish, answer FROM submissions WHERE key = ?", (key,)).fetchone()
        if row is None:  # struck out in between
            return self._begin(key, wish)
        return Entry(row[0], None if row[1] is None else json.loads(row[1]))

    def _execute(self, statement: str, *values: str) -> int:
        with self._opened() as connection, connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            # An entry must be on the disk before the request is on the wire, power cut included.
            with suppress(sqlite3.OperationalError):  # locked while another process does the same: then that is enough
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE IF NOT EXISTS submissions (key TEXT PRIMARY KEY, wish TEXT, answer TEXT)")
            yield connection


class StoreLedger:
    """A ledger in a LangGraph store: with PostgreSQL behind it, it serves a fleet.

    A store cannot insert a row only if there is none. So whoever begins puts down a claim of its own, and then looks
    whether there are others: who sees another's claim steps back. Two that begin at the same moment may both step
    back, and try again a little later; never do both send.

    Args:
        store: a LangGraph ``BaseStore``: a sync one for sync graphs, an async one in its own event loop.
    """

    is_shared = True
    _NAMESPACE = ("producer_tools", "submissions")

    def __init__(self, store: Any) -> None:
        self._store = store
        self._begun: dict[str, tuple[str, str]] = {}

    async def begin(self, key: str, wish: str) -> Entry | None:
        """Write down that ``wish`` is meant.

        Raises:
            Exception: whatever the store raises; then nothing may be sent.
        """
        claims, mine = self._claims(key), uuid4().hex
        if known := await self._others(claims, mine):
            return known
        await self._put(claims, mine, {"wish": wish, "answer": None})
        if known := await self._others(claims, mine):
            await self._delete(claims, mine)
            return known
        self._begun[key] = mine, wish
        return None

    async def finish(self, key: str, answer: dict[str, Any]) -> None:
        """Write down what the service answered.

        Raises:
            KeyError: there is no entry.
        """
        claims = self._claims(key)
        if key in self._begun:
            mine, wish = self._begun.pop(key)
        elif begun := await self._search(claims):  # by another process, or by an earlier life of this one
            mine, wish = begun[0].key, begun[0].value["wish"]
        else:
            raise KeyError(key)
        await self._put(claims, mine, {"wish": wish, "answer": answer})

    async def forget(self, key: str) -> None:
        """Strike the entry out.

        Raises:
            KeyError: there is no entry.
        """
        claims, begun = self._claims(key), self._begun.pop(key, None)
        if begun is not None:
            # Only this one: another process may have put down its own by now, and be about to send.
            await self._delete(claims, begun[0])
            return
        found = await self._search(claims)
        for item in found:
            await self._delete(claims, item.key)
        if not found:
            raise KeyError(key)

    async def _others(self, claims: tuple[str, ...], mine: str) -> Entry | None:
        others = [item.value for item in await self._search(claims) if item.key != mine]
        answered = [value for value in others if value["answer"] is not None]
        return Entry(**(answered or others)[0]) if others else None

    async def _search(self, claims: tuple[str, ...]) -> list[Any]:
        found: list[Any] = await self._call("search", claims)
        return found

    async def _put(self, claims: tuple[str, ...], name: str, value: dict[str, Any]) -> None:
        # Kept for ever, and no text for an embedding model, whatever the store does with what else is in it.
        await self._call("put", claims, name, value, index=False, ttl=None)

    async def _delete(self, claims: tuple[str, ...], name: str) -> None:
        await self._call("delete", claims, name)

    async def _call(self, method: str, *given: Any, **options: Any) -> Any:
        try:
            return await getattr(self._store, f"a{method}")(*given, **options)
        except NotImplementedError:  # a store for sync graphs alone, such as SqliteStore
            return await asyncio.to_thread(getattr(self._store, method), *given, **options)

    def _claims(self, key: str) -> tuple[str, ...]:
        # A namespace may hold no dots, and a key of the caller's may hold anything.
        return (*self._NAMESPACE, hashlib.sha256(key.encode()).hexdigest())
