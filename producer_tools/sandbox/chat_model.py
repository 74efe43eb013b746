"""A chat model without a mind, for first runs, examples and tests where there is no key to a real one."""

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

_LONGEST_PROMPT = 200
_TOOL_NAME = re.compile(r"producer_[a-z_]+")


class ScriptedChatModel(BaseChatModel):
    """Follows a script, and understands nothing: what a person says becomes the prompt of one song.

    It submits that song, then does to the letter what each result's ``next_step`` says, and ends by telling what
    came of it. Three words it knows at the beginning of what a person says: ``extend`` and ``cover`` are about the
    newest song of the conversation, ``compare`` lists what it was told of all of them. It stands in for a real model
    wherever what is shown or tested is the tools.
    """

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Remember what the tools are called and which arguments they take."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools", ())}
        message = _answer(messages, tools)
        message.response_metadata["model_name"] = "scripted: no model was asked"
        return ChatResult(generations=[ChatGeneration(message=message)])


def _answer(messages: list[BaseMessage], tools: dict[str, Any]) -> AIMessage:
    last = messages[-1]
    if isinstance(last, HumanMessage):
        return _begin(last.text, _songs(messages), tools)
    if not isinstance(last, ToolMessage) or last.status == "error":
        return AIMessage(f"That did not work. {last.text}")
    if '{"task' not in last.text:
        return AIMessage(last.text)  # another pack's tool
    result = _read(last)
    for name in _TOOL_NAME.findall(result.get("next_step", "")):
        if name in tools:
            return _calls(name, _arguments(result, tools[name]["parameters"]["properties"]))
    return AIMessage(_summary(result))


def _begin(words: str, songs: list[dict[str, Any]], tools: dict[str, Any]) -> AIMessage:
    """The first answer to what a person says."""
    first = next(iter(words.lower().split()), "")
    if first == "compare" and songs:
        told = [f"- {song.get('title', 'Untitled')}: {song.get('duration_seconds', 0):.1f} s" for song in songs]
        return AIMessage("\n".join(["No model has heard them. What was told of each:", *told]))
    if first == "extend" and songs:
        given = {"audio_id": songs[-1]["audio_id"], "continue_at": songs[-1].get("duration_seconds", 0)}
        return _calls("producer_extend_music", [given])
    if first == "cover" and songs:
        return _calls("producer_cover_music", [{"audio_id": songs[-1]["audio_id"], "prompt": words[:_LONGEST_PROMPT]}])
    if "producer_generate_music" in tools:
        return _calls("producer_generate_music", [{"prompt": words[:_LONGEST_PROMPT]}])
    return AIMessage("Keep it. This model understands nothing, so it likes everything.")


def _read(message: ToolMessage) -> dict[str, Any]:
    # Middleware may write a note before it, such as that a person has changed the call.
    result: dict[str, Any] = json.loads(message.text[message.text.find('{"task') :])
    return result


def _songs(messages: list[BaseMessage]) -> list[dict[str, Any]]:
    """The finished songs of the conversation, each once, oldest first."""
    done = [_read(message) for message in messages if isinstance(message, ToolMessage) and '"results"' in message.text]
    made = [item for result in done for item in _made(result)]
    return list({song["audio_id"]: song for song in made if "audio_id" in song}.values())


def _made(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What the tasks of a tool's result have made."""
    return [item for task in result.get("tasks", [result]) for item in task.get("results", [])]


def _calls(name: str, arguments: list[dict[str, Any]]) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"name": name, "args": given, "id": uuid4().hex, "type": "tool_call"} for given in arguments]
    )


def _arguments(result: dict[str, Any], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks a step is about, the unfinished or else the finished ones, in whichever form the tool takes them."""
    tasks = result.get("tasks", [result])
    unfinished = [task["task_id"] for task in tasks if task["success"] is None]
    ids = unfinished or [task["task_id"] for task in tasks if task["success"]]
    return [{"task_ids": ids}] if "task_ids" in parameters else [{"task_id": task_id} for task_id in ids]


def _summary(result: dict[str, Any]) -> str:
    lines = [f"{item.get('title', 'Untitled')}: {item.get('audio_url', 'no audio')}" for item in _made(result)]
    lines += [f"Saved {saved['path']}" for saved in result.get("files", [])]
    errors = [str(task["error"]) for task in result.get("tasks", [result]) if task.get("error")]
    return "\n".join(lines + errors) or "There is nothing to hand over."
