"""The arguments of the tools: each is described to the model, and invalid ones are never sent."""

import re
from inspect import signature
from typing import Any

import pytest
from langchain_core.tools import InjectedToolArg
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic, GenerateWav, Request, WaitForTasks
from producer_tools.tools.toolkit import ProducerToolkit


def test_every_argument_is_described(toolkit: ProducerToolkit) -> None:
    """A model knows an argument only by its description."""
    for tool in toolkit.get_tools():
        for name, field in convert_to_openai_tool(tool)["function"]["parameters"]["properties"].items():
            assert field.get("description"), f"{tool.name}: {name}"


INVALID: list[tuple[str, dict[str, Any], str]] = [
    ("producer_generate_music", {"prompt": "x" * 201}, "prompt: String should have at most 200 characters"),
    ("producer_generate_music", {"prompt": "  "}, "prompt: String should have at least 1 character"),
    ("producer_generate_music", {}, "prompt: Field required"),
    ("producer_generate_music", {"prompt": "x", "weirdness": 1.5}, "weirdness: .* less than or equal to 1"),
    ("producer_generate_music", {"prompt": "x", "sound_strength": 0.1}, "sound_strength: .* or equal to 0.2"),
    ("producer_generate_music", {"prompt": "x", "lyrics_strength": -1}, "lyrics_strength: .* or equal to 0"),
    ("producer_generate_music", {"prompt": "x", "weirdness": float("nan")}, "weirdness: "),
    ("producer_generate_music", {"prompt": "x", "model": "FUZZ-9"}, "model: .*'FUZZ-2.0 Pro'"),
    ("producer_generate_music", {"prompt": "x", "model": "Pro"}, "model: .*'FUZZ-2.0 Pro'.*'FUZZ-0.8'"),
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
    ("producer_upload_audio", {"audio_url": "song.mp3"}, "audio_url is no valid URL: .*client.upload"),
    ("producer_generate_wav", {"audio_id": None}, "audio_id: "),
    ("producer_get_task", {"task_id": " "}, "task_id: .* at least 1 character"),
    ("producer_get_tasks_batch", {"task_ids": []}, "task_ids: .* at least 1 item"),
    ("producer_get_tasks_batch", {"task_ids": ["t", ""]}, "task_ids: .* at least 1 character"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "message"), INVALID)
async def test_invalid_arguments_are_never_sent(
    name: str, arguments: dict[str, Any], message: str, toolkit: ProducerToolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool returns a message that names the argument and its bound, so that the model can correct it."""
    tool = {tool.name: tool for tool in toolkit.get_tools()}[name]
    monkeypatch.delattr(Transport, "post")  # anything that were sent would raise
    call = {"type": "tool_call", "id": "c", "name": name, "args": arguments}
    answer = await tool.ainvoke(call)
    assert answer.status == "error"
    assert answer.content.startswith("bad_request: ")
    assert "Nothing was sent." in answer.content
    with pytest.raises(ValidationError):
        tool.args_schema.model_validate(arguments)  # type: ignore[union-attr]  # LangChain allows a dict
    assert re.search(message, answer.content), answer.content


@pytest.mark.parametrize("schema", [GenerateMusic, GenerateWav, WaitForTasks])
def test_a_signature_leads_with_what_a_person_passes(schema: type[Request]) -> None:
    """A notebook shows the beginning of a signature: it would be a runtime and keys that nobody passes."""
    names = list(signature(schema).parameters)
    shown = [name for name in names if InjectedToolArg not in schema.model_fields[name].metadata]
    assert names[: len(shown)] == shown
    assert len(shown) < len(names)
