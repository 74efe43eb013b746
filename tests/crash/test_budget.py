"""A small run of `python -m tests.crash.budget`, for every run of the suite."""

from contextlib import ExitStack

import pytest

from producer_tools import Budget
from tests.crash.budget.__main__ import ledgers
from tests.crash.budget.race import race

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize("name", ["SQLite", "PostgreSQL"])
def test_processes_spend_exactly_what_the_budget_allows(name: str) -> None:
    """If this fails, the workers of a fleet spend more than a user may, or refuse what is allowed."""
    budget = Budget(max_calls=5, per="day", scope="user 42")
    with ExitStack() as stack:
        where = next((where for each, where in ledgers(stack) if each == name), None)
        if where is None:
            pytest.skip("there is no PostgreSQL server on this machine")
        assert race(where, budget, processes=4, calls=3) == (5, 7, 5, 0)
