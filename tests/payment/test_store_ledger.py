"""The ledger in a LangGraph store: entries of the first version, two changes at once, damage, and any text."""

import asyncio
import hashlib
import itertools
import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Ledger,
    LedgerError,
    MemoryLedger,
    ProducerClient,
    SqliteLedger,
    StoreLedger,
    SubmissionUnknownError,
)
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import fingerprint
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.payment.ledgers import answered, entry
from tests.payment.stores import StepwiseStore

SONG = GenerateMusic(prompt="a waltz")
UNSAFE = {"NUL": "a\x00b", "half a surrogate": "a\ud800b", "control": "a\x1bb", "long": "k" * 120_000, "dots": "a.b\n"}


def namespace_of(key: str) -> tuple[str, ...]:
    return ("producer_tools", "submissions", hashlib.sha256(key.encode()).hexdigest())


async def write_first_version(store: InMemoryStore, key: str, *answers: dict[str, Any] | None) -> None:
    """Write claims as the first version did, one for each answer; a claim without one is of a process that died."""
    for answer in answers:
        await store.aput(namespace_of(key), str(uuid4()), {"fingerprint": fingerprint(SONG), "answer": answer})


def client_on(sandbox: ProducerSandbox, store: Any) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, ledger=StoreLedger(store), clock=InstantClock())


@pytest.mark.parametrize("dead", [0, 12])
async def test_an_answer_of_the_first_version_is_found_among_those_of_dead_workers(
    dead: int, sandbox: ProducerSandbox
) -> None:
    """A store's search returns ten items unless it is asked for more: the song would be paid for again."""
    store = InMemoryStore()
    await write_first_version(store, "k", *[None] * dead, {"task_id": "t1"})
    async with client_on(sandbox, store) as client:
        assert (await client.submit(SONG, key="k")).task_id == "t1"
    ledger = StoreLedger(store)
    for item in store.search(namespace_of("k"), limit=100):
        if item.value["answer"] is None:
            entry = Entry(key="k", fingerprint=fingerprint(SONG), owner=item.key, revision=item.key)
            await ledger.replace(entry, None)
    assert [item.value["answer"] for item in store.search(namespace_of("k"), limit=100)] == [{"task_id": "t1"}]
    assert sandbox.charges == ()


async def test_one_release_removes_all_entries_of_dead_workers(sandbox: ProducerSandbox) -> None:
    """Each worker that was killed has left one: a person would have to release the key a dozen times."""
    store = InMemoryStore()
    await write_first_version(store, "k", *[None] * 12)
    async with client_on(sandbox, store) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
        await client.release("k")
        assert (await client.submit(SONG, key="k")).task_id
    assert len(sandbox.charges) == 1


async def in_turn(store: InMemoryStore, turns: Sequence[int], calls: list[Any]) -> list[Any]:
    """Run two calls whose operations on a store take turns.

    Args:
        store: the store.
        turns: which of the two runs its next operation, 0 or 1.
        calls: take a ledger and return what is to be awaited.
    """
    stores = [StepwiseStore(store) for _ in calls]
    tasks = [asyncio.ensure_future(_started(call(StoreLedger(on)))) for on, call in zip(stores, calls, strict=True)]
    for turn in turns:
        await stores[turn].step()
    while not all(task.done() for task in tasks):
        for each in stores:
            await each.step()
    return [task.result() for task in tasks]


async def _started(call: Coroutine[Any, Any, Any]) -> Any:
    return await call


ORDERS = [turns for turns in itertools.product((0, 1), repeat=6) if sum(turns) == 3]


@pytest.mark.parametrize("other", ["answer", "release", "renewal", "finding"])
async def test_two_changes_at_once_never_lose_an_answer(other: str) -> None:
    """The service's answer comes while a person releases the entry, or another process notes what it has found."""
    changes: dict[str, Any] = {
        "answer": {"answer": {"task_id": "adopted"}, "source": "person", "lease_until": 9e9},
        "renewal": {"lease_until": 9e9},
        "finding": {"finding": {"state": "unclear"}, "lease_until": 1.0},
    }
    for turns in ORDERS:
        store, begun = InMemoryStore(), entry()
        assert await StoreLedger(store).begin(begun) is None
        service = begun.changed(answer={"task_id": "paid"}, source="answer")
        another = None if other == "release" else begun.changed(**changes[other])
        is_answered, is_changed = await in_turn(
            store,
            turns,
            [lambda ledger: ledger.replace(begun, service), lambda ledger: ledger.replace(begun, another)],  # noqa: B023 - called in this turn
        )
        known = await StoreLedger(store).get("key")
        assert is_answered or is_changed
        # A replacement that was refused is the caller's to repeat; one that was not is never lost.
        assert known == (service if is_answered else another), turns
        if is_answered and is_changed and other == "release":
            assert await StoreLedger(store).begin(entry()) == service, "a released request would be sent once more"


async def test_a_release_never_ends_the_lease_of_a_sender_that_is_alive() -> None:
    """A sender that was late renews its lease while a person releases the entry: another would send it meanwhile."""
    for turns in ORDERS:
        store, begun = InMemoryStore(), entry()
        assert await StoreLedger(store).begin(begun) is None
        renewed = begun.changed(lease_until=9e9)
        is_renewed, _ = await in_turn(
            store,
            turns,
            [lambda ledger: ledger.replace(begun, renewed), lambda ledger: ledger.replace(begun, None)],  # noqa: B023 - called in this turn
        )
        assert await StoreLedger(store).get("key") == (renewed if is_renewed else None), turns


async def test_two_changes_at_once_leave_nothing_after_a_release() -> None:
    """What is left of two findings that were noted at once would keep the key from being sent again."""
    store, begun = InMemoryStore(), entry()
    assert await StoreLedger(store).begin(begun) is None
    first, second = (begun.changed(finding={"state": state}) for state in ("unclear", "several"))
    both = [lambda ledger: ledger.replace(begun, first), lambda ledger: ledger.replace(begun, second)]
    assert await in_turn(store, (0, 1, 0, 1, 0, 1), both) == [True, True]
    known = await StoreLedger(store).get("key")
    assert known is not None
    assert await StoreLedger(store).replace(known, None)
    assert await StoreLedger(store).get("key") is None


async def test_two_that_begin_at_once_never_both_send() -> None:
    for turns in itertools.product((0, 1), repeat=8):
        store, begun = InMemoryStore(), [entry(), entry()]
        found = await in_turn(store, turns, [lambda ledger, each=each: ledger.begin(each) for each in begun])
        assert found.count(None) <= 1, turns
        left = [item.key for item in store.search(namespace_of("key"), limit=10)]
        assert left == [each.revision for each, known in zip(begun, found, strict=True) if known is None], turns


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"entry": "{}"},
        {"entry": "{}", "checksum": "0000"},
        {"entry": None, "checksum": None},
        {"entry": "[]", "checksum": "4f53cda18c2baa0c"},
        {"fingerprint": "f"},
    ],
    ids=str,
)
async def test_a_damaged_item_is_an_error(value: dict[str, Any]) -> None:
    """Passed over, the request would be paid for again."""
    store = InMemoryStore()
    await answered(StoreLedger(store))
    await store.aput(namespace_of("key"), "damaged", value)
    for call in (StoreLedger(store).begin(entry()), StoreLedger(store).get("key"), StoreLedger(store).entries()):
        with pytest.raises(LedgerError, match=r"item of the ledger is damaged: damaged .* Restore it from a backup"):
            await call


class StrictStore(InMemoryStore):
    """Refuses what PostgreSQL refuses: NUL and half surrogates, as characters or as escapes in JSON."""

    async def aput(
        self, namespace: tuple[str, ...], key: str, value: Mapping[str, Any], *args: Any, **more: Any
    ) -> None:
        written = json.dumps([list(namespace), key, value], ensure_ascii=False)
        assert "\\u0000" not in written.replace("\\\\", "")
        written.encode()
        await super().aput(namespace, key, value, *args, **more)


@pytest.mark.parametrize("text", UNSAFE.values(), ids=UNSAFE)
@pytest.mark.parametrize("kind", ["memory", "sqlite", "store"])
async def test_any_text_in_a_key_or_a_request_is_recorded(
    text: str, kind: str, sandbox: ProducerSandbox, tmp_path: Any
) -> None:
    """A thread id or a prompt may have any character. A key that is changed would not be found, or be another's."""
    store, memory = StrictStore(), MemoryLedger()

    def ledger() -> Ledger:
        if kind == "memory":
            return memory
        return StoreLedger(store) if kind == "store" else SqliteLedger(tmp_path / "ledger.sqlite")

    song = GenerateMusic(prompt=text[:50].encode(errors="replace").decode())  # a request refuses half a surrogate
    ids = []
    for key in (f"{text}", f"{text}", f"{text} more"):
        async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger()) as client:
            ids.append((await client.submit(song, key=key)).task_id)
    assert ids[0] == ids[1] != ids[2]
    assert [each.key.partition("/")[2] for each in await ledger().entries()] == [text, f"{text} more"]
    begun = entry(text, scopes=(text,), request={"title": text, text: text})
    assert await ledger().begin(begun) is None
    changed = begun.changed(finding={"state": text})
    assert await ledger().replace(begun, changed)
    assert await ledger().get(text) == changed
    assert (await ledger().spent(text)).calls == 1
    await ledger().write_note("a note", {"text": text})
    assert await ledger().read_note("a note") == {"text": text}
    assert await ledger().replace(changed, None)
    assert await ledger().get(text) is None
    with pytest.raises(KeyError):
        await client.release(text + " unknown", ledger=ledger())


class WatchedStore(InMemoryStore):
    """A store that remembers the options of its searches, and how many were under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.options: list[dict[str, Any]] = []
        self.most_at_once = 0
        self._under_way = 0

    async def asearch(self, *args: Any, **options: Any) -> Any:
        self.options.append(options)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        await asyncio.sleep(0)
        self._under_way -= 1
        return await super().asearch(*args, **options)


async def test_no_search_renews_the_time_at_which_items_expire() -> None:
    """None expires. PostgreSQL would read all items for each search once there are thousands, and take seconds."""
    store = WatchedStore()
    begun = await answered(StoreLedger(store))
    await StoreLedger(store).replace(begun, None)
    assert store.options
    assert {options["refresh_ttl"] for options in store.options} == {False}


async def test_all_keys_of_a_request_are_read_together() -> None:
    """Each read takes a round trip to the database before anything is sent."""
    store = WatchedStore()
    await StoreLedger(store).begin(entry("account/k"), former_keys=("account/k", "k"))
    assert store.most_at_once == 2, "a key that is given twice is read once"
