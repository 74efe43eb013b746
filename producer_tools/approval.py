"""Asking a person before money is spent: what LangChain's ``HumanInTheLoopMiddleware`` needs to know of the tools."""

from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from producer_tools.prices import estimate
from producer_tools.tools.base import SubmittingTool

_DELIVERY = frozenset({"async", "callback_url"})


def interrupt_on(tools: Iterable[BaseTool]) -> dict[str, Any]:
    """Have a person approve, edit or reject each paid call, and no other.

    Args:
        tools: the agent's tools; those that are not this pack's, or cost nothing, are passed over.

    Returns:
        What ``HumanInTheLoopMiddleware(interrupt_on=...)`` takes.
    """
    return {
        tool.name: {"allowed_decisions": ["approve", "edit", "reject"], "description": _describing(tool)}
        for tool in tools
        if isinstance(tool, SubmittingTool)
    }


def describe(tool: SubmittingTool, call: ToolCall) -> str:
    """What a person reads before deciding: what would be made, with which model, for about how much."""
    try:
        request = tool.request(call["args"])
    except ValidationError:
        return f"{tool.name} with arguments that it will refuse, at no cost: {call['args']}"
    about = f"{tool.name}: about {estimate(request):.3f} US dollars by the last published price"
    asked = {name: value for name, value in request.body().items() if name not in _DELIVERY and value != ""}
    return "\n".join([about, *(f"{name}: {value}" for name, value in asked.items())])


def _describing(tool: SubmittingTool) -> Callable[[ToolCall, Any, Any], str]:
    def description(call: ToolCall, state: Any, runtime: Any) -> str:  # noqa: ARG001 - LangChain's signature
        return describe(tool, call)

    return description
