"""How the audio of saved songs reaches the providers: in the form that each API takes, and never for a text-only model.

``make providers`` installs the packages and runs these tests.
"""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.files.formats.types import HEAD, detect
from producer_tools.langgraph.listening import ListenMiddleware
from producer_tools.requests import GenerateMusic
from producer_tools.tools import clips
from tests.providers.endpoint import endpoint
from tests.providers.providers import OPENAI, PROVIDERS, RESPONSES, BindWith, Provider, bedrock, google, openai
from tests.providers.wire import Answer, bedrock_message, chat_completion, google_content, response

pytestmark = pytest.mark.usefixtures("silent_files")

HEARING = [
    Provider("openai", *OPENAI, chat_completion),
    Provider("google", "langchain_google_genai", "ChatGoogleGenerativeAI", google, google_content),
]
each_that_hears = pytest.mark.parametrize("provider", HEARING, ids=lambda provider: provider.name)


def blocks(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a body, however deep."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from blocks(each)


def audio_on_the_wire(body: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The type and the content of each audio in a request."""
    found = []
    for block in blocks(body):
        if block.get("type") == "input_audio":
            assert block.keys() == {"type", "input_audio"}, "OpenAI refuses unknown keys"
            assert block["input_audio"].keys() == {"data", "format"}
            found.append((block["input_audio"]["format"], base64.b64decode(block["input_audio"]["data"])))
        if data := block.get("inlineData"):
            kind = data.get("mimeType") or data["mime_type"]
            found.append((kind, base64.urlsafe_b64decode(data["data"])))
    return found


async def bodies(
    provider: Provider, client: ProducerClient, directory: Path, **options: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """The bodies of a run in which a song is saved: after the download, those of later calls, and the saved file."""
    task_id = (await client.submit(GenerateMusic(prompt="a waltz"))).task_id
    tools = ProducerToolkit(client=client, download_dir=directory, listen=True).get_tools()
    save = Answer("producer_download_results", {"task_id": task_id})
    with endpoint(lambda number: provider.reply(save if number == 0 else Answer())) as server:
        middleware: list[Any] = [BindWith(provider.bound), ListenMiddleware(directory, **options)]
        agent: Any = create_agent(provider.chat(server.url), tools, middleware=middleware)
        state = await asyncio.to_thread(agent.invoke, {"messages": [HumanMessage("How is it?")]})
        await asyncio.to_thread(agent.invoke, {"messages": [*state["messages"], HumanMessage("Thanks.")]})
    (result,) = [message for message in state["messages"] if message.type == "tool"]
    (file,) = [file for file in result.artifact["files"] if file["kind"] == "audio"]
    first, heard, later = server.bodies
    assert audio_on_the_wire(first) == []
    return heard, later, file


@each_that_hears
async def test_the_saved_file_is_what_the_provider_gets(
    provider: Provider, client: ProducerClient, tmp_path: Path
) -> None:
    """A wrong type or key is a refused call, a preview would be judged in place of the song, and each song costs."""
    heard, later, file = await bodies(provider, client, tmp_path, hears=True)
    kind = "audio/wav" if provider.name == "google" else "wav"
    assert audio_on_the_wire(heard) == [(kind, Path(file["path"]).read_bytes())]
    assert audio_on_the_wire(later) == []
    assert "preview" not in json.dumps(heard.get("contents") or heard["messages"])


@each_that_hears
async def test_another_format_is_sent_as_mp3(
    provider: Provider, client: ProducerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI takes only the formats ``wav`` and ``mp3``, by exactly these names."""
    pytest.importorskip("av")
    monkeypatch.setattr(clips, "LARGEST_CLIP", 100)
    heard, _, _ = await bodies(provider, client, tmp_path, hears=True)
    [(kind, content)] = audio_on_the_wire(heard)
    assert kind == ("audio/mp3" if provider.name == "google" else "mp3")
    file_type = detect("audio", content[:HEAD])
    assert file_type is not None
    assert file_type.extension == "mp3"


def chosen_by_call(url: str) -> dict[str, Any]:
    """A chat model that chooses between OpenAI's APIs itself."""
    return {**openai(url), "model": "gpt-audio", "use_responses_api": None}


@pytest.mark.parametrize(
    "provider",
    [
        Provider("a setting", *RESPONSES, response),
        Provider("another setting", *OPENAI[:2], lambda url: {**chosen_by_call(url), "truncation": "auto"}, response),
        Provider(
            "an option of the call",
            *OPENAI[:2],
            chosen_by_call,
            response,
            bound={"include": ["web_search_call.results"]},
        ),
    ],
    ids=lambda provider: provider.name,
)
async def test_no_audio_is_promised_to_the_responses_api(
    provider: Provider, client: ProducerClient, tmp_path: Path
) -> None:
    """It takes none: langchain-openai drops it silently, and the model would speak of a song that it never heard."""
    heard, _, file = await bodies(provider, client, tmp_path, hears=True)
    assert audio_on_the_wire(heard) == []
    assert "for you to hear" not in json.dumps(heard["input"])
    assert Path(file["path"]).name in json.dumps(heard["input"])


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_a_text_only_model_gets_no_audio(provider: Provider, client: ProducerClient, tmp_path: Path) -> None:
    """Its API would refuse the call; it reads what was measured, here that the song is silent."""
    pytest.importorskip("av")
    heard, later, file = await bodies(provider, client, tmp_path, hears=False)
    assert audio_on_the_wire(heard) == audio_on_the_wire(later) == []
    assert "mostly silence: 100%" in json.dumps(heard)
    assert base64.b64encode(Path(file["path"]).read_bytes()[:300]).decode() not in json.dumps(heard)


@pytest.mark.parametrize(
    ("model", "hears"), [("gemini-2.5-flash", True), ("gemini-embedding-made-up", False)], ids=["hears", "unknown"]
)
async def test_the_profile_of_a_model_decides(model: str, hears: bool, client: ProducerClient, tmp_path: Path) -> None:
    """Nobody should have to say what LangChain knows of a model."""
    made = Provider(
        "google", "langchain_google_genai", "ChatGoogleGenerativeAI", lambda url: {**google(url), "model": model},
        google_content,
    )  # fmt: skip
    heard, _, _ = await bodies(made, client, tmp_path)
    assert bool(audio_on_the_wire(heard)) == hears


async def test_a_package_that_refuses_audio_is_not_asked(client: ProducerClient, tmp_path: Path) -> None:
    """The profile of the model says that it takes audio, but langchain-aws raises an error, and the run would end."""
    made = Provider(
        "bedrock", "langchain_aws", "ChatBedrockConverse",
        lambda url: {**bedrock(url), "model": "mistral.voxtral-mini-3b-2507"}, bedrock_message,
    )  # fmt: skip
    assert made.chat("http://127.0.0.1:9").profile["audio_inputs"], "otherwise this test shows nothing"
    heard, _, _ = await bodies(made, client, tmp_path)
    assert audio_on_the_wire(heard) == []
