"""Budgets in memory: a call is counted before it is sent, and refused if it does not fit."""

import asyncio
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from producer_tools import (
    BadRequestError,
    Budget,
    BudgetExceededError,
    ConfigurationError,
    Ledger,
    ProducerClient,
    ProducerGenerateMusic,
    SubmissionUnknownError,
    budget,
    requests,
)
from producer_tools.http.transport import Transport
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock

SONG = requests.GenerateMusic(prompt="x")


def client_of(sandbox: ProducerSandbox, **options: Any) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, **options)


async def test_a_client_stays_within_its_budget(sandbox: ProducerSandbox) -> None:
    """The third call must not be sent, and the message must say why."""
    async with client_of(sandbox, budget=Budget(max_usd=0.2)) as client:
        tool = ProducerGenerateMusic(client=client)
        for _ in range(2):
            await tool.ainvoke({"prompt": "x"})
        refused = await tool.ainvoke({"type": "tool_call", "id": "c", "name": tool.name, "args": {"prompt": "x"}})
    assert refused.status == "error"
    assert refused.content.startswith(
        "budget_exceeded: This call (an estimated 0.080 USD) does not fit into the budget: spent 2 calls, "
        "an estimated 0.160 USD; left an estimated 0.040 USD."
    )
    assert len(sandbox.charges) == 2


async def test_a_run_stays_within_its_budget(sandbox: ProducerSandbox) -> None:
    """All nested blocks and the client's budget hold. A call that one of them refuses must be counted in none."""
    async with client_of(sandbox, budget=Budget(max_calls=10)) as client:
        with budget(max_usd=1) as outer, budget(max_calls=1) as inner:
            await client.submit(SONG)
            with pytest.raises(BudgetExceededError, match="left 0 calls"):
                await client.submit(SONG)
            with pytest.raises(BudgetExceededError):
                ProducerGenerateMusic(client=client, handle_tool_error=False).invoke({"prompt": "x"})
        await client.submit(SONG)
    assert (outer.calls, outer.usd, inner.calls) == (1, Decimal("0.08"), 1)


async def test_only_calls_that_did_no_work_are_given_back(
    sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused call must not use up the budget; a call that may have been charged must."""
    faults: list[Exception] = [SubmissionUnknownError("timeout", "?"), BadRequestError("bad_request", "no")]

    async def post(*_: object, paid: bool) -> dict[str, Any]:
        # The listing is refused, so that nothing waits for a search.
        raise faults.pop() if paid else BadRequestError("bad_request", "no")

    monkeypatch.setattr(Transport, "post", post)
    spent = Budget(max_calls=5)
    async with client_of(sandbox, budget=spent) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG)
        assert (spent.calls, spent.usd) == (0, Decimal(0))
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
        assert spent.calls == 1


@pytest.mark.parametrize("kept", [{}, {"scope": "user 42"}, {"per": "day"}], ids=str)
@pytest.mark.parametrize(
    "fault", [RuntimeError("its own"), BadRequestError("bad_request", "of another call")], ids=repr
)
async def test_a_call_that_ends_in_an_error_of_the_callers_own_code_stays_counted(
    fault: Exception, kept: dict[str, Any], ledger: Ledger, sandbox: ProducerSandbox
) -> None:
    """The song was charged before the caller's hook failed: a retry would be charged, and beyond the budget."""
    sandbox.listing.answer = "forbidden"

    async def fail(_: object, __: object, ended: aiohttp.TraceRequestEndParams) -> None:
        if ended.url.path == requests.AUDIOS:
            raise fault

    hooks = aiohttp.TraceConfig()
    hooks.on_request_end.append(fail)
    async with aiohttp.ClientSession(trace_configs=[hooks]) as session:
        one = Budget(max_calls=1, **kept)
        async with client_of(sandbox, budget=one, session=session, ledger=ledger, clock=InstantClock()) as client:
            with pytest.raises((RuntimeError, SubmissionUnknownError)):
                await client.submit(SONG, key="k")
            with pytest.raises(SubmissionUnknownError):
                await client.submit(SONG, key="k")
            for _ in range(3):
                with pytest.raises(BudgetExceededError):
                    await client.submit(SONG)
    assert len(sandbox.charges) == 1


def test_a_budget_holds_across_threads_and_loops(sandbox: ProducerSandbox) -> None:
    """Calls that race for the last place in the budget must not both be sent."""
    with client_of(sandbox, budget=Budget(max_calls=7)) as client:

        def submitted(_: int) -> int:
            try:
                asyncio.run(client.submit(SONG))
            except BudgetExceededError:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(submitted, range(24))) == 7
    assert len(sandbox.charges) == 7


async def test_a_repeated_request_is_counted_once(sandbox: ProducerSandbox) -> None:
    """The same key is paid for once, so a retry must fit into a budget that is used up."""
    async with client_of(sandbox, budget=Budget(max_calls=1)) as client:
        first = await client.submit(SONG, key="k")
        assert (await client.submit(SONG, key="k")).task_id == first.task_id


@pytest.mark.parametrize("nested", [1, 2])
async def test_a_budget_is_a_block_that_can_be_entered_again(nested: int, sandbox: ProducerSandbox) -> None:
    """If a budget forgot its calls between blocks, or counted one call twice, its limit would mean nothing."""
    shared = Budget(max_calls=2)
    async with client_of(sandbox, budget=shared) as client:
        for _ in range(2):
            with ExitStack() as blocks:
                assert all(blocks.enter_context(budget(shared)) is shared for _ in range(nested))
                await client.submit(SONG)
        with shared, pytest.raises(BudgetExceededError):
            await client.submit(SONG)
    assert (shared.calls, len(sandbox.charges)) == (2, 2)


async def test_tasks_that_share_a_budget_leave_their_blocks_in_any_order(sandbox: ProducerSandbox) -> None:
    """A block that ends in one task must not end that of another."""
    shared, first_has_left = Budget(max_calls=1), asyncio.Event()

    async def first() -> None:
        with shared:
            await client.submit(SONG)
        first_has_left.set()

    async def second() -> None:
        with shared:
            await first_has_left.wait()
            with pytest.raises(BudgetExceededError):
                await client.submit(SONG)

    async with client_of(sandbox) as client:
        await asyncio.gather(second(), first())
        await client.submit(SONG)
    assert len(sandbox.charges) == 2


async def test_a_budget_in_credits(sandbox: ProducerSandbox) -> None:
    """The service bills in credits: 0.08 US dollars are 0.84 of the credits in common packages."""
    async with client_of(sandbox, budget=Budget(max_credits=1.5)) as client:
        await client.submit(SONG)
        with pytest.raises(BudgetExceededError, match=r"left an estimated 0\.658 credits"):
            await client.submit(SONG)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_calls": -1}, {"max_calls": 1.5}, {"max_usd": -0.01}, {"max_usd": float("nan")}, {"max_usd": "a lot"},
        {"max_credits": -1}, {"max_calls": 1, "per": "week"}, {"max_calls": 1, "scope": " "},
    ],
)  # fmt: skip
def test_an_impossible_limit_is_refused(limits: dict[str, Any]) -> None:
    """Nothing is larger than nan: such a budget would let every call pass."""
    for make in (Budget, budget):
        with pytest.raises(ConfigurationError, match=list(limits)[-1]):
            make(**limits)


def test_a_budget_in_memory_cannot_be_pickled() -> None:
    """Each copy would allow the same spending again."""
    with pytest.raises(ConfigurationError, match="scope="):
        pickle.dumps(Budget(max_calls=1))
    lasting = Budget(max_calls=1, max_usd=0.2, per="day", scope="user 42")
    assert pickle.loads(pickle.dumps(lasting)) == lasting  # noqa: S301 - made here
