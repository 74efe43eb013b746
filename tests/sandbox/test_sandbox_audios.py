"""The actions of ``/producer/audios``, and delivery by a synchronous answer and by callback."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.calls import SONG_SECONDS, Api, Receiver, send, serving

GENERATE = {"action": "generate", "prompt": "rain"}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    """One sandbox for several tests, so that its first song is rendered only once."""
    with serving() as api:
        yield api


@pytest.fixture(scope="module")
def song(shared: Api) -> dict[str, Any]:
    item = shared.song("rain", lyric="la la", title="Rain")
    return {**item, "content": send(item["audio_url"]).content}


def seconds(item: dict[str, Any]) -> float:
    return float(item["duration"])


class TestActions:
    def test_the_seed_prompt_and_lyric_decide_the_bytes(self, api: Api) -> None:
        requests = [("rain", "la", "1"), ("rain", "la", "1"), ("rain", "la", "2")]
        items = [api.song(prompt, lyric=lyric, seed=seed) for prompt, lyric, seed in requests]
        first, again, other = (send(item["audio_url"]).content for item in items)
        assert first == again
        assert first != other

    def test_the_seed_of_a_result_gives_the_same_song_again(self, api: Api) -> None:
        item = api.song("rain", lyric="la")
        again = api.song("rain", lyric="la", seed=item["seed"])
        assert send(item["audio_url"]).content == send(again["audio_url"]).content

    def test_a_generated_title_says_sandbox(self, api: Api) -> None:
        assert api.song("a slow sad waltz")["title"] == "Sandbox: Slow Sad Waltz"
        assert "Sandbox" in api.make("generate", custom=True, instrumental=True)["title"]

    def test_a_song_without_a_lyric_gets_one_unless_it_is_instrumental(self, api: Api) -> None:
        assert "[Chorus]" in api.song("rain")["lyric"]
        assert api.song("rain", instrumental=True, lyric="la la")["lyric"] == ""

    def test_an_extended_song_is_longer_and_has_both_lyrics(self, api: Api) -> None:
        song = api.song("rain", lyric="first")
        item = api.make("extend", audio_id=song["id"], continue_at=seconds(song), lyric="second")
        assert seconds(item) > seconds(song)
        assert item["lyric"] == "first\n\nsecond"
        assert item["sound"] == "rain", "an empty prompt keeps the style"

    @pytest.mark.parametrize("action", ["cover", "variation", "swap_vocals", "swap_instrumentals"])
    def test_an_edit_is_another_song_with_its_own_id(self, shared: Api, song: dict[str, Any], action: str) -> None:
        item = shared.make(action, audio_id=song["id"], prompt="jazz", seed="5")
        assert item["id"] != song["id"]
        assert item["lyric"] == "la la"
        assert item["title"] == f"Rain (Sandbox {action.replace('_', ' ')})"
        assert send(item["audio_url"]).content != song["content"]

    def test_a_replaced_section_keeps_the_length(self, shared: Api, song: dict[str, Any]) -> None:
        section = {"replace_section_start": 2, "replace_section_end": 5.5}
        item = shared.make("replace_section", audio_id=song["id"], lyric="new words", **section)
        assert seconds(item) == pytest.approx(seconds(song))
        assert send(item["audio_url"]).content != song["content"]

    def test_a_title_given_to_an_edit_is_kept(self, api: Api) -> None:
        assert api.make("cover", audio_id=api.song()["id"], title="Mine")["title"] == "Mine"

    def test_stems_have_one_zip_and_no_audio(self, api: Api) -> None:
        song = api.song("rain", title="Rain")
        task_id = api.submit("stems", audio_id=song["id"])
        api.clock.advance(SONG_SECONDS / 2)
        (unfinished,) = api.look_up(task_id)["response"]["data"]
        assert unfinished["stems_url"] is None
        (item,) = api.finish(task_id)["data"]
        assert set(item) == {"title", "lyric", "stems_url", "model", "progress", "state"}
        assert item["stems_url"].endswith("-stems.zip")
        assert item["title"] == "Rain"

    @pytest.mark.parametrize("action", ["cover", "extend", "replace_section"])
    def test_uploads_need_the_upload_action_and_songs_the_other_one(self, api: Api, action: str) -> None:
        fields = {"continue_at": 4, "replace_section_start": 1, "replace_section_end": 3}
        audio_id, song_id = api.upload(), api.song()["id"]
        refused = api.finish(api.submit(action, audio_id=audio_id, **fields))
        assert f"use the action upload_{action}" in refused["error"]["message"]
        refused = api.finish(api.submit(f"upload_{action}", audio_id=song_id, **fields))
        assert f"use the action {action}" in refused["error"]["message"]
        item = api.make(f"upload_{action}", audio_id=audio_id, **fields)
        assert item["state"] == "succeeded"
        assert api.make(action, audio_id=item["id"], **fields)["state"] == "succeeded"

    @pytest.mark.parametrize("action", ["variation", "swap_vocals", "swap_instrumentals", "stems"])
    def test_the_other_actions_also_work_on_uploads(self, api: Api, action: str) -> None:
        assert api.make(action, audio_id=api.upload())["state"] == "succeeded"

    def test_an_unfinished_song_cannot_be_used(self, api: Api) -> None:
        task_id = api.submit("generate", prompt="rain")
        api.clock.advance(SONG_SECONDS / 2)
        (preview,) = api.look_up(task_id)["response"]["data"]
        refused = api.post("/producer/wav", {"audio_id": preview["id"]})
        assert refused.refusal == (400, "bad_request")
        assert "preview" in refused.json["error"]["message"]


class TestSynchronousSubmit:
    @pytest.mark.parametrize("delivery", [{}, {"async": False}, {"async": None, "callback_url": None}])
    def test_a_synchronous_submit_is_answered_when_the_song_is_finished(
        self, api: Api, delivery: dict[str, Any]
    ) -> None:
        with api.waiting_submits(**delivery) as (future,):
            api.clock.advance(SONG_SECONDS - 1)
            api.clock.wait_for_sleepers(1)
            assert not future.done()
            api.clock.advance(1)
            answer = future.result()
        assert set(answer.json) == {"success", "task_id", "trace_id", "data"}
        assert answer.json["success"] is True
        assert answer.json["data"] == api.look_up(answer.json["task_id"])["response"]["data"]

    def test_a_synchronous_submit_for_unknown_audio_is_refused_and_not_charged(self) -> None:
        with serving(render_seconds=0) as api:
            answer = api.post("/producer/audios", {"action": "stems", "audio_id": "unknown"})
            assert answer.refusal == (400, "bad_request")
            assert api.sandbox.charges == ()


class TestCallback:
    async def test_the_submit_is_answered_at_once_and_the_result_is_posted_when_finished(self, api: Api) -> None:
        receiver = Receiver()
        async with receiver.serving() as url:
            answer = await asyncio.to_thread(api.post, "/producer/audios", {**GENERATE, "callback_url": url})
            assert set(answer.json) == {"task_id", "trace_id"}
            await asyncio.to_thread(api.clock.wait_for_sleepers, 1)
            assert receiver.received.empty()
            api.clock.advance(SONG_SECONDS)
            posted = await receiver.received.get()
        record = await asyncio.to_thread(api.look_up, answer.json["task_id"])
        assert posted == {**answer.json, "success": True, "data": record["response"]["data"]}

    async def test_a_failure_is_posted_with_its_error(self, api: Api) -> None:
        receiver = Receiver()
        async with receiver.serving() as url:
            body = {"action": "stems", "audio_id": "unknown", "callback_url": url, "async": True}
            answer = await asyncio.to_thread(api.post, "/producer/audios", body)
            await asyncio.to_thread(api.clock.wait_for_sleepers, 1)
            api.clock.advance(SONG_SECONDS)
            posted = await receiver.received.get()
        assert set(posted) == {"success", "task_id", "trace_id", "error"}
        assert (posted["success"], posted["task_id"]) == (False, answer.json["task_id"])

    async def test_a_redirect_of_a_callback_is_not_followed(self, api: Api) -> None:
        """It could lead to another machine."""
        receiver = Receiver()
        receiver.status = 307
        async with receiver.serving() as url:
            for _ in range(2):
                answer = await asyncio.to_thread(api.post, "/producer/audios", {**GENERATE, "callback_url": url})
                await asyncio.to_thread(api.clock.wait_for_sleepers, 1)
                api.clock.advance(SONG_SECONDS)
                posted = await receiver.received.get()
                assert posted["task_id"] == answer.json["task_id"], "the first was posted a second time"

    def test_a_callback_that_does_not_arrive_is_logged_and_changes_nothing(
        self, api: Api, caplog: pytest.LogCaptureFixture
    ) -> None:
        task_id = api.post("/producer/audios", {**GENERATE, "callback_url": "http://127.0.0.1:9/hook"}).json["task_id"]
        api.clock.wait_for_sleepers(1)
        api.clock.advance(SONG_SECONDS)
        until = time.monotonic() + 50
        while task_id not in caplog.text and time.monotonic() < until:
            time.sleep(0.001)
        assert f"the callback of task {task_id} did not arrive" in caplog.text
        assert api.look_up(task_id)["response"]["data"]
