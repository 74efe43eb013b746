"""Graphs run sync and async."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producer_tools import ProducerClient
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runs import Runs, client_of, running


@pytest.fixture(autouse=True)
def _quick(silent_files: None) -> None:
    """Nobody listens here."""


@pytest.fixture
async def client(sandbox: ProducerSandbox) -> AsyncIterator[ProducerClient]:
    async with client_of(sandbox) as made:
        yield made


@pytest.fixture(params=["ainvoke"])
async def runs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runs]:
    """Runs graphs async, unless a test is marked `both_ways` or `everywhere`."""
    async with running(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the songs go; not made yet."""
    return tmp_path / "songs"
