"""Chat models that write the songs of an album and review them."""

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool

from producer_tools.langgraph.state import Song, SongRequest
from producer_tools.prompts import PROMPT_WRITING
from producer_tools.tasks.results import RESULT_KEYS
from producer_tools.tools import (
    ProducerExtendMusic,
    ProducerGenerateCustomMusic,
    ProducerGenerateMusic,
    ProducerVariationMusic,
)
from producer_tools.tools.cut_off import refuse_cut_off_message

_WRITE = f"""\
You write one song of an album. Call one tool once, with what the user's wish asks for: a prompt alone, or lyrics, title
and style.

{PROMPT_WRITING}"""
_REVIEW = """\
You review one finished song of an album. You cannot hear it: judge by the wish and the facts given. If it will do,
answer "keep". If another take or a longer song is clearly needed, call one tool once: it costs money."""
_REVIEWED = tuple(key.name for key in RESULT_KEYS if key.reviewed)


def write_with(model: BaseChatModel) -> Runnable[Song, SongRequest | None]:
    """Let a chat model write: it chooses between a prompt and full lyrics, and words them.

    Args:
        model: any chat model that can call tools.

    Returns:
        A value for the argument ``write`` of `album_graph`.
    """
    return _messages_to_write | _calls(model, ProducerGenerateMusic(), ProducerGenerateCustomMusic())


def review_with(model: BaseChatModel) -> Runnable[Song, SongRequest | None]:
    """Let a chat model review: it keeps a take, or asks for another one or for a longer song.

    Args:
        model: any chat model that can call tools.

    Returns:
        A value for the argument ``review`` of `album_graph`.
    """
    return _messages_to_review | _calls(model, ProducerVariationMusic(), ProducerExtendMusic())


@RunnableLambda
def _messages_to_write(song: Mapping[str, Any]) -> list[BaseMessage]:
    return [SystemMessage(_WRITE), HumanMessage(song["wish"])]


@RunnableLambda
def _messages_to_review(song: Mapping[str, Any]) -> list[BaseMessage]:
    [*earlier, newest] = [take["results"][0] for take in song["takes"]]
    facts = {
        "wish": song["wish"],
        "earlier_takes": len(earlier),
        "song": {name: newest[name] for name in _REVIEWED if name in newest},
    }
    return [SystemMessage(_REVIEW), HumanMessage(json.dumps(facts, ensure_ascii=False))]


def _calls(model: BaseChatModel, *tools: BaseTool) -> Runnable[Any, SongRequest | None]:
    """The model with these tools bound, and its first call of one of them as a request."""
    names = {tool.name for tool in tools}

    def first_call(message: AIMessage) -> SongRequest | None:
        refuse_cut_off_message(message)
        call = next((call for call in message.tool_calls if call["name"] in names), None)
        return call and SongRequest(name=call["name"], args=call["args"])

    return model.bind_tools(tools) | RunnableLambda(first_call)
