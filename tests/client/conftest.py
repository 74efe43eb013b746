"""A recording, and clients that share nothing but the file of their ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.files.own_recordings import wav


@pytest.fixture
def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.wav"
    path.write_bytes(wav())
    return path


@pytest.fixture
def client_of(sandbox: ProducerSandbox, clock: InstantClock, tmp_path: Path) -> Callable[..., ProducerClient]:
    """Makes a client as another process would have it: only the file of the ledger is shared."""

    def make(token: str | None = None, **options: Any) -> ProducerClient:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        return ProducerClient(token or sandbox.api_token, sandbox.base_url, ledger=ledger, clock=clock, **options)

    return make
