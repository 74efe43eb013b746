"""Shows the model of an agent only the tools that it can use by now. Needs the extra ``agent``."""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from producer_tools.errors.missing_extra import needing_extra
from producer_tools.tools.base import ProducerTool

with needing_extra("agent", "producer_tools.langgraph.usable_tools"):
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

_ID_OF = {"audio_id": "audio_id", "task_id": "task_id", "task_ids": "task_id"}
"""Which id an argument takes."""

# A word such as the service's ids: of letters, digits, hyphens and underscores, with a digit in it. A date or a link
# looks like one too. Then tools are shown that cannot be used yet, as without this middleware. The search for the digit
# has an end, or a long row of hyphens would take seconds.
_LIKE_AN_ID = re.compile(r"\b(?=[A-Za-z_-]{0,40}\d)[\w-]{8,}")


class UsableToolsMiddleware(AgentMiddleware[Any, Any, Any]):
    """Shows the model of ``create_agent`` a tool that takes a task_id or an audio_id only once there is such an id.

    A conversation about a new song then starts with 7 tools in place of 20, so the model reads less and has fewer tools
    to choose from. The system message names the others, so that the model knows what it can offer. An id may come from
    the result of any tool, from the user, or from the system prompt. Tools of other packages are always shown.

    With a provider that caches the beginning of a prompt, the model reads everything anew whenever the tools change, so
    this may cost more there than it saves.
    """

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model with the tools that it can use."""
        return handler(_with_usable_tools(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Call the model with the tools that it can use."""
        return await handler(_with_usable_tools(request))


def _with_usable_tools(request: ModelRequest[Any]) -> ModelRequest[Any]:
    said = [request.system_message, *request.messages] if request.system_message else request.messages
    ours = [tool for tool in request.tools if isinstance(tool, ProducerTool)]
    missing = {"task_id", "audio_id"} - _ids_in(said, {tool.name for tool in ours})
    wanted = str(request.tool_choice)  # a provider refuses a call that must use a tool that it is not shown
    hidden = [tool.name for tool in ours if _ids_for(tool) & missing and tool.name not in wanted]
    if not hidden:
        return request
    shown = [tool for tool in request.tools if not (isinstance(tool, ProducerTool) and tool.name in hidden)]
    return request.override(tools=shown, system_message=_naming(hidden, request.system_message))


def _ids_for(tool: ProducerTool) -> set[str]:
    """The ids without which a tool cannot be called."""
    arguments = tool.tool_call_schema.model_fields
    return {_ID_OF[name] for name, field in arguments.items() if name in _ID_OF and field.is_required()}


def _ids_in(messages: Sequence[BaseMessage], ours: Collection[str]) -> set[str]:
    """Which ids the conversation has. Only the results of our tools say of which kind an id is.

    Args:
        messages: the conversation.
        ours: the names of our tools.
    """
    found: set[str] = set()
    for message in messages:
        text = _text(message)
        if _LIKE_AN_ID.search(text):
            says_kind = isinstance(message, ToolMessage) and message.name in ours
            found.update(each for each in ("task_id", "audio_id") if each in text or not says_kind)
    return found


def _text(message: BaseMessage) -> str:
    """What a message says, with the arguments of its tool calls: the result of a call may have been cleared."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return " ".join([message.text, *(str(call["args"]) for call in calls)])


def _naming(hidden: Sequence[str], system: SystemMessage | None) -> SystemMessage:
    """The system message, with the names of the tools that are not shown yet."""
    text = f"You get more tools once there is a song, or the user gives a task_id or audio_id: {', '.join(hidden)}."
    if system is None:
        return SystemMessage(text)
    given = system.content
    content = f"{given}\n\n{text}" if isinstance(given, str) else [*given, {"type": "text", "text": f"\n\n{text}"}]
    return system.model_copy(update={"content": content})
