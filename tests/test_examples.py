"""The examples run, offline, and do what the README says."""

import csv
import wave
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from producer_tools import ProducerClient
from producer_tools.sandbox import ProducerSandbox

EXAMPLES = Path(__file__).parent.parent / "examples"
LINES = {"toolkit": 25, "nodes": 40}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ModuleType]:
    """Imports an example, with a sandbox that is as fast as a test wants it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)

    def quick(*given: Any, **settings: Any) -> ProducerClient:
        return ProducerClient(*given, **{**settings, "poll_interval": 0.01})

    def load(name: str) -> ModuleType:
        service = import_module("service")
        monkeypatch.setattr(service, "ProducerSandbox", lambda **_: ProducerSandbox(render_seconds=0))
        monkeypatch.setattr(service, "ProducerClient", quick)
        return import_module(name)

    return load


async def test_quickstart_saves_a_file_that_plays(
    example: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await example("quickstart_agent").main("a slow sad waltz")
    [path] = (tmp_path / "songs").glob("*.wav")
    with wave.open(str(path)) as song:
        seconds = song.getnframes() / song.getframerate()
    told = capsys.readouterr().out
    assert seconds >= 8
    assert f"Sandbox: Slow Sad Waltz, {seconds:.1f} s: songs/{path.name}" in told
    assert "the sandbox on this machine" in told
    assert "Model: scripted" in told


async def test_quickstart_says_that_the_real_service_costs_money(
    example: Callable[[str], ModuleType],
    sandbox: ProducerSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    await example("quickstart_agent").main("a song")
    assert "THIS COSTS MONEY" in capsys.readouterr().out
    assert len(sandbox.charges) == 1


async def test_batch_resumes_where_it_stopped(
    example: Callable[[str], ModuleType],
    sandbox: ProducerSandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Stopped after the submits, and once between sending and answer: no row is submitted twice."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    batch = example("batch")
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("prompt\none\ntwo\nthree\n", encoding="utf-8")

    async def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ProducerClient, "wait", killed)
        with pytest.raises(KeyboardInterrupt):
            await batch.main(prompts, tmp_path / "out")
    table = tmp_path / "out" / "results.csv"
    prompts.write_text("prompt\none\ntwo\nthree\nfour\n", encoding="utf-8")
    table.write_text(table.read_text(encoding="utf-8") + "four,,submitting,,,,\n", encoding="utf-8")
    await batch.main(prompts, tmp_path / "out")
    await batch.main(prompts, tmp_path / "out")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["saved", "saved", "saved", "unknown"]
    assert all((tmp_path / "out" / row["file"]).is_file() for row in rows[:3])
    assert len(sandbox.charges) == 3


@pytest.mark.parametrize("name", LINES)
async def test_a_small_example_is_small_and_saves_a_song(
    name: str,
    example: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever copies it has something that works, and can take it in at a glance."""
    module = example(name)
    if name == "toolkit":
        monkeypatch.setattr(module, "ProducerSandbox", partial(ProducerSandbox, render_seconds=0))
    await module.main("a calm piano piece")
    [path] = (tmp_path / "songs").glob("*-audio*.wav")
    assert str(path) in capsys.readouterr().out
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= LINES[name]


async def test_a_graph_that_was_killed_goes_on(
    example: Callable[[str], ModuleType], sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The example's first line says so; the service lives on, and has been paid."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    nodes = example("nodes")

    async def killed(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(ProducerClient, "wait", killed)
        with pytest.raises(RuntimeError, match="killed"):
            await nodes.main("a song")
    assert not (tmp_path / "songs").exists()
    await nodes.main("a song")
    assert list((tmp_path / "songs").glob("*-audio*.wav"))
    assert len(sandbox.charges) == 1


async def test_waiting_takes_two_turns_where_looking_takes_many(
    example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promise of the README, at a hundredth of the time: submit, wait, and the answer to the user."""
    turns = example("turns")
    monkeypatch.setattr(turns, "SCALE", 0.01)
    polling = await turns.measure(lambda name: name not in turns.OUR_OWN)
    waiting = await turns.measure(lambda name: name != "producer_download_results")
    assert waiting.turns == 3
    # A loaded machine looks less often in so short a time; `make turns` has the real figures.
    assert polling.turns >= waiting.turns + 2
    assert waiting.characters < polling.characters
