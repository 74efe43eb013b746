"""Chat models that write the songs of an album and review them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool

from producer_tools.concurrency.sync import run_sync
from producer_tools.concurrency.threads import in_thread
from producer_tools.langgraph.state import Song, SongRequest
from producer_tools.prompts import PROMPT_WRITING
from producer_tools.tasks.results import RESULT_KEYS
from producer_tools.tools import (
    ProducerExtendMusic,
    ProducerGenerateCustomMusic,
    ProducerGenerateMusic,
    ProducerVariationMusic,
)
from producer_tools.tools.clips import clip_of, songs_in
from producer_tools.tools.cut_off import refuse_cut_off_message
from producer_tools.tools.file_facts import measured_facts
from producer_tools.tools.hearing import takes_audio

_WRITE = f"""\
You write one song of an album. Call one tool once, with what the user's wish asks for: a prompt alone, or lyrics, title
and style.

{PROMPT_WRITING}"""
_REVIEW = """\
You review one finished song of an album. {judge} If it will do, answer "keep". If another take or a longer song is
clearly needed, call one tool once: it costs money."""
_WITHOUT_HEARING = "You cannot hear it: judge by the wish and the facts given."
_HEARING = "You hear it: judge by the wish, by what you hear and by the facts given."
_REVIEWED = tuple(key.name for key in RESULT_KEYS if key.reviewed)


def write_with(model: BaseChatModel) -> Runnable[Song, SongRequest | None]:
    """Let a chat model write: it chooses between a prompt and full lyrics, and words them.

    Args:
        model: any chat model that can call tools.

    Returns:
        A value for the argument ``write`` of `album_graph`.
    """
    tools = (ProducerGenerateMusic(), ProducerGenerateCustomMusic())
    return _messages_to_write | model.bind_tools(tools) | _first_call_of(tools)


def review_with(
    model: BaseChatModel, *, listen: bool = False, hears: bool | None = None
) -> Runnable[Song, SongRequest | None]:
    """Let a chat model review: it keeps a take, or asks for another one or for a longer song.

    The model reads the wish, what the service says of the newest take, and what was measured of its file: length,
    loudness, peak, and what is wrong with it. That needs the extra ``sound``.

    Args:
        model: any chat model that can call tools.
        listen: whether a model that takes audio hears the newest take, as `producer_tools.Listener` describes.
        hears: whether the model takes audio; by default what its ``profile`` says about ``audio_inputs``, and no if
            that is not known.

    Returns:
        A value for the argument ``review`` of `album_graph`.
    """
    tools = (ProducerVariationMusic(), ProducerExtendMusic())
    reviewer = model.bind_tools(tools)
    plays = listen and takes_audio(reviewer, hears)

    async def messages(song: Mapping[str, Any]) -> list[BaseMessage]:
        return await in_thread(_messages_to_review, song, plays=plays)

    def messages_sync(song: Mapping[str, Any]) -> list[BaseMessage]:
        return run_sync(lambda: messages(song))

    return RunnableLambda(messages_sync, messages) | reviewer | _first_call_of(tools)


@RunnableLambda
def _messages_to_write(song: Mapping[str, Any]) -> list[BaseMessage]:
    return [SystemMessage(_WRITE), HumanMessage(song["wish"])]


def _messages_to_review(song: Mapping[str, Any], *, plays: bool) -> list[BaseMessage]:
    [*earlier, take] = song["takes"]
    newest = take["results"][0]
    facts = {
        "wish": song["wish"],
        "earlier_takes": len(earlier),
        "song": {name: newest[name] for name in _REVIEWED if name in newest},
    }
    saved = songs_in(take.get("files") or [])
    file = next((file for file in saved if file.get("audio_id") == newest.get("audio_id")), {})
    if measured := measured_facts(file, loudness=True):
        facts["file"] = measured
    text = json.dumps(facts, ensure_ascii=False)
    clip = clip_of(file) if plays and file else None
    if clip is None or clip.audio is None:
        return [SystemMessage(_REVIEW.format(judge=_WITHOUT_HEARING)), HumanMessage(text)]
    content: list[str | dict[str, Any]] = [{"type": "text", "text": text}, *clip.blocks]
    return [SystemMessage(_REVIEW.format(judge=_HEARING)), HumanMessage(content)]


def _first_call_of(tools: Sequence[BaseTool]) -> Runnable[AIMessage, SongRequest | None]:
    """The first call of one of these tools in a message, as a request."""
    names = {tool.name for tool in tools}

    def first_call(message: AIMessage) -> SongRequest | None:
        refuse_cut_off_message(message)
        call = next((call for call in message.tool_calls if call["name"] in names), None)
        return call and SongRequest(name=call["name"], args=call["args"])

    return RunnableLambda(first_call)
