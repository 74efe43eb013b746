"""Graphs run sync and async, on a sandbox whose files are quick to make."""

import io
import wave
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from graphs.runs import Runs, client_of, running
from producer_tools import ProducerClient
from producer_tools.sandbox import ProducerSandbox, files
from producer_tools.sandbox.music import cover_png


@cache
def _silence() -> bytes:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.writeframes(bytes(1600))
    return sound.getvalue()


@cache
def _cover() -> bytes:
    return cover_png("any")


@pytest.fixture(autouse=True)
def _quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A song takes the sandbox half a second to play, and nobody listens here."""
    monkeypatch.setitem(files._RENDERERS, ".wav", lambda _: _silence())
    monkeypatch.setitem(files._RENDERERS, ".png", lambda _: _cover())


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
