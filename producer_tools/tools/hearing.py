"""Whether the audio in a message reaches a chat model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, TypeVar

from langchain_core.runnables import Runnable, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_Kind = TypeVar("_Kind", bound=Runnable[Any, Any])
_Called: TypeAlias = tuple[Runnable[Any, Any], Mapping[str, Any]]
"""A model, and the options of its calls."""


def takes_audio(model: Runnable[Any, Any], hears: bool | None) -> bool:  # noqa: FBT001 - passed on from a keyword argument
    """Whether a chat model takes audio.

    Args:
        model: the chat model, also with bound tools, with retries or with fallbacks, of which each must take audio.
            One whose ``profile`` does not say that it does, or that is chosen only when it is called, counts as deaf.
        hears: what the application says, which takes precedence; ``None`` if it says nothing.

    Returns:
        Whether audio reaches the model. It never does through OpenAI's Responses API, which has no audio in messages:
        langchain-openai leaves it out without an error, and the model would believe that it was played.
    """
    called = _called(model, {})
    if any(_uses_responses_api(*each) for each in called):
        return False
    return all(_says_so(each) for each, _ in called) if hears is None else hears


def _called(runnable: Runnable[Any, Any], options: Mapping[str, Any]) -> list[_Called]:
    """The models that a runnable calls, or itself, if nothing is known of what it does."""
    if _is(runnable, RunnableBindingBase):
        return _called(runnable.bound, {**runnable.kwargs, **options})
    if _is(runnable, RunnableWithFallbacks):
        return [each for one in runnable.runnables for each in _called(one, options)]
    if _is(runnable, RunnableSequence):  # such as a model and a parser of what it says
        steps = [each for step in runnable.steps for each in _called(step, options)]
        return [each for each in steps if _is_chat_model(each[0])] or [(runnable, {})]
    return [(runnable, options)]


def _is(runnable: Runnable[Any, Any], kind: type[_Kind]) -> "TypeGuard[_Kind]":
    # Not `isinstance`: older versions of pydantic ask for an attribute, and a model that is chosen when it is called
    # would be made for that.
    return issubclass(type(runnable), kind)


def _is_chat_model(runnable: Runnable[Any, Any]) -> "TypeGuard[BaseChatModel]":
    from langchain_core.language_models import BaseChatModel  # noqa: PLC0415 - slow, and needed by no tool

    return issubclass(type(runnable), BaseChatModel)


def _says_so(model: Runnable[Any, Any]) -> bool:
    # One that is chosen when it is called shows the profile of the model that it calls by default.
    if not _is_chat_model(model):
        return False
    if model._llm_type.startswith("amazon_bedrock"):  # noqa: SLF001 - each package must define it
        return False  # langchain-aws knows models that take audio, and refuses to send it to them
    profile = getattr(model, "profile", None) or {}
    return profile.get("audio_inputs") is True


def _uses_responses_api(model: Runnable[Any, Any], options: Mapping[str, Any]) -> bool:
    try:
        chooses = getattr(model, "_use_responses_api", None)  # of langchain-openai, and of packages that build on it
        tools = [tool if isinstance(tool, Mapping) else {} for tool in options.get("tools") or ()]
        return callable(chooses) and bool(chooses({**options, "tools": tools}))
    except Exception:  # noqa: BLE001 - a model that is chosen when it is called may lack settings until then
        return False
