"""The files of recordings: each says its origin, has no trace of a machine, and is played to its end by a test."""

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
from tests.recorded.cassettes import COLLECTED, DOCUMENTED, FOLDER, Recorder, cassette_name, read, unplayed
from tests.recorded.conftest import path_of_recording, pytest_pyfunc_call
from tests.recorded.scrubbing import SANDBOX_FILES, SERVICE, Scrubber

FILES = sorted(FOLDER.glob("*/*.yaml"))
RECORDED = {"kind", "server", "recorded_on", "recorded_with"}
PROVENANCE = {"sandbox": RECORDED, "live": RECORDED, "documented": {"kind", "source", "transcribed_on"}}
WITHOUT_TRACE_OF_THE_SERVER = {"test_an_unknown_task", "test_a_batch_of_sixty_goes_in_two_requests"}
"""Recordings whose answers would be the same from any server."""


def bodies(path: Path) -> Iterator[Any]:
    """The bodies of the answers in a recording."""
    for each in read(path)["interactions"]:
        yield json.loads(each["response"]["body"]["string"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_file_says_its_origin(path: Path) -> None:
    """Otherwise a made-up answer of the sandbox would be taken for an answer of the service."""
    provenance = read(path)["provenance"]
    assert (provenance["kind"] == "documented") == (path.parent == DOCUMENTED)
    assert set(provenance) == PROVENANCE[provenance["kind"]]
    assert all(provenance.values())
    day = provenance.get("recorded_on") or provenance["transcribed_on"]
    assert date.fromisoformat(day).isoformat() == day
    text = path.read_text("utf-8")
    is_from_sandbox = SANDBOX_FILES in text or "sandbox-" in text or path.stem in WITHOUT_TRACE_OF_THE_SERVER
    assert is_from_sandbox == (provenance["kind"] == "sandbox")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_requests_have_the_services_address_and_no_headers(path: Path) -> None:
    """With a port or a header of one machine, the file would change with each recording."""
    for each in read(path)["interactions"]:
        assert each["request"]["uri"].startswith(f"{SERVICE}/")
        assert each["request"]["headers"] == {}
        assert set(each["response"]["headers"]) <= {"Content-Type", "Retry-After"}


def test_each_recording_is_played(request: pytest.FixtureRequest) -> None:
    """A recording that no test plays is not tested, though it looks as if it were."""
    config = request.config
    items = config.stash[COLLECTED]
    found = unplayed(FOLDER, {path_of_recording(item) for item in items}, {item.path.stem for item in items})
    # If only part of a module was collected, an unplayed recording may belong to the rest of it.
    collected_in_part = any("::" in argument for argument in config.args) or config.getoption("lf", default=False)
    assert collected_in_part or not found, "no test plays these recordings: delete them"


def test_no_recorded_test_is_skipped(request: pytest.FixtureRequest) -> None:
    """A skipped test is collected, but does not play its recording."""
    for item in request.config.stash[COLLECTED]:
        assert not {marker.name for marker in item.iter_markers()} & {"skip", "skipif", "xfail"}


def test_which_recordings_count_as_unplayed(tmp_path: Path) -> None:
    """If recordings of modules that were not collected counted, running one module would fail."""
    files = [tmp_path / module / "a.yaml" for module in ("test_recorded_music", "test_recorded_tasks", "test_gone")]
    played = tmp_path / "test_recorded_music" / "b.yaml"
    for path in [*files, played]:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert unplayed(tmp_path, {played}, {"test_recorded_music"}) == [files[2], files[0]]


def test_every_endpoint_and_action_is_recorded() -> None:
    """A new action without a recording would never be recorded from the service either."""
    answered = {
        (urlsplit(each["request"]["uri"]).path, each["request"]["body"].get("action"))
        for path in FILES
        if path.parent != DOCUMENTED
        for each in read(path)["interactions"]
        if each["response"]["status"]["code"] == 200
    }
    music = {request.action for request in MusicRequest.__subclasses__()}
    assert {(AUDIOS, action) for action in music} <= answered
    assert {(TASKS, action) for action in ("retrieve", "retrieve_batch")} <= answered
    assert {(endpoint, None) for endpoint in (LYRICS, UPLOAD, VIDEOS, WAV)} <= answered


def test_every_documented_error_is_recorded() -> None:
    """An error code without a recording could be reported to a model in a wrong way."""
    recorded = {
        (each["response"]["status"]["code"], answer["error"]["code"])
        for path in FILES
        for each in read(path)["interactions"]
        if path.parent != DOCUMENTED and (answer := json.loads(each["response"]["body"]["string"])).get("error")
    }
    documented = read(DOCUMENTED / "errors.yaml")["interactions"]
    for each in documented:
        code = json.loads(each["response"]["body"]["string"])["error"]["code"]
        assert (each["response"]["status"]["code"], code) in recorded


@pytest.mark.parametrize("vocabulary", ["record", "state"])
def test_the_recordings_contain_previews(vocabulary: str) -> None:
    """The tests of previews would also pass without any preview, and test nothing."""
    path = FOLDER / "test_recorded_tasks" / f"test_previews_and_then_the_song[{vocabulary}].yaml"
    answers = [json.dumps(body.get("response")) for body in bodies(path)][1:]
    assert len(answers) >= 4
    assert "-preview.wav" in answers[-2]
    assert "-preview.wav" not in answers[-1]
    assert ("-preview.wav" in answers[0]) == (vocabulary == "state")


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
    """With a recording each, they could send different requests unnoticed."""
    assert cassette_name(test_name) == recording


def write_recording(path: Path, answer: str = '{"a": 1}', count: int = 1) -> None:
    """Record ``count`` requests with the ids 0, 1, 2 ..., answered in the opposite order."""
    recorder = Recorder("sandbox", Scrubber(SERVICE, []), recording=True)
    requests = [Request("POST", f"{SERVICE}/producer/tasks", {"id": number}, {}) for number in range(count)]
    for request in requests:
        recorder.settings()["before_record_request"](request)
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": answer.encode()}}
    cassette = {"requests": requests[::-1], "responses": [response] * count}
    recorder.save_cassette(str(path), cassette, VCR().serializers["yaml"])


def test_recording_the_same_again_does_not_change_the_file(tmp_path: Path) -> None:
    """Otherwise every recording would change every file, and a real change would be overlooked."""
    path = tmp_path / "one.yaml"
    write_recording(path)
    earlier = path.read_text("utf-8").replace("recorded_on: '20", "recorded_on: '19")
    path.write_text(earlier, "utf-8")
    write_recording(path)
    assert path.read_text("utf-8") == earlier
    write_recording(path, '{"a": 2}')
    assert "recorded_on: '20" in path.read_text("utf-8")


def test_requests_are_written_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    """Answers to requests in flight come in any order; the file must not change with it."""
    write_recording(tmp_path / "two.yaml", count=2)
    assert [each["request"]["body"]["id"] for each in read(tmp_path / "two.yaml")["interactions"]] == [0, 1]


@pytest.mark.parametrize("played", [0, 1, 2])
def test_a_test_fails_if_it_does_not_play_all_of_its_recording(played: int, tmp_path: Path) -> None:
    """Otherwise a request that is no longer sent would not be noticed."""
    path = tmp_path / "two.yaml"
    write_recording(path, count=2)
    recorder = Recorder("sandbox", Scrubber(SERVICE, []), recording=False)
    vcr = VCR()
    vcr.register_persister(recorder)
    with vcr.use_cassette(str(path), **recorder.settings()) as cassette:
        for number in range(played):
            cassette.play_response(Request("POST", f"{SERVICE}/producer/tasks", {"id": number}, {}))
    config = SimpleNamespace(getoption=lambda _: None)
    item: Any = SimpleNamespace(funcargs={"vcr": cassette}, config=config)
    running = pytest_pyfunc_call(item)
    next(running)
    with pytest.raises(StopIteration if played == 2 else AssertionError):
        next(running)
