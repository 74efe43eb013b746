"""``python -m tests.crash.budget``: 200 processes and a budget of 50 calls, in SQLite and in PostgreSQL."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from langgraph.store.postgres import AsyncPostgresStore

from producer_tools import Budget
from tests.crash.budget.race import race
from tests.crash.fleet.postgres import NoPostgreSQLError, temporary_cluster


def main() -> None:
    """Read the arguments, run, and print what was counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.budget")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--calls", type=int, default=2, help="of each process")
    parser.add_argument("--budget", type=int, default=50, help="calls that all of them may make together")
    given = parser.parse_args()
    wrong = False
    with ExitStack() as stack:
        for name, ledger in ledgers(stack):
            began = time.monotonic()
            budget = Budget(max_calls=given.budget, per="day", scope="user 42")
            found = race(ledger, budget, processes=given.processes, calls=given.calls)
            seconds = time.monotonic() - began
            print(f"{name}: {given.processes} processes, a budget of {given.budget} calls, {seconds:.1f} s: {found}")
            wrong = wrong or found.charges != given.budget or bool(found.failed)
    sys.exit("WRONG" if wrong else None)


def ledgers(stack: ExitStack) -> Iterator[tuple[str, str]]:
    """The ledgers that this machine can run: a name, and where it is."""
    yield "SQLite", str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ledger.sqlite")
    try:
        database = stack.enter_context(temporary_cluster())
    except NoPostgreSQLError as error:
        print(f"SKIPPED: {error}")
        return
    asyncio.run(_make_tables(database))
    yield "PostgreSQL", database


async def _make_tables(database: str) -> None:
    async with AsyncPostgresStore.from_conn_string(database) as store:
        await store.setup()


if __name__ == "__main__":
    main()
