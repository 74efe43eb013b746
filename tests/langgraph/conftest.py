"""A sandbox with silent files, a client on it, and a runner of graphs."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from producer_tools import ProducerClient
from producer_tools.langgraph import album_graph
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import Builder, MakeAlbum, Runner, fast_client, open_runner
from tests.langgraph.song_graphs import build_checked_graph, build_plain_graph


@pytest.fixture
def sandbox() -> Iterator[ProducerSandbox]:
    """A sandbox whose songs are finished at once. They are silent, because rendering music takes long."""
    with ProducerSandbox(render_seconds=0, silent=True) as running:
        yield running


@pytest.fixture
async def client(sandbox: ProducerSandbox) -> AsyncIterator[ProducerClient]:
    async with fast_client(sandbox) as made:
        yield made


@pytest.fixture(params=["ainvoke"])
async def run(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runner]:
    """Runs graphs async, unless a test is marked `sync_and_async` or `every_checkpointer`."""
    async with open_runner(request.param, tmp_path) as runner:
        yield runner


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where songs are saved; it does not exist yet."""
    return tmp_path / "songs"


@pytest.fixture
def album(client: ProducerClient, directory: Path) -> MakeAlbum:
    """Builds an album graph with the client and the directory of this test."""
    return lambda **options: album_graph(client, download_dir=directory, **options)


@pytest.fixture
def graph(client: ProducerClient, directory: Path) -> Builder:
    """The graph of a user who checks for an error after each step."""
    return build_checked_graph(client, directory)


@pytest.fixture
def plain_graph(client: ProducerClient, directory: Path) -> Builder:
    """A graph that runs each node, whether or not the one before it failed."""
    return build_plain_graph(client, directory)


@pytest.fixture(autouse=True)
def _unmeasured_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved songs are not measured, because that takes long."""
    monkeypatch.setattr("producer_tools.files.library.finishing.measure", lambda _: None)
