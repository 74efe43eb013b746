"""Lasting budgets: what an account, a user or a thread may spend, over restarts, processes and machines."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    BadRequestError,
    Budget,
    BudgetExceededError,
    Ledger,
    MemoryLedger,
    ProducerClient,
    SqliteLedger,
    StoreLedger,
    SubmissionUnknownError,
    api_token,
    budget,
    requests,
)
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock, ManualClock, SameDayClock
from tests.payment.calls import Account
from tests.payment.ledgers import entry

SONG = requests.GenerateMusic(prompt="x")
MIDNIGHT = 1_800_057_600.0
OpenLedger = Callable[[], Ledger]


class SlowStore:
    """A store whose operations take turns in a random order, as those of many processes do."""

    def __init__(self, store: InMemoryStore, seed: int) -> None:
        self._store = store
        self._random = Random(seed)

    def __getattr__(self, operation: str) -> Any:
        async def later(*args: Any, **options: Any) -> Any:
            for _ in range(self._random.randrange(4)):
                await asyncio.sleep(0)
            return await getattr(self._store, operation)(*args, **options)

        return later


@pytest.fixture(params=["memory", "sqlite", "store"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLedger:
    """Opens the same ledger each time, as a restarted process does."""
    memory, store = MemoryLedger(), InMemoryStore()
    openers: dict[str, OpenLedger] = {
        "memory": lambda: memory,
        "sqlite": lambda: SqliteLedger(tmp_path / "ledger.sqlite"),
        "store": lambda: StoreLedger(SlowStore(store, seed=7)),
    }
    return openers[request.param]


def client_on(account: Account, ledger: Ledger, **options: Any) -> ProducerClient:
    sandbox = account.sandbox
    return ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, **{"clock": SameDayClock(), **options})


async def submitted(client: ProducerClient, limit: Budget, times: int = 1) -> int:
    """How many of some submits were sent; the others did not fit into the budget."""
    sent = 0
    for _ in range(times):
        with limit:
            try:
                await client.submit(SONG)
                sent += 1
            except BudgetExceededError:
                pass
    return sent


@pytest.mark.parametrize(
    "limits", [{"max_calls": 2}, {"max_usd": 0.16}, {"max_credits": 2}], ids=["calls", "dollars", "credits"]
)
@pytest.mark.parametrize("kept", [{"per": "day"}, {"scope": "user 42"}, {"per": "day", "scope": "user 42"}], ids=str)
async def test_it_holds_over_restarts(
    limits: dict[str, Any], kept: dict[str, Any], open_ledger: OpenLedger, account: Account
) -> None:
    """A restarted server, or another one with the same ledger, would let a user spend as much again."""
    sent = 0
    for _ in range(3):
        async with client_on(account, open_ledger()) as client:
            sent += await submitted(client, Budget(**limits, **kept))
    assert sent == len(account.new_charges()) == 2


async def test_a_day_ends_at_midnight_utc(open_ledger: OpenLedger, account: Account) -> None:
    """What was spent yesterday must not count today. A budget of all time has no days."""
    clock, daily, ever = ManualClock(MIDNIGHT - 1), Budget(max_calls=1, per="day"), Budget(max_calls=2, scope="user 42")
    async with client_on(account, open_ledger(), clock=clock) as client:
        for expected in (1, 0):
            assert await submitted(client, daily) == expected
        clock.advance(1.0)
        with ever:
            for expected in (1, 0):
                assert await submitted(client, daily) == expected
        clock.advance(86_400.0)
        with ever:
            for expected in (1, 0):
                assert await submitted(client, daily) == expected
        clock.advance(86_400.0)
        with ever:
            assert await submitted(client, daily) == 0
    account.new_charges()


async def test_a_clock_that_was_ahead_uses_up_the_day_that_it_showed(open_ledger: OpenLedger, account: Account) -> None:
    """A clock that was a month ahead for an hour would stop the account for a month."""
    month, daily = 30 * 86_400.0, Budget(max_calls=1, per="day")
    clock = ManualClock(MIDNIGHT + month)
    async with client_on(account, open_ledger(), clock=clock) as client:
        assert await submitted(client, daily, 2) == 1
        clock.advance(-month)
        assert await submitted(client, daily, 2) == 1
        clock.advance(month)
        assert await submitted(client, daily) == 0
    account.new_charges()


async def test_a_budget_that_is_lowered_later_counts_what_was_spent_before(
    open_ledger: OpenLedger, account: Account
) -> None:
    """A limit of a user's that is lowered would otherwise have no effect, or start from 0."""
    async with client_on(account, open_ledger()) as client:
        assert await submitted(client, Budget(max_calls=3, scope="user 42"), 2) == 2
        assert await submitted(client, Budget(max_calls=1, scope="user 42"), 2) == 0
        assert await submitted(client, Budget(max_usd=0.1, scope="user 42")) == 0
        assert await submitted(client, Budget(max_calls=3, scope="user 42"), 2) == 1
    account.new_charges()


async def test_each_scope_has_its_own_budget_and_all_of_them_hold(open_ledger: OpenLedger, account: Account) -> None:
    """One user's calls must not use up another's budget, but do use up that of the account which pays for both."""
    async with client_on(account, open_ledger(), budget=Budget(max_calls=3, per="day")) as client:
        ada, bob = (Budget(max_calls=2, scope=user) for user in ("ada", "bob"))
        assert [await submitted(client, each, 3) for each in (ada, bob)] == [2, 1]
    assert len(account.new_charges()) == 3


async def test_accounts_have_budgets_of_their_own(sandbox: ProducerSandbox) -> None:
    """The budget of a day without a name is that of the token: one customer's must not stop another's."""
    users = [sandbox.add_user() for _ in range(2)]
    one = Budget(max_calls=1, per="day")
    async with ProducerClient(base_url=sandbox.base_url, budget=one, clock=SameDayClock()) as client:
        for user in users:
            with api_token(user.api_token):
                await client.submit(SONG)
                with pytest.raises(BudgetExceededError, match=r"budget account [0-9a-f]{16}: spent 1 calls"):
                    await client.submit(SONG)


async def test_calls_without_a_budget_count_for_their_account(open_ledger: OpenLedger, account: Account) -> None:
    """A process without a budget spends the account's money too."""
    async with client_on(account, open_ledger()) as client:
        await client.submit(SONG)
        assert await submitted(client, Budget(max_calls=1, per="day")) == 0
    assert len(account.new_charges()) == 1


async def test_only_calls_that_did_no_work_are_given_back(open_ledger: OpenLedger, sandbox: ProducerSandbox) -> None:
    """A refused call must leave room for another; one that may have been charged must not, even if it is released."""
    one, key = Budget(max_calls=1, scope="user 42"), "of an unknown outcome"
    sandbox.listing.answer = "bad_request"
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, ledger=open_ledger(), clock=InstantClock()
    ) as client:
        sandbox.fail_next("bad_request", endpoint=requests.AUDIOS)
        with one, pytest.raises(BadRequestError):
            await client.submit(SONG)
        sandbox.fail_next(Fault.RESET_BEFORE_WORK, endpoint=requests.AUDIOS)
        with one, pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key=key)
        assert await submitted(client, one) == 0
        await client.release(key)
        assert await submitted(client, one) == 0
    assert sandbox.charges == ()


async def test_a_call_that_another_budget_refuses_is_counted_in_none(open_ledger: OpenLedger, account: Account) -> None:
    """A budget in memory that is used up would use up the lasting ones too."""
    lasting = Budget(max_calls=1, scope="user 42")
    async with client_on(account, open_ledger()) as client:
        with budget(max_calls=0):
            assert await submitted(client, lasting, 3) == 0
        assert lasting.calls == 0
        assert await submitted(client, lasting, 3) == 1
    assert (lasting.calls, lasting.usd) == (1, Decimal("0.08"))
    account.new_charges()


async def test_a_known_key_fits_into_a_budget_that_is_used_up(open_ledger: OpenLedger, account: Account) -> None:
    """A resumed graph must get the song that it has paid for."""
    one = Budget(max_calls=1, scope="user 42")
    async with client_on(account, open_ledger()) as client:
        with one:
            tasks = [await client.submit(SONG, key="k") for _ in range(2)]
    assert tasks[0].task_id == tasks[1].task_id
    assert len(account.new_charges()) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_a_store_holds_it_among_callers_that_take_turns(seed: int) -> None:
    """A store cannot add up and write in one step: callers that look at the same moment must not all go on."""
    store, limit = InMemoryStore(), Budget(max_calls=5, scope="user 42").limit("", 0.0)

    async def begin(number: int) -> int:
        ledger = StoreLedger(SlowStore(store, seed + number))
        try:
            return await ledger.begin(entry(str(number), scopes=("user 42",)), limits=[limit]) is None
        except BudgetExceededError:
            return False

    assert sum(await asyncio.gather(*map(begin, range(20)))) == 5
    assert (await StoreLedger(store).spent("user 42")).calls == 5


@pytest.mark.parametrize("seed", range(5))
async def test_callers_with_one_key_take_one_place_in_a_store(seed: int) -> None:
    """If this fails, a caller is told that the budget is used up, by the very request that it has made itself."""
    store, limit = InMemoryStore(), Budget(max_calls=1, scope="user 42").limit("", 0.0)

    async def begin(number: int) -> str | None:
        begun = entry("key", scopes=("user 42",))
        known = await StoreLedger(SlowStore(store, 10 * seed + number)).begin(begun, limits=[limit])
        return begun.owner if known is None else known.owner

    assert len(set(await asyncio.gather(*map(begin, range(4))))) == 1


def test_it_holds_across_threads_and_clients(open_ledger: OpenLedger, account: Account) -> None:
    """Calls that race for the last place in the budget must not both be sent."""

    def submit(_: int) -> int:
        async def run() -> int:
            async with client_on(account, open_ledger()) as client:
                return await submitted(client, Budget(max_calls=5, per="day"), 2)

        return asyncio.run(run())

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(submit, range(6))) == 5
    assert len(account.new_charges()) == 5
