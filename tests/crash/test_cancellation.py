"""A submit that is cancelled at any step of its event loop."""

from pathlib import Path

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import MemoryLedger, SqliteLedger, StoreLedger
from producer_tools.sandbox import ProducerSandbox
from tests.crash.cancellation import WAYS, Victims, Way, always, by_client, cancel_at_each_step

each_way = pytest.mark.parametrize("way", WAYS)
each_kind = pytest.mark.parametrize("victims", ["caller", "all"])


@each_way
@each_kind
def test_a_submit_that_is_cancelled_at_any_step_is_paid_once(
    sandbox: ProducerSandbox, victims: Victims, way: Way
) -> None:
    """If this fails, there is a moment at which a cancellation makes a song be paid for twice, or be lost."""
    # A graph takes some steps before and after the submit, and an agent many: each second one is enough there.
    found = cancel_at_each_step(sandbox, way, always(MemoryLedger()), victims, every=1 if way is by_client else 2)
    assert found.wrong == []
    assert found.unknown == 0
    assert found.cancelled >= 10


@each_kind
@pytest.mark.parametrize("ledger", ["sqlite", "store"])
def test_so_it_is_with_a_ledger_that_waits(
    sandbox: ProducerSandbox, victims: Victims, ledger: str, tmp_path: Path
) -> None:
    """The threads that write a file, and the operations of a store, go on when the task that waits is cancelled."""
    opened = SqliteLedger(tmp_path / "ledger.sqlite") if ledger == "sqlite" else StoreLedger(InMemoryStore())
    found = cancel_at_each_step(sandbox, by_client, always(opened), victims, every=3, first=2)
    assert found.wrong == []
    assert found.unknown == 0
    assert found.cancelled >= 4
