"""What a test can set and read while the sandbox runs: render time, finishing, missing files, requests, silence."""

import asyncio
import io
import threading
import wave
import zipfile
from collections.abc import Iterator

import pytest

from producer_tools.sandbox import ProducerSandbox, ReceivedRequest
from tests.clocks import ManualClock
from tests.sandbox.calls import SONG_SECONDS, Api, Receiver, send, serving

GENERATE = {"action": "generate", "prompt": "rain"}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def is_finished(api: Api, task_id: str) -> bool:
    return api.look_up(task_id)["finished_at"] is not None


class TestRenderSeconds:
    def test_it_changes_only_songs_submitted_later(self, api: Api) -> None:
        before = api.submit("generate", prompt="rain")
        api.sandbox.render_seconds = 2 * SONG_SECONDS
        after = api.submit("generate", prompt="rain")
        assert api.sandbox.render_seconds == 2 * SONG_SECONDS
        api.clock.advance(SONG_SECONDS)
        assert (is_finished(api, before), is_finished(api, after)) == (True, False)
        api.clock.advance(SONG_SECONDS)
        assert is_finished(api, after)

    @pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
    def test_an_impossible_time_is_refused_and_not_set(self, api: Api, seconds: float) -> None:
        with pytest.raises(ValueError, match="render_seconds must be zero or more"):
            api.sandbox.render_seconds = seconds
        assert api.sandbox.render_seconds == SONG_SECONDS


class TestFinishNow:
    def test_unfinished_songs_are_finished_at_the_present_time(self, api: Api) -> None:
        task_ids = [api.submit("generate", prompt="rain") for _ in range(2)]
        api.clock.advance(1)
        api.sandbox.finish_now()
        for task_id in task_ids:
            record = api.look_up(task_id)
            assert record["finished_at"] == record["created_at"] + 1
            assert record["response"]["data"][0]["state"] == "succeeded"

    def test_a_song_can_be_used_and_downloaded_afterwards(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        api.sandbox.finish_now()
        (item,) = api.look_up(task_id)["response"]["data"]
        assert api.post("/producer/wav", {"audio_id": item["id"]}).status == 200
        assert send(item["audio_url"], method="HEAD").status == 200

    def test_finished_tasks_and_later_songs_are_not_affected(self, api: Api) -> None:
        finished = api.submit("generate", prompt="rain")
        api.clock.advance(SONG_SECONDS)
        record = api.look_up(finished)
        api.clock.advance(1)
        api.sandbox.finish_now()
        assert api.look_up(finished) == record
        assert not is_finished(api, api.submit("generate", prompt="rain"))

    def test_a_failing_task_fails_at_once(self, api: Api) -> None:
        task_id = api.submit("cover", audio_id="unknown")
        api.sandbox.finish_now()
        assert api.look_up(task_id)["response"]["error"]["code"] == "bad_request"

    def test_a_partial_failure_stays_one(self, api: Api) -> None:
        api.sandbox.spoil_next("api_error", "half of it was lost")
        task_id = api.submit("generate", prompt="rain")
        api.sandbox.finish_now()
        response = api.look_up(task_id)["response"]
        assert response["error"]["message"] == "half of it was lost"
        assert response["data"][0]["state"] == "succeeded"

    def test_waiting_submits_are_answered(self, api: Api) -> None:
        with api.waiting_submits(2) as waiting:
            api.sandbox.finish_now()
            answers = [future.result() for future in waiting]
        assert [answer.json["data"][0]["state"] for answer in answers] == ["succeeded"] * 2

    async def test_callbacks_are_sent(self, api: Api) -> None:
        receiver = Receiver()
        async with receiver.serving() as url:
            answer = await asyncio.to_thread(api.post, "/producer/audios", {**GENERATE, "callback_url": url})
            await asyncio.to_thread(api.sandbox.finish_now)
            posted = await receiver.received.get()
        assert (posted["task_id"], posted["success"]) == (answer.json["task_id"], True)

    def test_it_works_on_a_sandbox_that_is_not_running(self) -> None:
        sandbox = ProducerSandbox(render_seconds=60, clock=ManualClock())
        api = Api(sandbox, ManualClock())
        sandbox.finish_now()
        with sandbox:
            task_id = api.submit("generate", prompt="rain")
        sandbox.finish_now()
        with sandbox:
            assert is_finished(api, task_id)

    def test_any_thread_may_call_it(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        thread = threading.Thread(target=api.sandbox.finish_now)
        thread.start()
        thread.join()
        assert is_finished(api, task_id)


class TestMissingFiles:
    def test_files_of_one_kind_are_missing_inside_the_block(self, api: Api) -> None:
        item = api.song("rain")
        with api.sandbox.missing_files("audio"):
            assert send(item["audio_url"], method="HEAD").status == 404
            assert send(item["audio_url"]).refusal == (404, "no_api")
            assert send(item["image_url"]).status == 200
        assert send(item["audio_url"]).status == 200

    def test_blocks_can_be_nested(self, api: Api) -> None:
        item = api.song("rain")
        with api.sandbox.missing_files("cover"):
            with api.sandbox.missing_files("cover"):
                assert send(item["image_url"]).status == 404
            assert send(item["image_url"]).status == 404
        assert send(item["image_url"]).status == 200

    def test_an_unknown_kind_is_refused(self, api: Api) -> None:
        """A misspelt kind would let the download succeed that the test wants to fail."""
        with pytest.raises(ValueError, match="kind must be one of audio, preview, stems, video, cover, not 'wav'"):
            api.sandbox.missing_files("wav")  # type: ignore[arg-type]  # that is the test


class TestRequests:
    def test_they_are_listed_as_received_with_their_times(self, api: Api) -> None:
        began, user_id = api.clock.now(), api.sandbox.users[0].user_id
        task_id = api.submit("generate", prompt="rain")
        api.clock.advance(3)
        api.look_up(task_id)
        assert api.sandbox.requests == (
            ReceivedRequest("/producer/audios", {**GENERATE, "async": True}, began, user_id),
            ReceivedRequest("/producer/tasks", {"action": "retrieve", "id": task_id}, began + 3, user_id),
        )

    def test_a_refused_request_is_listed_unless_it_was_refused_before_any_work(self, api: Api) -> None:
        api.post("/producer/audios", {"action": "dance"})
        api.sandbox.fail_next("forbidden")
        api.post("/producer/lyrics", {"prompt": "rain"})
        send(f"{api.sandbox.base_url}/producer/lyrics", b"{}", {"Authorization": "Bearer wrong"})
        assert [request.body for request in api.sandbox.requests] == [{"action": "dance"}]


class TestSilent:
    @pytest.fixture
    def silent(self) -> Iterator[Api]:
        with serving(silent=True) as api:
            yield api

    def test_a_song_is_silence_of_its_length(self, silent: Api) -> None:
        item = silent.song("rain")
        assert silence_seconds(send(item["audio_url"]).content) == pytest.approx(float(item["duration"]), abs=0.001)

    def test_a_preview_is_half_as_long(self, silent: Api) -> None:
        task_id = silent.submit("generate", prompt="rain")
        (item,) = silent.look_up_after(task_id, SONG_SECONDS / 2)["response"]["data"]
        preview = silence_seconds(send(item["audio_url"]).content)
        (item,) = silent.finish(task_id)["data"]
        assert preview == pytest.approx(float(item["duration"]) / 2, abs=0.001)

    def test_stems_are_two_silent_files(self, silent: Api) -> None:
        song = silent.song("rain")
        stems = silent.make("stems", audio_id=song["id"])
        with zipfile.ZipFile(io.BytesIO(send(stems["stems_url"]).content)) as archive:
            lengths = [silence_seconds(archive.read(name)) for name in archive.namelist()]
        assert lengths == pytest.approx([float(song["duration"])] * 2, abs=0.001)

    def test_videos_and_covers_have_their_formats(self, silent: Api) -> None:
        item = silent.song("rain")
        cover = send(item["image_url"]).content
        assert cover.startswith(b"\xff\xd8\xff")
        assert len(cover) < 1000
        video_url = silent.post("/producer/videos", {"audio_id": item["id"]}).json["data"]["video_url"]
        assert send(video_url).content[4:8] == b"ftyp"

    def test_only_files_differ_from_a_sandbox_with_music(self) -> None:
        """A test of anything but sound must not see whether the sandbox is silent."""

        def item(*, silent: bool) -> object:
            with serving(seed=1, silent=silent) as api:
                return {name: value for name, value in api.song("rain").items() if not name.endswith("_url")}

        assert item(silent=True) == item(silent=False)


def silence_seconds(content: bytes) -> float:
    """The length of a WAV file, after checking that it is silent."""
    with wave.open(io.BytesIO(content)) as wav:
        assert not any(wav.readframes(wav.getnframes()))
        return float(wav.getnframes() / wav.getframerate())
