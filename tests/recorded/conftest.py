"""Makes and plays recordings, of a sandbox that behaves the same each time or of the service."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from vcr import VCR
from vcr.cassette import Cassette

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.concurrency.clock import SystemClock
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.recorded.calls import Caller, Service
from tests.recorded.cassettes import COLLECTED, SOURCE, Recorder, Source, cassette_name, cassette_path
from tests.recorded.scrubbing import SERVICE, Scrubber

_RECORDER = pytest.StashKey[Recorder]()

_NOON = 1_767_268_800.0  # of 1 January 2026, UTC
_SONG_SECONDS = 4.0
_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(SOURCE, Source())
    config.addinivalue_line("markers", "sandbox(**options): arguments of the sandbox that is recorded")
    config.addinivalue_line("markers", "sandbox_only: the service cannot be made to give this answer")
    config.addinivalue_line("markers", "paid: recording this test from the service costs money")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which tests have a recording. When recording, only the async test of each pair runs."""
    config.stash[COLLECTED] = [item for item in items if has_recording(item)]
    if _is_recording(config):
        sync_tests = [item for item in config.stash[COLLECTED] if _parameters(item).get("how") == "sync"]
        config.hook.pytest_deselected(items=sync_tests)
        items[:] = [item for item in items if item not in sync_tests]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Fail a test that does not play all of its recording, since it no longer sends the recorded requests."""
    result = yield
    cassette = pyfuncitem.funcargs.get("vcr")
    if isinstance(cassette, Cassette) and not _is_recording(pyfuncitem.config):
        assert cassette.all_played, f"the test played {cassette.play_count} of {len(cassette)} recorded answers"
    return result


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    vcr.register_persister(config.stash[_RECORDER])


def has_recording(item: pytest.Item) -> bool:
    """Whether a test has its own recording."""
    return _HERE in item.path.parents and item.get_closest_marker("vcr") is not None


def path_of_recording(item: pytest.Item) -> Path:
    """The file of a test's recording."""
    return cassette_path(item.config.stash[SOURCE].folder, item.path, item.name)


@pytest.fixture(params=["async", "sync"])
def how(request: pytest.FixtureRequest) -> str:
    """How the tools are called. Each recording is played with async and with sync calls."""
    return str(request.param)


@pytest.fixture
def vocabulary(request: pytest.FixtureRequest) -> str:
    """The form of the sandbox's task records."""
    return str(getattr(request, "param", "record"))


@pytest.fixture
def service(request: pytest.FixtureRequest, vocabulary: str) -> Iterator[Service]:
    """The server that is recorded: a sandbox or the service. No server runs while a recording is played."""
    source, clock = request.config.stash[SOURCE], InstantClock()
    clock.time = _NOON
    if not _is_recording(request.config):
        yield Service(SERVICE, "not-a-real-token", clock)
    elif source.api_token is not None:
        yield Service(source.base_url, source.api_token, SystemClock())
    else:
        options: dict[str, Any] = {"render_seconds": _SONG_SECONDS, "vocabulary": vocabulary}
        for marker in request.node.iter_markers("sandbox"):
            options |= marker.kwargs
        script = options.pop("script", None)
        with ProducerSandbox(**options, clock=clock, seed=1) as sandbox:
            if script is not None:
                script(sandbox)
            yield Service(sandbox.base_url, sandbox.api_token, clock)


@pytest.fixture
def vcr_config(request: pytest.FixtureRequest, service: Service) -> dict[str, Any]:
    """The settings of pytest-recording."""
    config = request.config
    scrubber = Scrubber(service.base_url, [service.api_token])
    config.stash[_RECORDER] = Recorder(config.stash[SOURCE].kind, scrubber, recording=_is_recording(config))
    return config.stash[_RECORDER].settings()


@pytest.fixture
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    return str(path_of_recording(request.node).parent)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return cassette_name(request.node.name)


@pytest.fixture
async def client(service: Service) -> AsyncIterator[ProducerClient]:
    async with ProducerClient(service.api_token, service.base_url, clock=service.clock) as made:
        yield made


@pytest.fixture
def call(client: ProducerClient, how: str, vcr: Cassette) -> Caller:
    """Calls the tools as a model does."""
    return Caller(ProducerToolkit(client=client), how, vcr)


def _is_recording(config: pytest.Config) -> bool:
    return config.getoption("--record-mode") not in (None, "none")


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
