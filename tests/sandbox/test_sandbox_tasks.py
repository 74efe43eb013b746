"""The states of a task over time, and its record in both vocabularies."""

from collections.abc import Iterator

import pytest

from tests.sandbox.calls import SONG_SECONDS, Api, serving

RECORD_KEYS = {
    "id",
    "type",
    "trace_id",
    "user_id",
    "application_id",
    "created_at",
    "started_at",
    "finished_at",
    "elapsed",
    "request",
    "response",
}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture
def state_api() -> Iterator[Api]:
    """A sandbox with the vocabulary that released clients expect."""
    with serving(vocabulary="state") as api:
        yield api


class TestRecord:
    def test_a_submit_is_answered_with_only_its_ids(self, api: Api) -> None:
        answer = api.post("/producer/audios", {"action": "generate", "prompt": "rain", "async": True}).json
        assert set(answer) == {"task_id", "trace_id"}
        assert api.look_up(answer["task_id"])["trace_id"] == answer["trace_id"]

    def test_a_pending_task_has_no_start_and_no_response(self, api: Api) -> None:
        record = api.look_up(api.submit("generate", prompt="rain"))
        assert set(record) == RECORD_KEYS
        assert record["type"] == "audios"
        assert record["created_at"] == api.clock.now()
        assert [record[key] for key in ("started_at", "finished_at", "elapsed", "response")] == [None] * 4

    def test_the_record_contains_the_request_as_received(self, api: Api) -> None:
        body = {
            "action": "generate",
            "prompt": "rain",
            "weirdness": False,
            "title": None,
            "mystery": [1],
            "async": True,
        }
        task_id = api.post("/producer/audios", body).json["task_id"]
        assert api.look_up(task_id)["request"] == body

    def test_a_processing_task_has_a_preview(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        record = api.look_up_after(task_id, SONG_SECONDS / 4)
        assert record["started_at"] == api.clock.now()
        assert record["finished_at"] is None
        assert set(record["response"]) == {"task_id", "data"}
        (item,) = record["response"]["data"]
        assert (item["state"], item["progress"], item["duration"]) == ("processing", "25%", None)
        assert item["audio_url"].endswith("-preview.wav")

    def test_progress_grows_and_reaches_100_only_with_the_result(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        api.clock.advance(SONG_SECONDS / 4)
        seen = []
        for _ in range(7):
            (item,) = api.look_up(task_id)["response"]["data"]
            seen.append(item["progress"])
            api.clock.advance(SONG_SECONDS / 8)
        assert seen == ["25%", "37%", "50%", "62%", "75%", "87%", "100%"]

    def test_a_complete_task_has_its_item_and_no_success_field(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        record = api.look_up_after(task_id, SONG_SECONDS)
        assert set(record) == RECORD_KEYS
        assert record["finished_at"] == record["created_at"] + SONG_SECONDS
        assert record["elapsed"] == record["finished_at"] - record["started_at"]
        assert set(record["response"]) == {"task_id", "data"}
        (item,) = record["response"]["data"]
        assert (item["state"], item["progress"]) == ("succeeded", "100%")

    def test_a_failed_task_has_its_error(self, api: Api) -> None:
        task_id = api.submit("cover", audio_id="unknown")
        assert api.look_up_after(task_id, SONG_SECONDS / 2)["response"] is None
        record = api.look_up_after(task_id, SONG_SECONDS / 2)
        assert record["finished_at"] == api.clock.now()
        response = record["response"]
        assert set(response) == {"success", "task_id", "trace_id", "error"}
        assert response["success"] is False
        assert response["error"]["code"] == "bad_request"
        assert "no audio 'unknown'" in response["error"]["message"]


class TestState:
    def test_a_submit_is_answered_with_success(self, state_api: Api) -> None:
        answer = state_api.post("/producer/audios", {"action": "generate", "prompt": "rain", "async": True}).json
        assert answer["success"] is True
        assert set(answer) == {"success", "task_id", "trace_id"}

    def test_a_pending_task_already_has_a_preview(self, state_api: Api) -> None:
        """The service does this: a client that takes any audio_url for a result is wrong."""
        record = state_api.look_up(state_api.submit("generate", prompt="rain"))
        assert record["state"] == "pending"
        assert "success" not in record["response"]
        (item,) = record["response"]["data"]
        assert (item["state"], item["progress"]) == ("pending", "0%")
        assert item["audio_url"].endswith("-preview.wav")

    def test_a_processing_task_has_no_success_yet(self, state_api: Api) -> None:
        task_id = state_api.submit("generate", prompt="rain")
        record = state_api.look_up_after(task_id, SONG_SECONDS / 4)
        assert record["state"] == "processing"
        assert "success" not in record["response"]
        assert record["response"]["data"][0]["state"] == "processing"

    def test_a_complete_task_says_so_and_repeats_its_data_at_the_top(self, state_api: Api) -> None:
        task_id = state_api.submit("generate", prompt="rain")
        record = state_api.look_up_after(task_id, SONG_SECONDS)
        assert set(record) == RECORD_KEYS | {"state", "data"}
        assert (record["state"], record["response"]["success"]) == ("complete", True)
        assert record["data"] == record["response"]["data"]
        assert record["data"][0]["state"] == "succeeded"

    def test_a_failing_task_has_a_response_object_from_the_start(self, state_api: Api) -> None:
        task_id = state_api.submit("cover", audio_id="unknown")
        assert state_api.look_up(task_id)["response"] == {"task_id": task_id, "data": []}
        record = state_api.look_up_after(task_id, SONG_SECONDS)
        assert (record["state"], record["response"]["success"]) == ("failed", False)
        assert record["response"]["error"]["code"] == "bad_request"
        assert record["data"][0]["state"] == "failed", "producer-cli waits for this"

    @pytest.mark.parametrize("path", ["/producer/lyrics", "/producer/upload", "/producer/videos", "/producer/wav"])
    def test_the_record_of_an_instant_task_is_complete_and_its_data_is_a_list(self, state_api: Api, path: str) -> None:
        body = {"prompt": "rain", "audio_url": "https://example.org/own.mp3", "audio_id": state_api.song()["id"]}
        record = state_api.look_up(state_api.post(path, body).json["task_id"])
        assert (record["state"], record["response"]["success"]) == ("complete", True)
        assert [type(item) for item in record["response"]["data"]] == [dict]


def test_an_item_has_every_field_and_its_numbers_are_strings(api: Api) -> None:
    item = api.song("rain", title="My title", lyric="la la", seed="7", model="FUZZ-2.0 Pro")
    assert set(item) == {
        "id",
        "title",
        "lyric",
        "audio_url",
        "image_url",
        "image_id",
        "video_url",
        "seed",
        "sound",
        "style",
        "model",
        "created_at",
        "progress",
        "state",
        "duration",
    }
    given = ("title", "lyric", "seed", "sound", "model", "video_url")
    assert [item[key] for key in given] == ["My title", "la la", "7", "rain", "FUZZ-2.0 Pro", None]
    assert isinstance(item["duration"], str)
    assert float(item["duration"]) >= 8
    assert item["created_at"].endswith("Z")


def test_a_song_that_takes_no_time_is_complete_at_the_first_look_up() -> None:
    with serving(render_seconds=0) as api:
        record = api.look_up(api.submit("generate", prompt="rain"))
        assert record["finished_at"] == record["created_at"]
        assert record["response"]["data"][0]["state"] == "succeeded"


def test_the_record_of_an_unknown_task_is_an_empty_object(api: Api) -> None:
    assert api.look_up("unknown") == {}


def test_a_batch_keeps_the_order_and_omits_unknown_and_repeated_ids(api: Api) -> None:
    ids = [api.submit("generate", prompt=f"song {number}") for number in range(3)]
    body = {"action": "retrieve_batch", "ids": [ids[2], "unknown", ids[0], ids[2]]}
    answer = api.post("/producer/tasks", body).json
    assert [record["id"] for record in answer["items"]] == [ids[2], ids[0]]
    assert answer["count"] == 2


def test_a_batch_of_fifty_is_answered(api: Api) -> None:
    ids = [api.submit("generate", prompt="rain") for _ in range(50)]
    assert api.post("/producer/tasks", {"action": "retrieve_batch", "ids": ids}).json["count"] == 50


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/producer/lyrics", "lyrics"),
        ("/producer/upload", "upload"),
        ("/producer/videos", "videos"),
        ("/producer/wav", "wav"),
    ],
)
def test_the_record_of_an_instant_task_has_the_data_of_its_answer(api: Api, path: str, kind: str) -> None:
    body = {"prompt": "rain", "audio_url": "https://example.org/own.mp3", "audio_id": api.song()["id"]}
    answer = api.post(path, body).json
    assert set(answer) == {"success", "task_id", "trace_id", "data"}
    record = api.look_up(answer["task_id"])
    assert record["type"] == kind
    assert record["response"]["data"] == answer["data"]
    assert record["finished_at"] == record["created_at"]
