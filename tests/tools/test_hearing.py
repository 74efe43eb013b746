"""Which models are played songs: those that take audio, however they are wrapped, and no model that only might."""

from pathlib import Path
from typing import Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda

from producer_tools import Listener, ProducerListModels
from tests.langgraph.fake_model import FakeModel
from tests.tools.songs_on_disk import conversation, played, saved, song

DEAF = FakeModel(answers=[])
HEARING = FakeModel(answers=[], profile={"audio_inputs": True})
TOOL = {"type": "web_search"}


class OpenAI(FakeModel):
    """Chooses between OpenAI's APIs as `langchain_openai.ChatOpenAI` does."""

    def _use_responses_api(self, options: dict[str, Any]) -> bool:
        return "truncation" in options or any(tool.get("type") == "web_search" for tool in options.get("tools", ()))


class Bedrock(FakeModel):
    """Has the type of `langchain_aws.ChatBedrockConverse`."""

    @property
    def _llm_type(self) -> str:
        return "amazon_bedrock_converse_chat"


def hears(model: Runnable[Any, Any], directory: Path, told: bool | None = None) -> bool:
    """Whether the model is played a saved song."""
    given = conversation(saved(song(directory / "waltz.wav")))
    return bool(played(Listener(directory, hears=told).with_audio_sync(given, model)))


@pytest.mark.parametrize(
    "model",
    [
        HEARING.bind(stop=["x"]), HEARING.with_retry(), HEARING.bind_tools([]).with_retry(),
        HEARING.with_config(tags=["x"]), HEARING.with_fallbacks([HEARING.with_retry()]),
        HEARING | RunnableLambda(lambda message: message.text),
    ],
    ids=["options", "retries", "options and retries", "config", "fallbacks", "a parser"],
)  # fmt: skip
def test_a_wrapped_model_hears(model: Runnable[Any, Any], tmp_path: Path) -> None:
    """The tools of a model are bound before it is called, so that an own loop has no other one."""
    assert hears(model, tmp_path)


@pytest.mark.parametrize(
    "model",
    [
        DEAF.with_retry(), HEARING.with_fallbacks([DEAF]), DEAF.with_fallbacks([HEARING]),
        RunnableLambda(lambda _: None) | RunnableLambda(lambda _: None),
        HEARING.configurable_alternatives(ConfigurableField(id="model"), default_key="one", other=DEAF),
        init_chat_model(configurable_fields="any"),
        init_chat_model(api_key="made-up", configurable_fields="any"),
        Bedrock(answers=[], profile={"audio_inputs": True}),
    ],
    ids=["retries", "a deaf fallback", "a deaf first", "no model", "alternatives", "any model", "any with a key",
         "bedrock"],
)  # fmt: skip
def test_a_model_that_only_might_take_audio_is_played_none(model: Runnable[Any, Any], tmp_path: Path) -> None:
    """The call would end in an error: of the fallback, of the model that a request chose, or of langchain-aws."""
    assert not hears(model, tmp_path)
    assert hears(model, tmp_path, told=True), "the application knows better"


@pytest.mark.parametrize(
    ("model", "plays"),
    [
        (OpenAI(answers=[]), True),
        (OpenAI(answers=[]).bind(tools=[{"type": "function"}]), True),
        (OpenAI(answers=[]).bind(tools=[TOOL]), False),
        (OpenAI(answers=[]).bind(tools=[print, ProducerListModels(), TOOL]), False),
        (OpenAI(answers=[]).bind(tools=[TOOL]).with_retry(), False),
        (OpenAI(answers=[]).bind(truncation="auto").bind(stop=["x"]), False),
        (HEARING.with_fallbacks([OpenAI(answers=[]).bind(tools=[TOOL])]), False),
        (OpenAI(answers=[]).bind(tools=[TOOL]) | RunnableLambda(str), False),
    ],
    ids=["no tools", "a function", "web search", "several", "retries", "two options", "a fallback", "a parser"],
)
def test_the_options_of_a_call_can_choose_an_api_without_audio(
    model: Runnable[Any, Any], plays: bool, tmp_path: Path
) -> None:
    """langchain-openai leaves the audio out without an error, and the model would judge what it never heard."""
    assert hears(model, tmp_path, told=True) == plays
