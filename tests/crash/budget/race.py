"""Start processes that wait for each other and then all spend the same budget."""

import asyncio
from typing import Any, NamedTuple

from producer_tools import Budget, BudgetExceededError, Ledger, ProducerClient, SqliteLedger, StoreLedger
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import SameDayClock
from tests.crash.processes import quick_starts


class Job(NamedTuple):
    """What each process is given.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        ledger: The path of a SQLite file, or the connection string of a PostgreSQL.
        budget: The budget that all of them spend.
        calls: How many calls each of them tries.
        clock: Their clock, so that the day of the budget does not end meanwhile.
    """

    base_url: str
    api_token: str
    ledger: str
    budget: Budget
    calls: int
    clock: SameDayClock


class Found(NamedTuple):
    """What came of it: calls that were sent, calls that the budget refused, charges, and processes that failed."""

    sent: int
    refused: int
    charges: int
    failed: int


def race(ledger: str, budget: Budget, *, processes: int, calls: int) -> Found:
    """Let processes spend a budget, ``calls`` calls each."""
    context = quick_starts()
    with ProducerSandbox(render_seconds=0) as sandbox:
        started, outcomes = context.Barrier(processes), context.SimpleQueue()
        job = Job(sandbox.base_url, sandbox.api_token, ledger, budget, calls, SameDayClock())
        started_ones = [
            context.Process(target=spend, args=(job, started, outcomes), daemon=True) for _ in range(processes)
        ]
        for process in started_ones:
            process.start()
        for process in started_ones:
            process.join()
        failed = sum(process.exitcode != 0 for process in started_ones)
        sent = [outcomes.get() for _ in range(processes - failed)]
        return Found(sum(sent), len(sent) * calls - sum(sent), len(sandbox.charges), failed)


def spend(job: Job, started: Any, outcomes: Any) -> None:
    """The work of one process: as many calls as the budget allows."""
    started.wait()
    outcomes.put(asyncio.run(_spend(job)))


async def _spend(job: Job) -> int:
    if not job.ledger.startswith("postgresql:"):
        return await _submit(job, SqliteLedger(job.ledger))
    from langgraph.store.postgres import AsyncPostgresStore  # noqa: PLC0415 - not installed everywhere

    async with AsyncPostgresStore.from_conn_string(job.ledger) as store:
        return await _submit(job, StoreLedger(store))


async def _submit(job: Job, ledger: Ledger) -> int:
    async with ProducerClient(job.api_token, job.base_url, ledger=ledger, budget=job.budget, clock=job.clock) as client:
        return sum([await _is_sent(client) for _ in range(job.calls)])


async def _is_sent(client: ProducerClient) -> bool:
    try:
        await client.submit(GenerateMusic(prompt="x"))
    except BudgetExceededError:
        return False
    return True
