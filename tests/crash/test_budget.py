"""A small run of `python -m tests.crash.budget`, for every run of the suite."""

from pathlib import Path

import pytest

from producer_tools import Budget
from tests.crash.budget.race import race

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


def test_processes_spend_exactly_what_the_budget_allows(tmp_path: Path) -> None:
    """If this fails, the workers of one machine spend more than a user may, or refuse what is allowed."""
    budget = Budget(max_calls=5, per="day", scope="user 42")
    found = race(str(tmp_path / "ledger.sqlite"), budget, processes=4, calls=3)
    assert found == (5, 7, 5, 0)
