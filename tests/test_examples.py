"""The examples run, offline, and do what the README says."""

import wave
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from producer_tools.sandbox import ProducerSandbox

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def quickstart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    quickstart_agent = import_module("quickstart_agent")

    monkeypatch.setattr(quickstart_agent, "ProducerSandbox", lambda **_: ProducerSandbox(render_seconds=0))
    return quickstart_agent


async def test_quickstart_saves_a_file_that_plays(
    quickstart: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await quickstart.main("a slow sad waltz")
    [path] = (tmp_path / "songs").iterdir()
    with wave.open(str(path)) as song:
        seconds = song.getnframes() / song.getframerate()
    told = capsys.readouterr().out.replace("\n", "")
    assert seconds >= 8
    assert f"{seconds:.1f} s: songs/{path.name}" in told
    assert "sandbox" in told
    assert "scripted" in told


async def test_quickstart_says_that_the_real_service_costs_money(
    quickstart: ModuleType,
    sandbox: ProducerSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    await quickstart.main("a song")
    assert "THIS COSTS MONEY" in capsys.readouterr().out
    assert len(sandbox.charges) == 1
