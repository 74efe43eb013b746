"""Each tool that makes a song, recorded: the request that it sends, and its result."""

from typing import Any

import pytest

from tests.recorded.calls import Caller

pytestmark = [pytest.mark.vcr, pytest.mark.paid]

LYRIC = "[Verse]\nA short line of ours\n\n[Chorus]\nSing it once again"
SECTION = {"replace_section_start": 2.0, "replace_section_end": 4.0}
MODEL = {"model": "FUZZ-2.0"}

EDITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "extend": (
        {"continue_at": 5.0, "lyric": LYRIC, "prompt": "louder"},
        {"continue_at": 5.0, "lyric": LYRIC, "prompt": "louder", "custom": True, **MODEL},
    ),
    "cover": (
        {"prompt": "smooth jazz", "cover_strength": 0.5},
        {"lyric": "", "prompt": "smooth jazz", "cover_strength": 0.5, **MODEL},
    ),
    "variation": ({}, {"lyric": "", "prompt": "", **MODEL}),
    "swap_vocals": (
        {"lyric": LYRIC, "lyrics_strength": 0.8, "weirdness": 0.4},
        {"lyric": LYRIC, "prompt": "", "lyrics_strength": 0.8, "weirdness": 0.4, "custom": True, **MODEL},
    ),
    "swap_instrumentals": (
        {"prompt": "acoustic guitar", "sound_strength": 0.6},
        {"lyric": "", "prompt": "acoustic guitar", "sound_strength": 0.6, **MODEL},
    ),
    "replace_section": (
        {**SECTION, "lyric": LYRIC},
        {**SECTION, "lyric": LYRIC, "prompt": "", "custom": True, **MODEL},
    ),
}
TOOLS = {"extend": "producer_extend_music", "cover": "producer_cover_music", "variation": "producer_variation_music"}


def assert_song(result: dict[str, Any]) -> None:
    """Assert that a result is a song that can be heard."""
    assert result["audio_id"]
    assert result["audio_url"].startswith("http")
    assert result["duration_seconds"] > 0


async def test_a_song_from_a_prompt(call: Caller) -> None:
    """The simplest tool, from submit to song: with a wrong body, no song could be made."""
    result = await call.result("producer_generate_music", prompt="upbeat summer pop", instrumental=True, seed="42")
    assert_song(result)
    assert call.sent[0] == {
        "action": "generate", "lyric": "", "prompt": "upbeat summer pop", "instrumental": True, "seed": "42",
        "async": True, **MODEL,
    }  # fmt: skip


async def test_a_song_from_lyrics(call: Caller) -> None:
    """Without `custom`, the service ignores the lyrics."""
    result = await call.result(
        "producer_generate_custom_music", lyric=LYRIC, title="Ours", prompt="folk", model="FUZZ-2.0 Pro", weirdness=0.3
    )
    assert_song(result)
    assert result["title"] == "Ours"
    assert call.sent[0] == {
        "action": "generate", "lyric": LYRIC, "title": "Ours", "prompt": "folk", "model": "FUZZ-2.0 Pro",
        "instrumental": False, "weirdness": 0.3, "custom": True, "async": True,
    }  # fmt: skip


@pytest.mark.parametrize("action", EDITS)
async def test_an_edit_of_a_song(action: str, call: Caller) -> None:
    """Each edit sends the id of the song it works on. If the new song had the same id, they would be mixed up."""
    audio_id = await call.song()
    arguments, body = EDITS[action]
    result = await call.result(TOOLS.get(action, f"producer_{action}"), audio_id=audio_id, **arguments)
    assert_song(result)
    assert result["audio_id"] != audio_id
    sent = next(body for body in call.sent if body.get("action") == action)
    assert sent == {"action": action, "audio_id": audio_id, "async": True, **body}


@pytest.mark.parametrize("action", ["extend", "cover", "replace_section"])
async def test_an_edit_of_an_upload(action: str, call: Caller) -> None:
    """Uploads have their own actions; with the usual action, the service does not find the audio."""
    upload = await call("producer_upload_audio", audio_url="https://example.org/own.mp3")
    arguments, body = EDITS[action]
    audio_id = upload["results"][0]["audio_id"]
    result = await call.result(TOOLS.get(action, f"producer_{action}"), audio_id=audio_id, uploaded=True, **arguments)
    assert_song(result)
    assert call.sent[1] == {"action": f"upload_{action}", "audio_id": audio_id, "async": True, **body}


@pytest.mark.parametrize("vocabulary", ["record", pytest.param("state", marks=pytest.mark.sandbox_only)], indirect=True)
async def test_stems(call: Caller) -> None:
    """Stems have no audio id and no audio URL; if those were required, the task would look empty."""
    result = await call.result("producer_stems_music", audio_id=await call.song())
    assert result["stems_url"].startswith("http")
    assert "audio_url" not in result


async def test_a_synchronous_submit_returns_the_song(call: Caller) -> None:
    """The answer contains the song, so a look-up would be a wasted request."""
    content = await call.by_application("producer_generate_music", **{"prompt": "a short waltz", "async": False})
    assert (content["state"], content["success"]) == ("complete", True)
    assert_song(content["results"][0])
    assert [body["async"] for body in call.sent] == [False]
