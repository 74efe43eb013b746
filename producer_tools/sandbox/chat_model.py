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
    came of it. It stands in for a real model wherever what is shown or tested is the tools.
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
        message = _answer(messages[-1], tools)
        message.response_metadata["model_name"] = "scripted: no model was asked"
        return ChatResult(generations=[ChatGeneration(message=message)])


def _answer(last: BaseMessage, tools: dict[str, Any]) -> AIMessage:
    if isinstance(last, HumanMessage) and "producer_generate_music" not in tools:
        return AIMessage("Keep it. This model understands nothing, so it likes everything.")
    if isinstance(last, HumanMessage):
        return _calls("producer_generate_music", [{"prompt": last.text[:_LONGEST_PROMPT]}])
    if not isinstance(last, ToolMessage) or last.status == "error":
        return AIMessage(f"That did not work. {last.text}")
    # Middleware may write a note before it, such as that a person has changed the call.
    result = json.loads(last.text[last.text.find('{"task') :])
    for name in _TOOL_NAME.findall(result.get("next_step", "")):
        if name in tools:
            return _calls(name, _arguments(result, tools[name]["parameters"]["properties"]))
    return AIMessage(_summary(result))


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
    made = [item for task in result.get("tasks", [result]) for item in task.get("results", [])]
    lines = [f"{item.get('title', 'Untitled')}: {item.get('audio_url', 'no audio')}" for item in made]
    lines += [f"Saved {saved['path']}" for saved in result.get("files", [])]
    errors = [str(task["error"]) for task in result.get("tasks", [result]) if task.get("error")]
    return "\n".join(lines + errors) or "There is nothing to hand over."
