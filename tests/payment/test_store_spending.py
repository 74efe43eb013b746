"""Lasting budgets in a store: the lists that keep reading them fast, slow stores, and clocks that differ."""

import asyncio
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import BudgetExceededError, LedgerError, StoreLedger
from producer_tools.payment import store_spending
from producer_tools.payment.entry import Entry, Limit, Spent
from tests.payment.ledgers import entry

USER = "user 42"
NOON = 1_800_014_400.0
HOUR = 3600.0
NO_LIMIT = [Limit(USER, max_calls=10_000)]


class Time(SimpleNamespace):
    """Stands in for the module `time` where the store's spending is counted."""

    now = NOON

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(store_spending, "time", clock)
    return clock


class DiedError(Exception):
    """The process was killed."""


class MortalStore:
    """A store whose process dies after so many operations, and in which operations take turns in a random order."""

    def __init__(self, store: InMemoryStore, operations: int = 10_000, seed: int = 0) -> None:
        self.read = 0
        self._store = store
        self._left = operations
        self._random = Random(seed)

    def __getattr__(self, operation: str) -> Any:
        async def later(*args: Any, **options: Any) -> Any:
            for _ in range(self._random.randrange(4)):
                await asyncio.sleep(0)
            self._left -= 1
            if self._left < 0:
                raise DiedError
            found = await getattr(self._store, operation)(*args, **options)
            self.read += len(found or ())
            return found

        return later


def call(number: int, clock: Time, **values: Any) -> Entry:
    """A call that is made now. Its price is one of three."""
    usd = ("0.08", "0.10", "0.005")[number % 3]
    return entry(f"call {number}", usd=usd, credits="1", scopes=(USER, "account"), begun_at=clock.now, **values)


async def made(store: Any, clock: Time, numbers: range, seconds_apart: float = 1.0) -> list[Entry]:
    """Make calls that do not read the budget, one after the other."""
    calls = []
    for number in numbers:
        calls.append(call(number, clock))
        assert await StoreLedger(store).begin(calls[-1]) is None
        clock.now += seconds_apart
    return calls


async def reserved(store: InMemoryStore, begun: Entry, limits: list[Limit]) -> None:
    """Begin a call in a process that is killed just before it writes the entry, after its price was written."""
    until_the_entry = 1 + len(begun.scopes) + len(limits)  # reads the key, and writes and reads what is spent
    with pytest.raises(DiedError):
        await StoreLedger(MortalStore(store, until_the_entry)).begin(begun, limits=limits)


def total(*calls: Entry) -> Spent:
    return Spent(len(calls), sum((Decimal(each.usd) for each in calls), Decimal(0)), Decimal(len(calls)))


async def spent(store: InMemoryStore) -> Spent:
    return await StoreLedger(store).spent(USER)


@pytest.mark.parametrize("seconds_apart", [1.0, 6 * HOUR], ids=["on one day", "on many days"])
async def test_a_budget_is_read_in_few_items(seconds_apart: float, clock: Time) -> None:
    """Each call would read all calls that were ever made: with ten thousand it would take half a second."""
    store = InMemoryStore()
    calls = await made(store, clock, range(240), seconds_apart)
    clock.now += HOUR
    calls.append(call(240, clock))
    assert await StoreLedger(store).begin(calls[-1], limits=NO_LIMIT) is None
    watched = MortalStore(store)
    assert await StoreLedger(watched).spent(USER) == total(*calls)
    assert watched.read <= (3 if seconds_apart == 1.0 else 65)


async def test_a_call_does_not_wait_until_thousands_of_calls_are_in_lists(
    clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first budget of an old account would hold up its call for a minute, and then be too late."""
    monkeypatch.setattr(store_spending, "_MOST_TO_LIST", 150)
    store = InMemoryStore()
    calls = await made(store, clock, range(400))
    clock.now += HOUR
    for number, left in ((400, 250), (401, 100), (402, 0), (403, 0)):
        calls.append(call(number, clock))
        assert await StoreLedger(store).begin(calls[-1], limits=NO_LIMIT) is None
        watched = MortalStore(store)
        assert await StoreLedger(watched).spent(USER) == total(*calls)
        assert watched.read == left + 1 + number - 399


async def test_a_day_is_read_alone(clock: Time) -> None:
    """The budget of an account's day would become slower with each year."""
    store = InMemoryStore()
    await made(store, clock, range(50))
    clock.now += 24 * HOUR
    today = await made(store, clock, range(50, 53))
    watched = MortalStore(store)
    day = int(clock.now) // 86_400
    assert await StoreLedger(watched).spent(USER, day) == total(*today)
    assert watched.read == 3


async def test_a_process_that_dies_while_it_makes_lists_changes_no_total(clock: Time) -> None:
    """A call that is in no list any more could be spent again, and one in two would be counted twice."""
    filled = InMemoryStore()
    calls = await made(filled, clock, range(105))
    clock.now += HOUR
    for operations in range(0, 109, 3):
        store = InMemoryStore()
        for item in filled.search((), limit=10_000):
            store.put(item.namespace, item.key, item.value)
        dying = call(200, clock)
        try:
            await StoreLedger(MortalStore(store, operations)).begin(dying, limits=NO_LIMIT)
        except DiedError:
            clock.now += 121  # until what it has reserved no longer counts
        else:
            pytest.fail("it did not die while it made the list")
        assert await spent(store) == total(*calls), operations
        next_one = call(201, clock)
        assert await StoreLedger(store).begin(next_one, limits=NO_LIMIT) is None
        assert await spent(store) == total(*calls, next_one), operations


@pytest.mark.parametrize("seed", range(5))
async def test_several_that_make_lists_at_once_change_no_total(seed: int, clock: Time) -> None:
    """Each of them deletes what it has put into its list."""
    store = InMemoryStore()
    calls = await made(store, clock, range(130))
    for _ in range(2):
        clock.now += HOUR
        at_once = [call(len(calls) + number, clock) for number in range(6)]
        stores = [MortalStore(store, seed=10 * seed + number) for number in range(6)]
        begun = (StoreLedger(each).begin(one, limits=NO_LIMIT) for each, one in zip(stores, at_once, strict=True))
        assert await asyncio.gather(*begun) == [None] * 6
        calls += at_once
        assert await spent(store) == total(*calls)
        calls += await made(store, clock, range(len(calls), len(calls) + 100))
    assert await spent(store) == total(*calls)


async def test_a_call_in_a_list_can_be_taken_off_and_counted_again(clock: Time) -> None:
    """A person may release a call after a week; its sender may even wake up and file its answer after that."""
    store = InMemoryStore()
    calls = await made(store, clock, range(110))
    clock.now += HOUR
    calls += [call(110, clock)]
    assert await StoreLedger(store).begin(calls[-1], limits=NO_LIMIT) is None
    assert await StoreLedger(store).replace(calls[0], None)
    assert await spent(store) == total(*calls[1:])
    assert await StoreLedger(store).begin(calls[0]) is None
    for _ in range(2):
        assert await spent(store) == total(*calls)
        more = await made(store, clock, range(len(calls), len(calls) + 110))
        clock.now += HOUR
        calls += [*more, call(len(calls) + 110, clock)]
        assert await StoreLedger(store).begin(calls[-1], limits=NO_LIMIT) is None


async def test_a_call_that_is_refused_just_now_is_taken_off(clock: Time) -> None:
    """It is looked for among the newest calls only, so it must not be in a list yet."""
    store = InMemoryStore()
    calls = await made(store, clock, range(110))
    assert await StoreLedger(store).begin(call(110, clock), limits=NO_LIMIT) is None
    assert await StoreLedger(store).replace(calls[-1], None)
    assert (await spent(store)).calls == 110


async def test_an_entry_whose_time_was_changed_can_be_taken_off(clock: Time) -> None:
    """A request that was sent before is filed without its time."""
    store, begun = InMemoryStore(), call(0, clock)
    assert await StoreLedger(store).begin(begun) is None
    changed = begun.changed(begun_at=0.0)
    assert await StoreLedger(store).replace(begun, changed)
    assert await StoreLedger(store).replace(changed, None)
    assert await spent(store) == Spent()


async def test_a_caller_that_was_stopped_for_long_does_not_spend(clock: Time) -> None:
    """Others have taken what it had reserved: together they would spend more than the budget."""
    one, store = [Limit(USER, max_calls=1)], InMemoryStore()

    class Stopping(MortalStore):
        """Stops for three minutes when the entry is written, while another caller spends the budget."""

        def __getattr__(self, operation: str) -> Any:
            go_on = super().__getattr__(operation)

            async def later(namespace: tuple[str, ...], *args: Any, **options: Any) -> Any:
                if operation == "aput" and "submissions" in namespace:
                    clock.now += 180
                    assert await StoreLedger(store).begin(call(1, clock), limits=one) is None
                return await go_on(namespace, *args, **options)

            return later

    with pytest.raises(LedgerError, match="longer than a minute"):
        await StoreLedger(Stopping(store)).begin(call(0, clock), limits=one)
    assert (await spent(store)).calls == 1
    assert await StoreLedger(store).get("call 0") is None, "the caller would say that its outcome is unknown"


@pytest.mark.parametrize("seconds", [-59, 59])
async def test_what_another_machine_has_reserved_counts_although_clocks_differ(seconds: int, clock: Time) -> None:
    """A machine whose clock is a minute off would take what another one is about to spend."""
    store = InMemoryStore()
    clock.now += seconds
    await reserved(store, call(0, clock), NO_LIMIT)
    clock.now += 30 - seconds
    assert (await spent(store)).calls == 1
    clock.now += 181
    assert (await spent(store)).calls == 0, "the process died"
    clock.now += HOUR
    await StoreLedger(store).begin(call(1, clock), limits=NO_LIMIT)
    assert len(store.search(("producer_tools", "spending"), limit=10)) == 3, "what it left would be read for ever"


async def test_what_a_dead_process_with_a_wrong_clock_has_reserved_is_not_waited_for(clock: Time) -> None:
    """Nobody could spend the rest of the budget until that time has come."""
    store, one = InMemoryStore(), [Limit(USER, max_calls=1)]
    clock.now += 240 * HOUR
    await reserved(store, call(0, clock), one)
    clock.now = NOON
    assert await StoreLedger(store).begin(call(1, clock), limits=one) is None
    with pytest.raises(BudgetExceededError):
        await StoreLedger(store).begin(call(2, clock), limits=one)
