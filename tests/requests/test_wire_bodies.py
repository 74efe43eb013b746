"""The JSON body of each request."""

from typing import Any

import pytest

from producer_tools import ConfigurationError, requests

MODEL = {"model": "FUZZ-2.0"}
BODIES: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (
        requests.GenerateMusic, {"prompt": " a song ", "weirdness": 0.5, "seed": 7, "instrumental": True},
        {"action": "generate", "lyric": "", "prompt": "a song", **MODEL, "instrumental": True, "weirdness": 0.5,
         "seed": "7", "async": True},
    ),
    (
        requests.GenerateCustomMusic, {"lyric": "[Verse]\nHello", "title": "T", "sound_strength": 0.2},
        {"action": "generate", "lyric": "[Verse]\nHello", "prompt": "", "title": "T", **MODEL, "instrumental": False,
         "sound_strength": 0.2, "custom": True, "async": True},
    ),
    (
        requests.ExtendMusic, {"audio_id": "a", "continue_at": "12.5", "uploaded": True},
        {"action": "upload_extend", "lyric": "", "prompt": "", "audio_id": "a", "continue_at": 12.5, **MODEL,
         "async": True},
    ),
    (
        requests.CoverMusic, {"audio_id": "a", "prompt": "jazz", "lyric": "La", "cover_strength": 1},
        {"action": "cover", "lyric": "La", "prompt": "jazz", "audio_id": "a", **MODEL, "cover_strength": 1.0,
         "custom": True, "async": True},
    ),
    (
        requests.CoverMusic, {"audio_id": "a", "uploaded": True, "lyric": "  ", "title": ""},
        {"action": "upload_cover", "lyric": "", "prompt": "", "audio_id": "a", **MODEL, "async": True},
    ),
    (
        requests.VariationMusic, {"audio_id": "a"},
        {"action": "variation", "lyric": "", "prompt": "", "audio_id": "a", **MODEL, "async": True},
    ),
    (
        requests.SwapVocals, {"audio_id": "a", "lyric": "La", "lyrics_strength": 0},
        {"action": "swap_vocals", "lyric": "La", "prompt": "", "audio_id": "a", **MODEL, "lyrics_strength": 0.0,
         "custom": True, "async": True},
    ),
    (
        requests.SwapInstrumentals, {"audio_id": "a", "prompt": None},
        {"action": "swap_instrumentals", "lyric": "", "prompt": "", "audio_id": "a", **MODEL, "async": True},
    ),
    (
        requests.ReplaceSection,
        {"audio_id": "a", "replace_section_start": 0, "replace_section_end": 4, "uploaded": True},
        {"action": "upload_replace_section", "lyric": "", "prompt": "", "audio_id": "a", **MODEL,
         "replace_section_start": 0.0, "replace_section_end": 4.0, "async": True},
    ),
    (
        requests.StemsMusic, {"audio_id": "a", "callback_url": "https://app.example/done"},
        {"action": "stems", "lyric": "", "prompt": "", "audio_id": "a", "callback_url": "https://app.example/done"},
    ),
    (
        requests.StemsMusic, {"audio_id": "a", "async": False},
        {"action": "stems", "lyric": "", "prompt": "", "audio_id": "a", "async": False},
    ),
    (
        requests.StemsMusic, {"audio_id": "a", "async_": True, "callback_url": "https://app.example/done"},
        {"action": "stems", "lyric": "", "prompt": "", "audio_id": "a", "async": True,
         "callback_url": "https://app.example/done"},
    ),
    (requests.GenerateLyrics, {"prompt": "rain"}, {"prompt": "rain"}),
    (requests.GenerateLyrics, {"prompt": "rain", "submission_key": "k"}, {"prompt": "rain"}),
    (requests.UploadAudio, {"audio_url": "https://x.example/a b.mp3"}, {"audio_url": "https://x.example/a b.mp3"}),
    (requests.GenerateVideo, {"audio_id": "a"}, {"audio_id": "a"}),
    (requests.GenerateWav, {"audio_id": "a"}, {"audio_id": "a"}),
    (requests.GetTask, {"task_id": "t"}, {"id": "t", "action": "retrieve"}),
    (requests.GetTasksBatch, {"task_ids": ["t", "u"]}, {"ids": ["t", "u"], "action": "retrieve_batch"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "body"), BODIES)
def test_the_body_of_a_request(kind: type[requests.Request], arguments: dict[str, Any], body: dict[str, Any]) -> None:
    """A missing or unknown field, or a null, is refused by the API or changes what is made."""
    assert kind.model_validate(arguments).body() == body


def test_the_default_model_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be named as a model may name it; another name must not be sent."""
    for name in ("FUZZ-2.0 Pro", "2.0 pro"):
        monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", name)
        assert requests.GenerateMusic(prompt="x").body()["model"] == "FUZZ-2.0 Pro"
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-9")
    with pytest.raises(
        ConfigurationError, match=r"PRODUCER_DEFAULT_MODEL must be one of .*FUZZ-2.0 Raw.* it is 'FUZZ-9'"
    ):
        requests.GenerateMusic(prompt="x")
