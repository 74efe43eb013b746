"""Configures LangChain's ``HumanInTheLoopMiddleware`` so that a person is asked before money is spent."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from producer_tools.client import ProducerClient
from producer_tools.errors import ConfigurationError, InvalidArgumentError
from producer_tools.requests import DELIVERY, PaidRequest
from producer_tools.tools.base import SubmittingTool, request_of_model
from producer_tools.tools.cut_off import reason_of_call
from producer_tools.tools.shown import is_injected

DECISIONS = ("approve", "edit", "reject")
"""What a person may decide about a paid call."""


def interrupt_on(tools: Iterable[BaseTool]) -> dict[str, Any]:
    """Let a person approve, edit or reject each paid call, and no other.

    Args:
        tools: the agent's tools. Free tools, and tools of other packs, are ignored.

    Returns:
        What ``HumanInTheLoopMiddleware(interrupt_on=...)`` takes.
    """
    return {
        tool.name: {"allowed_decisions": list(DECISIONS), "description": _description(tool)}
        for tool in tools
        if isinstance(tool, SubmittingTool)
    }


def describe(tool: SubmittingTool, call: ToolCall) -> str:
    """What a person reads before deciding: what would be made, with which model, and about how much it costs.

    If a file would be uploaded, it is read now: its type, its size and the beginning of its SHA-256 are shown. The key
    of the upload in the ledger has the whole hash of what was sent, so a change after the approval can be found there.
    An event loop that calls this waits while the file is read.

    Args:
        tool: a paid tool.
        call: what a model wants to call it with.

    Raises:
        ConfigurationError: the tool's folder for uploads is gone, or cannot be read.
    """
    schema = cast("type[PaidRequest]", tool.args_schema)
    return describe_call(tool.name, schema, call["args"], tool.client, tool.facts)


def describe_call(
    name: str,
    schema: type[PaidRequest],
    arguments: Mapping[str, Any],
    client: ProducerClient,
    facts: Callable[[Any], Mapping[str, str]] = lambda _: {},
) -> str:
    """`describe` for a tool that is known by its name and its ``args_schema``, with the prices of a client.

    Args:
        name: the tool's name.
        schema: its arguments.
        arguments: what a model wants to call it with.
        client: whose prices are shown.
        facts: what else a person should know of the request. It may raise `InvalidArgumentError`.
    """
    try:
        request = request_of_model(schema, arguments)
        more = facts(request)
    except InvalidArgumentError as error:
        return f"{name} will refuse this call, at no cost: {_one_line(error.message)}"
    except ValidationError as error:
        if _lacks_only_what_is_filled_in(schema, error):
            return f"{name}: its price cannot be estimated before LangGraph fills in the rest of {dict(arguments)}"
        return f"{name} with arguments that it will refuse, at no cost: {dict(arguments)}"
    asked = {field: value for field, value in request.body().items() if field not in DELIVERY and value != ""}
    shown = {**asked, **more, **({"warning": request.warning} if request.warning else {})}
    lines = (f"{field}: {_one_line(value)}" for field, value in shown.items())
    return "\n".join([f"{name}: {_price(request, client)}", *lines])


def _lacks_only_what_is_filled_in(schema: type[PaidRequest], error: ValidationError) -> bool:
    """Whether the call may be valid when it runs: LangGraph then fills in arguments, such as the graph's state."""
    filled_in = {name for name, field in schema.model_fields.items() if is_injected(field)}
    return all(each["type"] == "missing" and each["loc"][0] in filled_in for each in error.errors())


def _price(request: PaidRequest, client: ProducerClient) -> str:
    try:
        price = client.price(request)
    except ConfigurationError as error:
        return f"its price cannot be estimated. {_one_line(error.message)}"
    return f"about {price.usd:.3f} US dollars, estimated by {_one_line(price.source)}"


def _one_line(value: Any) -> str:
    """The value with line breaks and invisible characters escaped, so that no argument can imitate another line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def _description(tool: SubmittingTool) -> Callable[[ToolCall, Any, Any], str]:
    def description(call: ToolCall, state: Any, runtime: Any) -> str:  # noqa: ARG001 - LangChain's signature
        cut_off_by = reason_of_call(call.get("id"), state)
        if cut_off_by:
            return (
                f"{tool.name} will refuse this call, at no cost, also if you edit it: it was cut off by {cut_off_by}."
            )
        return describe(tool, call)

    return description
