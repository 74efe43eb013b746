"""Recording the service: when it refuses, what it would cost, what is recorded, and which differences are reported."""

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

TOKEN = "a-token-made-up-for-this-test"


def test_without_a_token_nothing_is_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise recordings of a refused token would overwrite the earlier ones."""
    monkeypatch.setattr(pytest, "main", lambda *_: pytest.fail("pytest was run"))
    assert live.main([]) == live.NO_TOKEN
    assert "ACEDATACLOUD_API_TOKEN is not set" in capsys.readouterr().err


def record(folder: Path, answer: str, *options: str, base_url: str = "http://127.0.0.1:9") -> tuple[int, str]:
    """Run the command as a person does, and type ``answer``; return the exit code and the output."""
    environment = {**os.environ, "ACEDATACLOUD_API_TOKEN": TOKEN, "ACEDATACLOUD_API_BASE_URL": base_url}
    run = subprocess.run(
        [sys.executable, "-m", "tests.recorded.live", "--folder", str(folder), *options],
        cwd=Path(__file__).parents[2], env=environment, input=answer, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250,
    )  # fmt: skip
    return run.returncode, run.stdout


def test_without_a_yes_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs money, so silence is not consent; the estimate is printed before the question."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", TOKEN)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("builtins.input", lambda _: "")
    code = live.main(["--paid", "--folder", str(tmp_path / "live")])
    output = capsys.readouterr().out
    assert code == live.NOT_AGREED, output
    assert float(re.findall(r"an estimated ([\d.]+) US dollars", output)[0]) > 1
    assert "Nothing was sent" in output
    assert "differences" not in output
    assert not (tmp_path / "live").exists()


def test_free_and_failing_calls_are_recorded(tmp_path: Path) -> None:
    """A fault here would only show when the service is recorded; a sandbox takes the service's place."""
    with ProducerSandbox(render_seconds=0, api_token=TOKEN) as service:
        code, output = record(tmp_path, "yes\n", base_url=service.base_url)
        assert service.charges == ()
    assert code == 0, output
    assert "0 of them make paid calls: an estimated 0.00 US dollars" in output
    assert "differences of shape between sandbox and service" in output
    recorded = sorted(path.stem for path in tmp_path.glob("*/*.yaml"))
    assert recorded == sorted(
        [
            "test_a_batch_of_sixty_goes_in_two_requests", "test_a_video_of_an_unknown_song", "test_a_wrong_token",
            "test_a_wrong_base_url", "test_an_unknown_task",
            "test_work_on_an_unknown_song_ends_in_an_error",
        ]
    )  # fmt: skip
    for path in tmp_path.glob("*/*.yaml"):
        text = path.read_text("utf-8")
        assert read(path)["provenance"]["kind"] == "live"
        assert TOKEN not in text + output
        assert service.base_url not in text


def interaction(path: str, body: dict[str, Any], answer: str = "{}", status: int = 200) -> dict[str, Any]:
    """A request and its answer, as a recording contains them."""
    request = {"uri": f"https://api.acedata.cloud{path}", "method": "POST", "headers": {}, "body": body}
    return {"request": request, "response": {"status": {"code": status}, "headers": {}, "body": {"string": answer}}}


def write(folder: Path, *interactions: dict[str, Any], name: str = "test_x") -> Path:
    """Write a recording, and return its path."""
    path = folder / "test_recorded_x" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"interactions": list(interactions)}), "utf-8")
    return path


def test_the_estimate(tmp_path: Path) -> None:
    """An unknown price counts as the highest known one, and a refusal as nothing. Too low a figure would mislead."""
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


def test_differences_of_keys_types_and_statuses_are_reported(tmp_path: Path) -> None:
    """The service is recorded to find them: one that is not reported would stay unknown."""
    look_up = ("/producer/tasks", {"action": "retrieve", "id": "t1"})
    sandbox, service = tmp_path / "sandbox", tmp_path / "live"
    write(
        sandbox,
        interaction(*look_up, '{"id": "t1", "data": [{"duration": "1.5", "style": "sad"}], "response": null}'),
        interaction("/producer/wav", {"audio_id": "a1"}, '{"error": {}}', 400),
    )
    write(
        service,
        interaction(
            *look_up, '{"id": "t2", "data": [{"duration": 2}, {"duration": "x"}], "cost": 0.1, "response": null}'
        ),
        interaction("/producer/wav", {"audio_id": "a1"}, "<html>", 502),
    )
    write(service, interaction("/producer/lyrics", {"prompt": "rain"}), name="test_only_live")
    assert differences(sandbox, service) == [
        "/producer/tasks retrieve 200: body.cost: sandbox nothing, service number",
        "/producer/tasks retrieve 200: body.data[].duration: sandbox string, service number or string",
        "/producer/tasks retrieve 200: body.data[].style: sandbox string, service nothing",
        "/producer/wav 400: answered only by the sandbox",
        "/producer/wav 502: answered only by the service",
    ]


def test_equal_recordings_have_no_differences() -> None:
    """In a report that is never empty, real differences would be overlooked."""
    assert differences(FOLDER, FOLDER) == []
