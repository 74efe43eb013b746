"""What the tests share: a sandbox that answers at once, a client on it, and a server that says what it is told."""

import io
import wave
from collections.abc import AsyncIterator, Iterator
from functools import cache

import pytest

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox, files
from producer_tools.sandbox.music import cover_png


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


@pytest.fixture
def silent_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of a song's length, in place of what takes the sandbox half a second to play; where nobody listens."""
    monkeypatch.setitem(files._RENDERERS, ".wav", lambda audio: _silence(audio.song.duration))
    monkeypatch.setitem(files._RENDERERS, ".png", lambda _: _cover())


def _silence(seconds: float) -> bytes:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(1)
        opened.setframerate(8000)
        opened.writeframes(b"\x80" * round(seconds * 8000))
    return sound.getvalue()


@cache
def _cover() -> bytes:
    return cover_png("any")
