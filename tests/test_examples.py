"""Each example runs offline, and does what its first lines say."""

import asyncio
import csv
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import PatientClock

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.usefixtures("silent_files")

Example = Callable[[str], ModuleType]


def fast_sandbox(**settings: Any) -> ProducerSandbox:
    return ProducerSandbox(**{**settings, "render_seconds": 0})


def fast_client(*given: Any, **settings: Any) -> ProducerClient:
    return ProducerClient(*given, **settings, clock=PatientClock())


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Example:
    """Imports an example; the sandbox and the client that it opens are fast."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)

    def load(name: str) -> ModuleType:
        module = import_module(name)
        for opens in (module, import_module("service")):
            for opened, fast in (("ProducerSandbox", fast_sandbox), ("ProducerClient", fast_client)):
                if hasattr(opens, opened):
                    monkeypatch.setattr(opens, opened, fast)
        return module

    return load


@pytest.fixture
def service(sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch) -> ProducerSandbox:
    """A sandbox that the environment names, and that outlives the example, as the real service would."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    return sandbox


class KilledError(BaseException):
    """Ends a run as a kill would: nothing of the example runs after it."""


@contextmanager
def killed_in_wait(monkeypatch: pytest.MonkeyPatch, songs: int) -> Iterator[None]:
    """In the block, a run dies with `KilledError` as soon as it waits for so many songs."""
    waiting = 0

    async def wait(*_: object, **__: object) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == songs:
            raise KilledError
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(ProducerClient, "wait", wait)
        yield


async def test_quickstart_saves_a_file_that_plays(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await example("quickstart_agent").main("a slow sad waltz")
    [path] = (tmp_path / "songs").glob("*.wav")
    with wave.open(str(path)) as song:
        seconds = song.getnframes() / song.getframerate()
    printed = capsys.readouterr().out
    assert seconds >= 8
    assert f"Sandbox: Slow Sad Waltz, {seconds:.1f} s: songs/{path.name}" in printed
    assert "the sandbox on this machine" in printed
    assert "Model: scripted" in printed


async def test_quickstart_says_that_the_real_service_costs_money(
    example: Example, service: ProducerSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await example("quickstart_agent").main("a song")
    assert "THIS COSTS MONEY" in capsys.readouterr().out
    assert len(service.charges) == 1


async def test_toolkit_saves_a_song(example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await example("toolkit").main("a calm piano piece")
    [path] = (tmp_path / "songs").glob("*.wav")
    assert path.name in capsys.readouterr().out


async def test_nodes_save_a_song(
    example: Example, service: ProducerSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await example("nodes").main("a calm piano piece")
    [path] = (tmp_path / "songs").glob("*.wav")
    assert path.name in capsys.readouterr().out
    assert len(service.charges) == 1


async def test_nodes_that_were_killed_resume_and_pay_once(
    example: Example, service: ProducerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a user of this graph loses a song to a crash, or pays for it twice."""
    nodes = example("nodes")
    with killed_in_wait(monkeypatch, songs=1), pytest.raises(KilledError):
        await nodes.main("a song")
    assert not (tmp_path / "songs").exists()
    await nodes.main("a song")
    assert list((tmp_path / "songs").glob("*.wav"))
    assert len(service.charges) == 1


async def test_nodes_use_the_task_that_a_person_has_adopted(
    example: Example, service: ProducerSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each start is a new run. Without a key of its own, the song would be a new request, and be paid for again."""
    nodes = example("nodes")
    service.listing.answer = "forbidden"  # else the task would be found without a person
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/audios")
    await nodes.main("a song")
    assert "client.adopt('a song/a song', task_id)" in capsys.readouterr().out
    async with fast_client(ledger=SqliteLedger("songs.sqlite")) as client:
        await client.adopt("a song/a song", service.charges[0].task_id)
    for _ in range(2):
        await nodes.main("a song")
    assert list((tmp_path / "songs").glob("*.wav"))
    assert len(service.charges) == 1


async def test_a_batch_that_was_killed_resumes_and_pays_once(
    example: Example, service: ProducerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a prompt is submitted twice: after a kill, after success, or after a lost answer."""
    batch, prompts, out = example("batch"), tmp_path / "prompts.csv", tmp_path / "out"
    prompts.write_text("prompt\none\ntwo\nthree\n", encoding="utf-8")
    with killed_in_wait(monkeypatch, songs=3), pytest.raises(KilledError):
        await batch.main(prompts, out)
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/audios")
    prompts.write_text("prompt\none\ntwo\nthree\nlost\n", encoding="utf-8")
    for _ in range(2):
        await batch.main(prompts, out)
        with (out / "results.csv").open(encoding="utf-8", newline="") as file:
            *rows, lost = csv.DictReader(file)
        assert [row["prompt"] for row in rows] == ["one", "two", "three"]
        assert all(Path(row["file"]).is_file() for row in rows)
        assert (lost["file"], lost["task_id"]) == ("", "")
        assert "unknown" in lost["error"]
    assert sorted(charge.request["prompt"] for charge in service.charges) == ["lost", "one", "three", "two"]


@pytest.mark.parametrize(
    ("answers", "paid"), [(["approve"], ["a song"]), (["edit", "a better song"], ["a better song"]), (["reject"], [])]
)
def test_approval_pays_for_what_the_person_approved(
    answers: list[str],
    paid: list[str],
    example: Example,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If this fails, a call is paid for that nobody approved, or an approved one is not sent."""
    approval, sandboxes = example("approval"), []

    def sandbox() -> ProducerSandbox:
        sandboxes.append(fast_sandbox())
        return sandboxes[0]

    monkeypatch.setattr(approval, "ProducerSandbox", sandbox)
    monkeypatch.setattr("builtins.input", lambda _: answers.pop(0))
    approval.main("a song")
    assert [charge.request["prompt"] for charge in sandboxes[0].charges] == paid
    printed = capsys.readouterr().out
    assert f"Spent: {len(paid)} calls" in printed
    assert ("The user does not want to pay for this call." in printed) == (not paid)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_can_be_copied_alone(path: Path) -> None:
    """If this fails, an example is too long to read at a glance, or a copy of it does not import."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 50
    if path.stem != "quickstart_agent":  # the demo, which shares its choice of service and model with the notebooks
        assert not any(f"from {neighbour.stem} import" in text for neighbour in EXAMPLES.glob("*.py"))
