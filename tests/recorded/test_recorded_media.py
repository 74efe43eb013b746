"""The tools that return their result at once, recorded: lyrics, an upload, a video, a WAV file."""

import pytest

from tests.recorded.calls import Caller

pytestmark = [pytest.mark.vcr, pytest.mark.paid]

BOTH_VOCABULARIES = ["record", pytest.param("state", marks=pytest.mark.sandbox_only)]


@pytest.mark.parametrize("vocabulary", BOTH_VOCABULARIES, indirect=True)
async def test_lyrics(call: Caller) -> None:
    """The service calls them `text` or `lyrics`; if one were not read, there would be a title without words."""
    content = await call("producer_generate_lyrics", prompt="a letter that was never sent")
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["title"]
    assert "\n" in content["results"][0]["lyrics"]
    assert call.sent == [{"prompt": "a letter that was never sent"}]


async def test_an_upload(call: Caller) -> None:
    """Without the audio id, nothing can be done with the upload."""
    content = await call("producer_upload_audio", audio_url="https://example.org/own.mp3")
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["audio_id"]
    assert call.sent == [{"audio_url": "https://example.org/own.mp3"}]


async def test_a_video(call: Caller) -> None:
    """The answer contains the result: read as pending, it would be looked up without end."""
    audio_id = await call.song()
    content = await call("producer_generate_video", audio_id=audio_id)
    assert (content["state"], content["success"]) == ("complete", True)
    assert content["results"][0]["video_url"].startswith("http")
    assert call.sent[-1] == {"audio_id": audio_id}


@pytest.mark.parametrize("vocabulary", BOTH_VOCABULARIES, indirect=True)
async def test_a_wav_file(call: Caller) -> None:
    """The service sends a list or an object; if one were not read, the file would be lost."""
    audio_id = await call.song()
    content = await call("producer_generate_wav", audio_id=audio_id)
    assert (content["state"], content["success"]) == ("complete", True)
    assert [result["file_url"].startswith("http") for result in content["results"]] == [True]
    assert call.sent[-1] == {"audio_id": audio_id}
