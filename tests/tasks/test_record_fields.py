"""Each field of a task: from which part of a record it is read, and its value when the record has none."""

from typing import Any

import pytest

from producer_tools.tasks.records import read_answer, read_record
from producer_tools.tasks.task import Task

AUDIO = "https://cdn.example/audio.m4a"
NO_REASON = "The service gave no reason."


@pytest.mark.parametrize("data", [None, [{"id": "a1", "audio_url": AUDIO}]])
def test_an_answer_keeps_its_ids(data: Any) -> None:
    """Without the id, nobody could find a song that is paid for."""
    task = read_answer({"success": True, "task_id": "t1", "trace_id": "tr1", "data": data})
    assert (task.task_id, task.trace_id, task.is_final) == ("t1", "tr1", data is not None)


@pytest.mark.parametrize(
    "record",
    [
        {"id": "t1", "trace_id": "tr1"},
        {"task_id": "t1", "response": {"trace_id": "tr1"}},
        {"id": " ", "trace_id": "", "response": {"task_id": "t1", "trace_id": "tr1"}},
    ],
)
def test_the_ids_are_found_in_every_part_of_a_record(record: dict[str, Any]) -> None:
    task = read_record(record)
    assert (task.task_id, task.trace_id) == ("t1", "tr1")


def test_the_times_of_a_record() -> None:
    times = {"created_at": 1.5, "started_at": 2, "finished_at": "3.5", "response": {"success": True}}
    assert read_record({**times, "elapsed": 1.25}) == Task(
        None, "complete", created_at=1.5, started_at=2.0, finished_at=3.5, elapsed_seconds=1.25
    )
    assert read_record({**times, "duration": 1.75}).elapsed_seconds == 1.75, "the name in older records"


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"response": {"error": {"code": "c", "message": "m"}}}, {"code": "c", "message": "m"}),
        ({"error": {"code": "c", "message": "m"}}, {"code": "c", "message": "m"}),
        ({"error": {"code": "c"}, "response": {"error": None}}, {"code": "c", "message": NO_REASON}),
        ({"response": {"error": {"message": "m"}}}, {"code": "failed", "message": "m"}),
        ({"response": {"error": "m"}}, {"code": "failed", "message": "m"}),
        ({"response": {"error": " "}, "error": "m"}, {"code": "failed", "message": "m"}),
        ({}, {"code": "failed", "message": NO_REASON}),
    ],
)
def test_the_error_of_a_failed_task(record: dict[str, Any], error: dict[str, str]) -> None:
    """A user learns from it why there is no song."""
    task = read_record({"state": "failed", "trace_id": "tr1", **record})
    assert task.error == {**error, "trace_id": "tr1"}


def test_the_trace_id_of_an_error_may_be_in_the_response() -> None:
    task = read_record({"state": "failed", "response": {"error": "m", "trace_id": "tr1"}})
    assert task.error == {"code": "failed", "message": "m", "trace_id": "tr1"}


@pytest.mark.parametrize(
    ("finished_at", "item", "kept"),
    [
        (9, {}, True),
        (None, {}, False),
        (None, {"state": "succeeded"}, True),
        (9, {"state": "processing"}, False),
        (9, {"state": "succeeded", "status": "failed"}, False),
    ],
)
def test_the_partial_results_of_a_failed_task(finished_at: int | None, item: dict[str, str], kept: bool) -> None:
    """With too few, finished songs are lost; with too many, a preview is taken for a song."""
    data = [{"id": "a1", "audio_url": AUDIO, **item}]
    task = read_record({"state": "failed", "finished_at": finished_at, "response": {"data": data}})
    assert bool(task.partial_results) is kept


def test_every_field_of_an_item_is_read() -> None:
    item = {
        "id": "a1", "title": "T", "audio_url": "https://a", "image_url": "https://i", "video_url": "https://v",
        "stems_url": "https://s", "file_url": "https://f", "lyrics": "L", "lyric": "l", "model": "M", "seed": 7,
        "style": "S", "sound": "so", "image_id": "im", "created_at": "2025", "duration": 0, "progress": "100%",
    }  # fmt: skip
    (result,) = read_record({"finished_at": 9, "response": {"data": [item]}}).results
    del item["id"], item["progress"], item["duration"]
    assert result == {**item, "audio_id": "a1", "seed": "7", "duration_seconds": 0.0}


@pytest.mark.parametrize("word", ["complete", "completed", "succeed", "succeeded", "success", "finished"])
def test_every_word_for_done(word: str) -> None:
    """If one were missing, an agent would wait for a song that is finished."""
    response = {"success": True, "data": [{"id": "a1", "state": word}]}
    assert read_record({"state": word, "response": response}).state == "complete"


@pytest.mark.parametrize("word", ["failed", "failure", "error", "cancelled", "canceled", "rejected"])
def test_every_word_for_failed(word: str) -> None:
    """If one were missing, an agent would wait for a song that never comes."""
    assert read_record({"state": word}).state == "failed"


@pytest.mark.parametrize("number", [10**40 - 1, -(10**40) + 1, 0])
def test_a_seed_that_is_a_number_becomes_its_digits(number: int) -> None:
    (result,) = read_record({"finished_at": 9, "response": {"data": [{"seed": number}]}}).results
    assert result["seed"] == str(number)


def test_a_seed_that_is_too_long_a_number_is_left_out() -> None:
    """Python raises an error when it prints such a number, which would end the agent's run."""
    (result,) = read_record({"finished_at": 9, "response": {"data": [{"id": "a", "seed": 10**40}]}}).results
    assert "seed" not in result


def test_the_progress_of_several_items_is_the_lowest() -> None:
    items = [{"state": "processing", "progress": progress} for progress in ("80%", "-5%", "x")]
    assert read_record({"response": {"data": items}}).progress == 0.0
    assert read_record({"response": {"data": items[:1]}}).progress == 80.0
    assert read_record({"finished_at": 9, "response": {"data": [{"progress": "80%"}]}}).progress is None


def test_a_url_is_either_a_preview_or_a_result() -> None:
    """If it were both, a model would take a preview for the song, or the song for a preview."""
    data = [{"id": "a1", "audio_url": AUDIO, "state": "succeeded"}]
    response = {"response": {"data": data}}
    pending, complete, failed = (
        read_record({**response, **more})
        for more in ({"state": "pending"}, {"finished_at": 9}, {"state": "failed", "finished_at": 9})
    )
    assert (pending.results, pending.preview_urls, pending.partial_results) == ((), (AUDIO,), ())
    assert (complete.preview_urls, complete.partial_results) == ((), ())
    assert (failed.results, failed.preview_urls) == ((), ())
    assert complete.results == failed.partial_results == ({"audio_id": "a1", "audio_url": AUDIO},)


def test_previews_keep_the_order_of_the_record_and_are_listed_once() -> None:
    data = [{"audio_url": "https://a", "image_url": "http://b"}, ["https://c", "https://a", "ftp://d"]]
    assert read_record({"state": "pending", "response": {"data": data}}).preview_urls == (
        "https://a", "http://b", "https://c",
    )  # fmt: skip
