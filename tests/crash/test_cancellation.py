"""A submit that is cancelled at any step of its event loop."""

from pathlib import Path

import pytest

from producer_tools import MemoryLedger, SqliteLedger
from producer_tools.sandbox import ProducerSandbox
from tests.crash.cancellation import Victims, cancel_at_each_step


@pytest.mark.parametrize("victims", ["caller", "all"])
def test_a_submit_that_is_cancelled_at_any_step_is_paid_once(sandbox: ProducerSandbox, victims: Victims) -> None:
    """If this fails, there is a moment at which a cancellation makes a song be paid for twice, or be lost."""
    found = cancel_at_each_step(sandbox, MemoryLedger(), victims)
    assert found.wrong == []
    assert found.unknown == 0
    assert found.cancelled >= 10


@pytest.mark.parametrize("victims", ["caller", "all"])
def test_so_it_is_with_a_ledger_in_a_file(sandbox: ProducerSandbox, victims: Victims, tmp_path: Path) -> None:
    """The threads that write the file go on when the task that waits for them is cancelled."""
    found = cancel_at_each_step(sandbox, SqliteLedger(tmp_path / "ledger.sqlite"), victims, every=3, first=2)
    assert found.wrong == []
    assert found.unknown == 0
    assert found.cancelled >= 4
