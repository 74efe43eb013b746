"""The tools that answer at once, recorded: lyrics, an upload, a video, a WAV file."""

import pytest

from tests.recorded.calls import Caller

pytestmark = [pytest.mark.vcr, pytest.mark.paid]

EITHER_VOCABULARY = ["record", pytest.param("state", marks=pytest.mark.sandbox_only)]


@pytest.mark.parametrize("vocabulary", EITHER_VOCABULARY, indirect=True)
async def test_lyrics(call: Caller) -> None:
    """They come as `text` or as `lyrics`; a reader of one alone would hand over a title without words."""
    content = await call("producer_generate_lyrics", prompt="a letter that was never sent")
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["title"]
    assert "\n" in content["results"][0]["lyrics"]
    assert call.sent == [{"prompt": "a letter that was never sent"}]


async def test_an_upload(call: Caller) -> None:
    """The audio id is what an upload is for."""
    content = await call("producer_upload_audio", audio_url="https://example.org/own.mp3")
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["audio_id"]
    assert call.sent == [{"audio_url": "https://example.org/own.mp3"}]


async def test_a_video(call: Caller) -> None:
    """The answer holds the result: called pending, it would be looked up for ever."""
    audio_id = await call.song()
    content = await call("producer_generate_video", audio_id=audio_id)
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["video_url"].startswith("http")
    assert call.sent[-1] == {"audio_id": audio_id}


@pytest.mark.parametrize("vocabulary", EITHER_VOCABULARY, indirect=True)
async def test_a_wav_file(call: Caller) -> None:
    """It comes as a list or as an object; either way there is one file."""
    audio_id = await call.song()
    content = await call("producer_generate_wav", audio_id=audio_id)
    assert (content["state"], content["success"]) == ("complete", True)
    assert [result["file_url"].startswith("http") for result in content["results"]] == [True]
    assert call.sent[-1] == {"audio_id": audio_id}
