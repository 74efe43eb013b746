"""One sandbox for all tests of a module, because many of them are short."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import Ledger, MemoryLedger, SqliteLedger, StoreLedger
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock, ManualClock
from tests.payment.calls import Account
from tests.payment.service_down import Down


@pytest.fixture(scope="module")
def shared_account() -> Iterator[Account]:
    with ProducerSandbox(render_seconds=0) as sandbox:
        yield Account(sandbox)


@pytest.fixture
def account(shared_account: Account) -> Account:
    """The sandbox's account. Charges of earlier tests do not count as new."""
    shared_account.new_charges()
    return shared_account


@pytest.fixture
def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
def service(clock: InstantClock) -> Iterator[ProducerSandbox]:
    """A sandbox of the test's own, whose clock shows the client's time."""
    with ProducerSandbox(render_seconds=0, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite ledger may be made."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture(params=["memory", "sqlite", "store"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """A new ledger of each kind."""
    made: dict[str, Callable[[], Ledger]] = {
        "memory": MemoryLedger,
        "sqlite": lambda: SqliteLedger(tmp_path / "ledger.sqlite"),
        "store": lambda: StoreLedger(InMemoryStore()),
    }
    return made[request.param]()


@pytest.fixture
async def down(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Down]:
    monkeypatch.setattr("producer_tools.payment.availability._SECONDS_TO_AGREE", 0.05)
    clock = ManualClock()
    with ProducerSandbox(render_seconds=0, clock=clock, silent=True) as sandbox:
        sandbox.listing.answer = "forbidden"
        service = Down(sandbox, clock)
        yield service
        for client in service.clients:
            await client.aclose()
