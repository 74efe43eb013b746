"""Recording the service: what it refuses, what it says it will cost, that it records, and what it tells apart."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from producer_tools.sandbox import ProducerSandbox
from tests.recorded import live
from tests.recorded.cassettes import FOLDER, read
from tests.recorded.shapes import differences

TOKEN = "a-key-made-up-for-this-test"


def test_without_a_key_nothing_is_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Else every recording would be one of a refused key, over those made before."""
    monkeypatch.setattr(pytest, "main", lambda *_: pytest.fail("pytest was run"))
    assert live.main([]) == live.NO_KEY
    assert "ACEDATACLOUD_API_TOKEN is not set" in capsys.readouterr().err


def record(folder: Path, answer: str, *options: str, base_url: str = "http://127.0.0.1:9") -> tuple[int, str]:
    """Run it as a person does; gives the exit code and all that is shown."""
    environment = {**os.environ, "ACEDATACLOUD_API_TOKEN": TOKEN, "ACEDATACLOUD_API_BASE_URL": base_url}
    run = subprocess.run(
        [sys.executable, "-m", "tests.recorded.live", "--folder", str(folder), *options],
        cwd=Path(__file__).parents[2], env=environment, input=answer, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50,
    )  # fmt: skip
    return run.returncode, run.stdout


def test_without_a_yes_nothing_is_sent(tmp_path: Path) -> None:
    """It costs money, so whoever says nothing has not agreed; and the figure stands there before the question."""
    code, shown = record(tmp_path / "live", "", "--paid")
    assert code == live.NOT_AGREED, shown
    assert float(re.findall(r"about ([\d.]+) US dollars", shown)[0]) > 1
    assert "Nothing was sent" in shown
    assert "differences" not in shown
    assert not (tmp_path / "live").exists()


def test_free_and_failing_calls_are_recorded(tmp_path: Path) -> None:
    """The whole way, with a sandbox in the service's place; a test of the tests that money would be spent on."""
    with ProducerSandbox(render_seconds=0, api_token=TOKEN) as service:
        code, shown = record(tmp_path, "yes\n", base_url=service.base_url)
        assert service.charges == ()
    assert code == 0, shown
    assert "0 of them make paid calls: about 0.00 US dollars" in shown
    assert "differences of shape between sandbox and service" in shown
    made = sorted(path.stem for path in tmp_path.glob("*/*.yaml"))
    assert made == sorted(
        [
            "test_a_batch_of_sixty_goes_in_two_requests", "test_a_video_of_an_unknown_song", "test_a_wrong_token",
            "test_an_address_that_is_not_the_apis", "test_an_unknown_task",
            "test_work_on_an_unknown_song_ends_in_an_error",
        ]
    )  # fmt: skip
    for path in tmp_path.glob("*/*.yaml"):
        text = path.read_text("utf-8")
        assert read(path)["provenance"]["kind"] == "live"
        assert TOKEN not in text + shown
        assert service.base_url not in text


def interaction(path: str, body: dict[str, Any], answer: str = "{}", status: int = 200) -> dict[str, Any]:
    request = {"uri": f"https://api.acedata.cloud{path}", "method": "POST", "headers": {}, "body": body}
    return {"request": request, "response": {"status": {"code": status}, "headers": {}, "body": {"string": answer}}}


def write(folder: Path, *interactions: dict[str, Any], name: str = "test_x") -> Path:
    path = folder / "test_recorded_x" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"interactions": list(interactions)}), "utf-8")
    return path


def test_the_estimate(tmp_path: Path) -> None:
    """An action of unknown price is counted at the highest, an upload's action as its twin, a refusal not at all."""
    path = write(
        tmp_path,
        interaction("/producer/audios", {"action": "generate"}),
        interaction("/producer/audios", {"action": "upload_extend"}),
        interaction("/producer/audios", {"action": "stems"}),
        interaction("/producer/lyrics", {"prompt": "rain"}),
        interaction("/producer/wav", {"audio_id": "a1"}),
        interaction("/producer/wav", {"audio_id": "a1"}, status=400),
        interaction("/producer/tasks", {"action": "retrieve", "id": "t1"}),
    )
    assert live.estimate([path, path]) == 2 * Decimal("0.335")


def test_where_two_sets_differ(tmp_path: Path) -> None:
    """The report is what a live recording is made for: a key, a type or a status it missed would stay unknown."""
    look = ("/producer/tasks", {"action": "retrieve", "id": "t1"})
    ours, theirs = tmp_path / "sandbox", tmp_path / "live"
    write(
        ours,
        interaction(*look, '{"id": "t1", "data": [{"duration": "1.5", "style": "sad"}], "response": null}'),
        interaction("/producer/wav", {"audio_id": "a1"}, '{"error": {}}', 400),
    )
    write(
        theirs,
        interaction(*look, '{"id": "t2", "data": [{"duration": 2}, {"duration": "x"}], "cost": 0.1, "response": null}'),
        interaction("/producer/wav", {"audio_id": "a1"}, "<html>", 502),
    )
    write(theirs, interaction("/producer/lyrics", {"prompt": "rain"}), name="test_only_live")
    assert differences(ours, theirs) == [
        "/producer/tasks retrieve 200: body.cost: sandbox nothing, service number",
        "/producer/tasks retrieve 200: body.data[].duration: sandbox string, service number or string",
        "/producer/tasks retrieve 200: body.data[].style: sandbox string, service nothing",
        "/producer/wav 400: answered only by the sandbox",
        "/producer/wav 502: answered only by the service",
    ]


def test_nothing_differs_from_itself() -> None:
    """A report that is never empty is read by nobody."""
    assert differences(FOLDER, FOLDER) == []
