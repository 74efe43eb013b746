"""What is true of the files of recordings themselves: where each is from, that each is played, and to its end."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from vcr import VCR
from vcr.request import Request

from producer_tools.requests import AUDIOS, LYRICS, TASKS, UPLOAD, VIDEOS, WAV, MusicRequest
from tests.recorded.cassettes import COLLECTED, DOCUMENTED, FOLDER, Recorder, cassette_name, left_over, read
from tests.recorded.conftest import path_of_recording, pytest_pyfunc_call
from tests.recorded.scrubbing import SANDBOX_FILES, SERVICE, Scrubber

FILES = sorted(FOLDER.glob("*/*.yaml"))
RECORDED = {"kind", "server", "recorded_on", "recorded_with"}
PROVENANCE = {"sandbox": RECORDED, "live": RECORDED, "documented": {"kind", "source", "transcribed_on"}}
SAYS_NOTHING = {"test_an_unknown_task", "test_a_batch_of_sixty_goes_in_two_requests"}
"""Recordings whose answers are the same from whichever server."""


def bodies(path: Path) -> Iterator[Any]:
    for one in read(path)["interactions"]:
        yield json.loads(one["response"]["body"]["string"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_file_says_where_it_is_from(path: Path) -> None:
    """Without that, what a stand-in made up would be taken for what the service answers."""
    provenance = read(path)["provenance"]
    assert (provenance["kind"] == "documented") == (path.parent == DOCUMENTED)
    assert set(provenance) == PROVENANCE[provenance["kind"]]
    assert all(provenance.values())
    day = provenance.get("recorded_on") or provenance["transcribed_on"]
    assert date.fromisoformat(day).isoformat() == day
    text = path.read_text("utf-8")
    is_the_sandboxs = SANDBOX_FILES in text or "sandbox-" in text or path.stem in SAYS_NOTHING
    assert is_the_sandboxs == (provenance["kind"] == "sandbox")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_request_is_to_the_service(path: Path) -> None:
    """A port of one machine, or a header, would make each new recording another one."""
    for one in read(path)["interactions"]:
        assert one["request"]["uri"].startswith(f"{SERVICE}/")
        assert one["request"]["headers"] == {}
        assert set(one["response"]["headers"]) <= {"Content-Type", "Retry-After"}


def test_each_recording_is_played(request: pytest.FixtureRequest) -> None:
    """A recording that no test plays proves nothing, though it looks as if it did."""
    config = request.config
    if any("::" in argument for argument in config.args) or config.getoption("lf", default=False):
        return  # Modules are collected in part: what is missing was perhaps not asked for.
    items = config.stash[COLLECTED]
    left = left_over(FOLDER, {path_of_recording(item) for item in items}, {item.path.stem for item in items})
    assert not left, "no test plays these: delete them"


def test_no_recorded_test_is_skipped(request: pytest.FixtureRequest) -> None:
    """Collected is not yet run."""
    for item in request.config.stash[COLLECTED]:
        assert not {marker.name for marker in item.iter_markers()} & {"skip", "skipif", "xfail"}


def test_what_is_left_over(tmp_path: Path) -> None:
    """Only where all tests of a module are known is a recording without one left over."""
    files = [tmp_path / module / "a.yaml" for module in ("test_recorded_music", "test_recorded_tasks", "test_gone")]
    played = tmp_path / "test_recorded_music" / "b.yaml"
    for path in [*files, played]:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert left_over(tmp_path, {played}, {"test_recorded_music"}) == [files[2], files[0]]


def test_everything_that_can_be_asked_is_recorded() -> None:
    """A new tool or action without a recording would be tested against a sandbox only, and recorded live never."""
    answered = {
        (urlsplit(one["request"]["uri"]).path, one["request"]["body"].get("action"))
        for path in FILES
        if path.parent != DOCUMENTED
        for one in read(path)["interactions"]
        if one["response"]["status"]["code"] == 200
    }
    music = {request.action for request in MusicRequest.__subclasses__()}
    assert {(AUDIOS, action) for action in music} <= answered
    assert {(TASKS, action) for action in ("retrieve", "retrieve_batch")} <= answered
    assert {(endpoint, None) for endpoint in (LYRICS, UPLOAD, VIDEOS, WAV)} <= answered


def test_every_documented_error_is_recorded() -> None:
    """Each code of the API has been answered to a tool, over HTTP, at least once."""
    recorded = {
        (one["response"]["status"]["code"], answer["error"]["code"])
        for path in FILES
        for one in read(path)["interactions"]
        if path.parent != DOCUMENTED and (answer := json.loads(one["response"]["body"]["string"])).get("error")
    }
    documented = read(DOCUMENTED / "errors.yaml")["interactions"]
    for one in documented:
        code = json.loads(one["response"]["body"]["string"])["error"]["code"]
        assert (one["response"]["status"]["code"], code) in recorded


@pytest.mark.parametrize("vocabulary", ["record", "state"])
def test_the_sandbox_shows_a_preview_on_the_way(vocabulary: str) -> None:
    """What the tests say of previews holds of a task without any, too: these recordings have some."""
    path = FOLDER / "test_recorded_tasks" / f"test_previews_and_then_the_song[{vocabulary}].yaml"
    looks = [json.dumps(body.get("response")) for body in bodies(path)][1:]
    assert len(looks) >= 4
    assert "-preview.wav" in looks[-2]
    assert "-preview.wav" not in looks[-1]
    assert ("-preview.wav" in looks[0]) == (vocabulary == "state")


@pytest.mark.parametrize(
    ("test_name", "recording"),
    [
        ("test_a", "test_a"),
        ("test_a[async]", "test_a"),
        ("test_a[sync]", "test_a"),
        ("test_a[sync-record]", "test_a[record]"),
        ("test_a[429_x-async-state]", "test_a[429_x-state]"),
    ],
)
def test_sync_and_async_play_the_same_recording(test_name: str, recording: str) -> None:
    """Two recordings would hide that one of them sends something else."""
    assert cassette_name(test_name) == recording


def _recording(path: Path, answer: str = '{"a": 1}', count: int = 1) -> None:
    recorder = Recorder("sandbox", Scrubber(SERVICE, []), anew=True)
    requests = [Request("POST", f"{SERVICE}/producer/tasks", {"id": number}, {}) for number in range(count)]
    for request in requests:
        recorder.settings()["before_record_request"](request)
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": answer.encode()}}
    # In the order of the answers.
    cassette = {"requests": requests[::-1], "responses": [response] * count}
    recorder.save_cassette(str(path), cassette, VCR().serializers["yaml"])


def test_nothing_changes_when_nothing_changed(tmp_path: Path) -> None:
    """Else each new recording would be a change of every file, and a real change would be lost among them."""
    path = tmp_path / "one.yaml"
    _recording(path)
    earlier = path.read_text("utf-8").replace("recorded_on: '20", "recorded_on: '19")
    path.write_text(earlier, "utf-8")
    _recording(path)
    assert path.read_text("utf-8") == earlier
    _recording(path, '{"a": 2}')
    assert "recorded_on: '20" in path.read_text("utf-8")


def test_requests_stand_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    """Two under way together are answered in any order; the file must not depend on it."""
    _recording(tmp_path / "two.yaml", count=2)
    assert [one["request"]["body"]["id"] for one in read(tmp_path / "two.yaml")["interactions"]] == [0, 1]


@pytest.mark.parametrize("played", [0, 1, 2])
def test_a_recording_that_is_not_played_to_its_end(played: int, tmp_path: Path) -> None:
    """It fails the test that has it: what it no longer asks for is no longer tested."""
    path = tmp_path / "two.yaml"
    _recording(path, count=2)
    recorder = Recorder("sandbox", Scrubber(SERVICE, []), anew=False)
    vcr = VCR()
    vcr.register_persister(recorder)
    with vcr.use_cassette(str(path), **recorder.settings()) as cassette:
        for number in range(played):
            cassette.play_response(Request("POST", f"{SERVICE}/producer/tasks", {"id": number}, {}))
    config = SimpleNamespace(getoption=lambda _: None)
    running = pytest_pyfunc_call(SimpleNamespace(funcargs={"vcr": cassette}, config=config))  # type: ignore[arg-type]
    next(running)
    with pytest.raises(StopIteration if played == 2 else AssertionError):
        next(running)
