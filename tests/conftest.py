"""What the tests share: a sandbox that answers at once, a client on it, and a server that says what it is told."""

from collections.abc import AsyncIterator, Iterator

import pytest

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings, and above all nobody's token, get into a test."""
    for name in (
        "ACEDATACLOUD_API_TOKEN", "ACEDATACLOUD_API_BASE_URL", "PRODUCER_REQUEST_TIMEOUT", "PRODUCER_DEFAULT_MODEL",
        "CHAT_MODEL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY", "LANGSMITH_TRACING",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sandbox() -> Iterator[ProducerSandbox]:
    """A sandbox where everything is finished at once."""
    with ProducerSandbox(render_seconds=0) as running:
        yield running


@pytest.fixture
async def client(sandbox: ProducerSandbox) -> AsyncIterator[ProducerClient]:
    """A client on the sandbox that never waits between looks."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as made:
        yield made


@pytest.fixture
def toolkit(client: ProducerClient) -> ProducerToolkit:
    return ProducerToolkit(client=client)
