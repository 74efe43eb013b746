"""A chat model that follows fixed rules, for first runs, examples and tests without a key for a real model."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from producer_tools.tasks.display import minutes
from producer_tools.tools.listening import is_from_listener

_LONGEST_PROMPT = 200
# Not every tool that a text names is to be called.
_TOOL_TO_CALL = re.compile(r"(?:[Cc]all|or) (producer_[a-z_]+)")


class ScriptedChatModel(BaseChatModel):
    """Calls the producer tools by fixed rules, without understanding anything. For showing and testing the tools.

    The user's message becomes the prompt of one song. The model submits that song, calls the tool that each result's
    ``next_step`` names, and ends with a summary of the result. Three first words have a meaning of their own:
    ``extend`` and ``cover`` work on the newest song of the conversation, and ``compare`` lists all its songs.
    """

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind the tools' names and argument schemas."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools", ())}
        message = _answer([each for each in messages if not is_from_listener(each)], tools)
        message.response_metadata["model_name"] = "scripted: no model was asked"
        return ChatResult(generations=[ChatGeneration(message=message)])


def _answer(messages: list[BaseMessage], tools: dict[str, Any]) -> AIMessage:
    last = messages[-1]
    if isinstance(last, HumanMessage):
        return _first_answer(last.text, _songs(messages), tools)
    if not isinstance(last, ToolMessage) or last.status == "error":
        return AIMessage(f"That did not work. {last.text}")
    if '{"task' not in last.text:
        return AIMessage(last.text)  # a tool of another package
    result = _result(last)
    for name in _TOOL_TO_CALL.findall(result.get("next_step", "")):
        if name in tools and (calls := _arguments(result, tools[name]["parameters"]["properties"])):
            return _calls(name, calls)
    return AIMessage(_summary(result))


def _first_answer(text: str, songs: list[dict[str, Any]], tools: dict[str, Any]) -> AIMessage:
    """The first answer to a user's message."""
    first = next(iter(text.lower().split()), "")
    if first == "compare" and songs:
        lines = [f"- {song.get('title', 'Untitled')}: {minutes(song.get('duration_seconds', 0))}" for song in songs]
        return AIMessage("\n".join(["No model has heard these songs. The tools report:", *lines]))
    if first == "extend" and songs:
        arguments = {"audio_id": songs[-1]["audio_id"], "continue_at": songs[-1].get("duration_seconds", 0)}
        return _calls("producer_extend_music", [arguments])
    if first == "cover" and songs:
        return _calls("producer_cover_music", [{"audio_id": songs[-1]["audio_id"], "prompt": text[:_LONGEST_PROMPT]}])
    if "producer_generate_music" in tools:
        return _calls("producer_generate_music", [{"prompt": text[:_LONGEST_PROMPT]}])
    return AIMessage("Keep it. This model cannot judge music, so it accepts every song.")


def _result(message: ToolMessage) -> dict[str, Any]:
    # Middleware may put a note before the result, for example that a person has changed the call.
    result: dict[str, Any] = json.loads(message.text[message.text.find('{"task') :])
    return result


def _songs(messages: list[BaseMessage]) -> list[dict[str, Any]]:
    """The finished songs of the conversation, each once, oldest first."""
    finished = [m for m in messages if isinstance(m, ToolMessage) and '"results"' in m.text]
    items = [item for message in finished for item in _items(_result(message))]
    return list({song["audio_id"]: song for song in items if "audio_id" in song}.values())


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The items that the tasks of a tool's result have made."""
    return [item for task in result.get("tasks", [result]) for item in task.get("results", [])]


def _calls(name: str, arguments: list[dict[str, Any]]) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"name": name, "args": args, "id": uuid4().hex, "type": "tool_call"} for args in arguments]
    )


def _arguments(result: dict[str, Any], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The ids of the unfinished tasks, or else of the successful ones, as the tool's parameters take them."""
    tasks = result.get("tasks", [result])
    unfinished = [task["task_id"] for task in tasks if task["success"] is None]
    ids = unfinished or [task["task_id"] for task in tasks if task["success"]]
    return [{"task_ids": ids}] if "task_ids" in parameters else [{"task_id": task_id} for task_id in ids]


def _summary(result: dict[str, Any]) -> str:
    lines = [f"{item.get('title', 'Untitled')}: {item.get('audio_url', 'no audio')}" for item in _items(result)]
    lines += [f"Saved {saved['path']}" for saved in result.get("files", [])]
    lines += [f"Not saved ({failed['kind']}): {failed['message']}" for failed in result.get("failed", [])]
    errors = [str(task["error"]) for task in result.get("tasks", [result]) if task.get("error")]
    return "\n".join(lines + errors) or "There is no result."
