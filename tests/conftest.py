"""Fixtures for all tests: a clean environment, a sandbox whose songs are finished at once, a client, a toolkit."""

import logging
from collections.abc import AsyncIterator, Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and tokens of the developer's own environment out of every test."""
    for name in (
        "ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_API_BASE_URL", "PRODUCER_REQUEST_TIMEOUT", "PRODUCER_DEFAULT_MODEL",
        "PRODUCER_SANDBOX_API_TOKEN",
        "CHAT_MODEL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY", "LANGSMITH_TRACING",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """Do not give up a search, a note in the ledger or the last look-up of a wait because this machine is busy.

    These limits hold by the machine's own time, whatever clock a test has. Tests of a limit set it themselves.
    """
    with pytest.MonkeyPatch.context() as limits:  # a test that undoes its own changes does not undo these
        limits.setattr("producer_tools.payment.settling._SHORTEST_SEARCH", 30.0)
        limits.setattr("producer_tools.payment.settling._SHORTEST_FURTHER_SEARCH", 30.0)
        limits.setattr("producer_tools.payment.shared_note._LONGEST_SECONDS", 30.0)
        limits.setattr("producer_tools.tasks.waiting._LAST_LOOKUP_SECONDS", 50.0)
        yield


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Undo what a test changes about the package's log: another test would miss lines, or find too many."""
    log = logging.getLogger("producer_tools")
    before = log.level, log.propagate, log.disabled, logging.root.manager.disable
    yield
    log.setLevel(before[0])
    log.propagate, log.disabled, logging.root.manager.disable = before[1:]


@pytest.fixture(autouse=True, scope="session")
def _no_blocking_call() -> Iterator[None]:
    """Make a blocking call of the package in an event loop an error: it would hold up all users of a server.

    The sandbox may block. It stands in for a service, and has a thread and an event loop of its own.
    """
    with blockbuster_ctx("producer_tools", excluded_modules=["producer_tools.sandbox"]) as calls:
        # Sync calls that stop a running loop: their docstrings say so.
        waiting = calls.functions["threading.Lock.acquire"]
        waiting.can_block_in("producer_tools/concurrency/sync.py", "run_sync")
        waiting.can_block_in("producer_tools/concurrency/threads.py", "wait_for_thread")
        for call in calls.functions.values():
            call.can_block_in("producer_tools/files/saved.py", "_repr_html_")  # a notebook calls no async method
            # Called in the cells of notebooks; their docstrings say that they block.
            call.can_block_in("producer_tools/notebook/comparison.py", "compare")
            call.can_block_in("producer_tools/notebook/page.py", "write_page")
            call.can_block_in("producer_tools/mcp/server.py", "to_mcp")  # called before the server serves
            call.can_block_in("logging/__init__.py", "handle")  # the application chooses where its log is written
        yield


@pytest.fixture
def sandbox() -> Iterator[ProducerSandbox]:
    """A sandbox that finishes every task at once."""
    with ProducerSandbox(render_seconds=0) as running:
        yield running


@pytest.fixture
async def client(sandbox: ProducerSandbox) -> AsyncIterator[ProducerClient]:
    """A client of the sandbox that never waits between two look-ups."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as made:
        yield made


@pytest.fixture
def toolkit(client: ProducerClient, tmp_path: Path) -> ProducerToolkit:
    return ProducerToolkit(client=client, download_dir=tmp_path)


@pytest.fixture
def silent_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sandbox of the test serves silence, because rendering music takes half a second for each song."""
    monkeypatch.setattr(ProducerSandbox, "__init__", partialmethod(ProducerSandbox.__init__, silent=True))
