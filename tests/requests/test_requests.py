"""What goes over the wire, and what never gets that far."""

import re
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from producer_tools import ConfigurationError, requests
from producer_tools.http.transport import Transport
from producer_tools.toolkit import ProducerToolkit

M = {"model": "FUZZ-2.0"}
BODIES: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (
        requests.GenerateMusic, {"prompt": " a song ", "weirdness": 0.5, "seed": 7, "instrumental": True},
        {"action": "generate", "lyric": "", "prompt": "a song", **M, "instrumental": True, "weirdness": 0.5,
         "seed": "7", "async": True},
    ),
    (
        requests.GenerateCustomMusic, {"lyric": "[Verse]\nHello", "title": "T", "sound_strength": 0.2},
        {"action": "generate", "lyric": "[Verse]\nHello", "prompt": "", "title": "T", **M, "instrumental": False,
         "sound_strength": 0.2, "custom": True, "async": True},
    ),
    (
        requests.ExtendMusic, {"audio_id": "a", "continue_at": "12.5", "uploaded": True},
        {"action": "upload_extend", "lyric": "", "prompt": "", "audio_id": "a", "continue_at": 12.5, **M,
         "async": True},
    ),
    (
        requests.CoverMusic, {"audio_id": "a", "prompt": "jazz", "lyric": "La", "cover_strength": 1},
        {"action": "cover", "lyric": "La", "prompt": "jazz", "audio_id": "a", **M, "cover_strength": 1.0,
         "custom": True, "async": True},
    ),
    (
        requests.CoverMusic, {"audio_id": "a", "uploaded": True, "lyric": "  ", "title": ""},
        {"action": "upload_cover", "lyric": "", "prompt": "", "audio_id": "a", **M, "async": True},
    ),
    (
        requests.VariationMusic, {"audio_id": "a"},
        {"action": "variation", "lyric": "", "prompt": "", "audio_id": "a", **M, "async": True},
    ),
    (
        requests.SwapVocals, {"audio_id": "a", "lyric": "La", "lyrics_strength": 0},
        {"action": "swap_vocals", "lyric": "La", "prompt": "", "audio_id": "a", **M, "lyrics_strength": 0.0,
         "custom": True, "async": True},
    ),
    (
        requests.SwapInstrumentals, {"audio_id": "a", "prompt": None},
        {"action": "swap_instrumentals", "lyric": "", "prompt": "", "audio_id": "a", **M, "async": True},
    ),
    (
        requests.ReplaceSection,
        {"audio_id": "a", "replace_section_start": 0, "replace_section_end": 4, "uploaded": True},
        {"action": "upload_replace_section", "lyric": "", "prompt": "", "audio_id": "a", **M,
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
def test_wire_body(kind: type[requests.Request], arguments: dict[str, Any], body: dict[str, Any]) -> None:
    """The API gets what its spec asks for, no nulls, and nothing else."""
    assert kind.model_validate(arguments).body() == body


def test_default_model_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-2.0 Pro")
    assert requests.GenerateMusic(prompt="x").body()["model"] == "FUZZ-2.0 Pro"
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-9")
    with pytest.raises(
        ConfigurationError, match=r"PRODUCER_DEFAULT_MODEL must be one of .*FUZZ-2.0 Raw.* not 'FUZZ-9'"
    ):
        requests.GenerateMusic(prompt="x")


def test_every_argument_is_described(toolkit: ProducerToolkit) -> None:
    """A model has nothing else to go by."""
    for tool in toolkit.get_tools():
        for name, field in convert_to_openai_tool(tool)["function"]["parameters"]["properties"].items():
            assert field.get("description"), f"{tool.name}: {name}"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("producer_generate_music", {"prompt": "x" * 201}, "prompt: String should have at most 200 characters"),
    ("producer_generate_music", {"prompt": "  "}, "prompt: String should have at least 1 character"),
    ("producer_generate_music", {}, "prompt: Field required"),
    ("producer_generate_music", {"prompt": "x", "weirdness": 1.5}, "weirdness: .* less than or equal to 1"),
    ("producer_generate_music", {"prompt": "x", "sound_strength": 0.1}, "sound_strength: .* or equal to 0.2"),
    ("producer_generate_music", {"prompt": "x", "lyrics_strength": -1}, "lyrics_strength: .* or equal to 0"),
    ("producer_generate_music", {"prompt": "x", "weirdness": float("nan")}, "weirdness: "),
    ("producer_generate_music", {"prompt": "x", "model": "FUZZ-9"}, "model: .*'FUZZ-2.0 Pro'"),
    ("producer_generate_music", {"prompt": "x", "style": "jazz"}, "style: Extra inputs are not permitted"),
    ("producer_generate_custom_music", {"lyric": "", "title": "T"}, "lyric: .* at least 1 character"),
    ("producer_cover_music", {"audio_id": ""}, "audio_id: .* at least 1 character"),
    ("producer_cover_music", {"audio_id": "a", "cover_strength": 2}, "cover_strength: .* or equal to 1"),
    ("producer_extend_music", {"audio_id": "a", "continue_at": -1}, "continue_at: .* or equal to 0"),
    ("producer_extend_music", {"audio_id": "a", "continue_at": float("inf")}, "continue_at: .* finite"),
    (
        "producer_replace_section", {"audio_id": "a", "replace_section_start": 9, "replace_section_end": 4},
        r"replace_section_end \(4 s\) must be after replace_section_start \(9 s\)",
    ),
    (
        "producer_replace_section", {"audio_id": "a", "replace_section_start": 4, "replace_section_end": 4},
        "must be after",
    ),
    ("producer_upload_audio", {"audio_url": "ftp://x.example/a.mp3"}, "audio_url: .*'http' or 'https'"),
    ("producer_upload_audio", {"audio_url": "http:x.example"}, "audio_url: .*begins with http://"),
    ("producer_upload_audio", {"audio_url": "https:///a.mp3"}, "audio_url: .*begins with http://"),
    ("producer_upload_audio", {"audio_url": "song.mp3"}, "audio_url: .*valid URL"),
    ("producer_generate_wav", {"audio_id": None}, "audio_id: "),
    ("producer_get_task", {"task_id": " "}, "task_id: .* at least 1 character"),
    ("producer_get_tasks_batch", {"task_ids": []}, "task_ids: .* at least 1 item"),
    ("producer_get_tasks_batch", {"task_ids": ["t", ""]}, "task_ids: .* at least 1 character"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "complaint"), BAD)
async def test_bad_input(
    name: str, arguments: dict[str, Any], complaint: str, toolkit: ProducerToolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad arguments never reach the network; the message names the argument and its bound, and the run goes on."""
    tool = {tool.name: tool for tool in toolkit.get_tools()}[name]
    monkeypatch.delattr(Transport, "post")  # whatever would be sent fails loudly
    call = {"type": "tool_call", "id": "c", "name": name, "args": arguments}
    message = await tool.ainvoke(call)
    assert message.status == "error"
    assert message.content.startswith("bad_request: ")
    assert "Nothing was sent." in message.content
    with pytest.raises(ValidationError):
        tool.args_schema.model_validate(arguments)  # type: ignore[union-attr]
    assert re.search(complaint, message.content), message.content
