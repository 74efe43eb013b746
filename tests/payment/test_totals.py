"""The totals of a SQLite ledger: a budget is checked as fast with many entries, and always against what was spent."""

import sqlite3
from contextlib import closing
from math import nextafter
from pathlib import Path

import pytest

from producer_tools import BudgetExceededError, LedgerError, SqliteLedger
from producer_tools.payment import sqlite_schema
from producer_tools.payment.entry import Entry, Limit, day_of
from tests.payment.ledgers import entry

USER = "user 42"
DAY = 20_833
MIDNIGHT = DAY * 86_400.0
WITHOUT_TOTALS = ("DROP TRIGGER totals_after_INSERT", "DROP TRIGGER totals_after_DELETE", "DROP TABLE totals")


def call(number: int, begun_at: float = MIDNIGHT) -> Entry:
    return entry(f"call {number}", usd=("0.08", "0.1")[number % 2], credits="1", scopes=(USER,), begun_at=begun_at)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def summary(path: Path, day: int | None = None) -> str:
    """What was spent, as a process reads it that was started just now."""
    spent = await SqliteLedger(path).spent(USER, day)
    return f"{spent.calls} calls, {spent.usd} USD, {spent.credits} credits"


async def test_many_entries_do_not_make_a_budget_slow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten thousand calls, each submit of a user would take 30 ms longer."""
    instructions: list[int] = []
    connect = sqlite_schema.connect

    def counting(path: Path, *, may_create: bool) -> sqlite3.Connection:
        connection = connect(path, may_create=may_create)
        connection.set_progress_handler(lambda: instructions.append(10), 10)
        return connection

    ledger, limits = SqliteLedger(path), [Limit(USER, max_calls=10_000), Limit(USER, DAY, max_calls=10_000)]
    monkeypatch.setattr(sqlite_schema, "connect", counting)

    async def cost(number: int) -> int:
        """How many instructions of SQLite it takes to begin a call."""
        instructions.clear()
        assert await ledger.begin(call(number), limits=limits) is None
        return sum(instructions)

    few = [await cost(number) for number in range(12)][2:]  # the first ones prepare the file
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = [(USER, MIDNIGHT, f"owner {number}", "0.08", "1") for number in range(5_000)]
        connection.executemany("INSERT INTO spending VALUES (?, ?, ?, ?, ?)", rows)
    many = [await cost(number) for number in range(12, 22)]
    assert (await ledger.spent(USER)).calls == 5_022
    assert max(many) < 1.5 * max(few)


async def test_totals_are_made_for_a_file_that_has_none(path: Path) -> None:
    """A file of an earlier build: all users could spend their budgets again."""
    for number in range(3):
        await SqliteLedger(path).begin(call(number, MIDNIGHT - 1 + number))
    execute(path, *WITHOUT_TOTALS)
    assert [await summary(path), await summary(path, DAY)] == [
        "3 calls, 0.26 USD, 3 credits",
        "2 calls, 0.18 USD, 2 credits",
    ]
    with pytest.raises(BudgetExceededError):
        await SqliteLedger(path).begin(call(3), limits=[Limit(USER, max_calls=3)])


async def test_what_another_program_counts_is_in_the_totals(path: Path) -> None:
    """A worker of an earlier build writes to the same file, and knows nothing of totals."""
    await SqliteLedger(path).begin(call(0))
    execute(path, "INSERT INTO spending SELECT scope, begun_at, 'another', '0.005', '0.1' FROM spending")
    assert await summary(path, DAY) == "2 calls, 0.085 USD, 1.1 credits"
    execute(path, "DELETE FROM spending WHERE owner = 'another'")
    assert await summary(path) == "1 calls, 0.08 USD, 1 credits"


@pytest.mark.parametrize("change", ["UPDATE totals SET calls = 0", "DELETE FROM totals", "UPDATE totals SET usd = '0'"])
async def test_damaged_totals_are_an_error(path: Path, change: str) -> None:
    """A budget that was spent could be spent again."""
    await SqliteLedger(path).begin(call(0))
    execute(path, change)
    with pytest.raises(LedgerError, match="its totals differ from what was spent"):
        await SqliteLedger(path).begin(call(1))


@pytest.mark.parametrize("midnight", [MIDNIGHT, MIDNIGHT + 86_400.0])
@pytest.mark.parametrize("is_before", [True, False])
async def test_midnight_is_the_same_for_the_limit_and_the_totals(path: Path, midnight: float, is_before: bool) -> None:
    """A call that counts on another day than its limit is free."""
    begun = call(0, nextafter(midnight, 0.0) if is_before else midnight)
    await SqliteLedger(path).begin(begun, limits=[Limit(USER, day_of(begun.begun_at), max_calls=1)])
    assert (await SqliteLedger(path).spent(USER, day_of(begun.begun_at))).calls == 1
    assert day_of(begun.begun_at) == day_of(midnight) - is_before
