"""The chat models that are tested: how to make each of them for an endpoint, and how it is told the tools."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.structured_output import ProviderStrategy

from tests.providers.streams import anthropic_stream, chat_completion_stream, response_stream
from tests.providers.wire import (
    Answer,
    anthropic_message,
    bedrock_message,
    chat_completion,
    google_content,
    ollama_lines,
    response,
)

KEY = "made-up"


@dataclass(frozen=True)
class Provider:
    """A chat model of a provider's package.

    Attributes:
        name: of the test, and of its snapshot.
        package: the module; the test is skipped if it is not installed.
        model: the class.
        settings: the class's arguments for an endpoint.
        reply: writes an answer as the provider's API does.
        stream: writes a stream that is cut off in the middle of a call, if the API streams calls in parts.
        bound: what `bind_tools` is given besides the tools.
        structured: whether an agent is asked for structured output by the provider's own way.
        strict: whether every argument is required in the request.
        drops_null: whether the package's converter leaves out that an argument may be null.
        fails_if_cut_off: whether the package raises an error for an answer that was cut off.
    """

    name: str
    package: str
    model: str
    settings: Callable[[str], dict[str, Any]]
    reply: Callable[[Answer], Any]
    stream: Callable[[Answer], str] | None = None
    bound: dict[str, Any] = field(default_factory=dict)
    structured: bool = False
    strict: bool = False
    drops_null: bool = False
    fails_if_cut_off: bool = False

    def chat(self, url: str) -> Any:
        """The chat model, which talks to the endpoint at a URL."""
        package = pytest.importorskip(self.package, reason=f"{self.package} is not installed: make providers")
        return getattr(package, self.model)(**self.settings(url))

    def agent(self, url: str, tools: list[Any]) -> Any:
        """An agent that has the tools."""
        middleware = [BindWith(self.bound)] if self.bound else []
        strategy: Any = ProviderStrategy(SONG) if self.structured else None
        return create_agent(self.chat(url), tools, middleware=middleware, response_format=strategy)


class BindWith(AgentMiddleware):
    """Gives `bind_tools` what an application would give it.

    Args:
        settings: for `bind_tools`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._settings = settings

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Call the model with the settings."""
        return handler(request.override(model_settings={**request.model_settings, **self._settings}))


SONG = {"title": "Song", "type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def openai(url: str) -> dict[str, Any]:
    return {"model": "gpt-5", "api_key": KEY, "base_url": url, "max_retries": 0, "use_responses_api": False}


def openai_responses(url: str) -> dict[str, Any]:
    return {**openai(url), "use_responses_api": True}


def anthropic(url: str) -> dict[str, Any]:
    return {"model": "claude-made-up", "api_key": KEY, "base_url": url, "max_retries": 0}


def google(url: str) -> dict[str, Any]:
    return {"model": "gemini-3-pro", "api_key": KEY, "base_url": url, "max_retries": 0}


def bedrock(url: str) -> dict[str, Any]:
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region_name": "us-east-1"}
    return {"model": "anthropic.claude-sonnet-4-5-20250929-v1:0", "endpoint_url": url, **keys}


def mistral(url: str) -> dict[str, Any]:
    return {"model": "mistral-large-latest", "api_key": KEY, "endpoint": url, "max_retries": 0}


def groq(url: str) -> dict[str, Any]:
    return {"model": "openai/gpt-oss-120b", "api_key": KEY, "base_url": url, "max_retries": 0}


def ollama(url: str) -> dict[str, Any]:
    return {"model": "qwen3", "base_url": url}


def deepseek(url: str) -> dict[str, Any]:
    return {"model": "deepseek-chat", "api_key": KEY, "api_base": url, "max_retries": 0}


def xai(url: str) -> dict[str, Any]:
    return {"model": "grok-4", "api_key": KEY, "xai_api_base": url, "max_retries": 0, "use_responses_api": False}


BIND_STRICT: Any = {"bound": {"strict": True}, "strict": True}
OPENAI, RESPONSES = ("langchain_openai", "ChatOpenAI", openai), ("langchain_openai", "ChatOpenAI", openai_responses)
PROVIDERS = [
    Provider("openai", *OPENAI, chat_completion, chat_completion_stream),
    Provider("openai-strict", *OPENAI, chat_completion, chat_completion_stream, **BIND_STRICT),
    Provider("openai-structured-output", *OPENAI, chat_completion, structured=True, strict=True, fails_if_cut_off=True),
    # The Responses API makes every argument required by itself, unless a request says that it is not strict.
    Provider("openai-responses", *RESPONSES, response, response_stream),
    Provider("openai-responses-strict", *RESPONSES, response, response_stream, **BIND_STRICT),
    Provider("openai-responses-structured-output", *RESPONSES, response, response_stream, structured=True),
    Provider("anthropic", "langchain_anthropic", "ChatAnthropic", anthropic, anthropic_message, anthropic_stream),
    Provider("google", "langchain_google_genai", "ChatGoogleGenerativeAI", google, google_content, drops_null=True),
    Provider("bedrock", "langchain_aws", "ChatBedrockConverse", bedrock, bedrock_message, drops_null=True),
    Provider("mistral", "langchain_mistralai", "ChatMistralAI", mistral, chat_completion, chat_completion_stream),
    Provider("groq", "langchain_groq", "ChatGroq", groq, chat_completion, chat_completion_stream),
    Provider("ollama", "langchain_ollama", "ChatOllama", ollama, ollama_lines),
    Provider("deepseek", "langchain_deepseek", "ChatDeepSeek", deepseek, chat_completion, chat_completion_stream),
    Provider("xai", "langchain_xai", "ChatXAI", xai, chat_completion, chat_completion_stream),
]
