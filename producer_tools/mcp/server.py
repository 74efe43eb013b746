"""An MCP server for LangChain tools: their answers and errors, progress, approvals, and a key for each paid call."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import anyio
from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp import types
from mcp.server.fastmcp import Context, FastMCP

from producer_tools.approval import describe
from producer_tools.http.tokens import api_token, bearer_token
from producer_tools.progress import Progress
from producer_tools.tools import ProducerDownloadResults
from producer_tools.tools.base import ProducerTool, SubmittingTool
from producer_tools.tools.output_schema import output_schema
from producer_tools.tools.reference import ReferenceTool

_BEAT_SECONDS = 5.0  # a host gives up a call of which it hears nothing for some time, usually a minute


def to_mcp(
    tools: Iterable[BaseTool], *, approve: bool = False, user_tokens: bool = False, **settings: Any
) -> FastMCP[str]:
    """An MCP server that offers these tools. ``to_mcp(tools).run("streamable-http")`` runs it.

    A paid call is filed in the client's ledger under its session and the id of its request, so a request that a host
    sends again is not paid for again.

    Args:
        tools: the tools of a `ProducerToolkit`, and other LangChain tools that need no graph.
        approve: whether a person must agree to each paid call. The host shows what the call would make and its
            estimated price. If a host cannot ask (it has no elicitation), each paid call is an error at no cost.
        user_tokens: whether each HTTP request brings the API token that pays for it in its header ``Authorization:
            Bearer``. Without it, the tokens of the tools' clients pay, and the header is ignored.
        settings: arguments of the SDK's ``FastMCP``, such as ``host`` and ``port``.
    """
    # The ids of requests start from 0 in each session, so each session gets a name that is unique in all processes.
    session = {"lifespan": lambda _: nullcontext(f"mcp {uuid4().hex}"), "log_level": "WARNING"}
    server = _Server("producer-tools", **{**session, **settings})
    server.tools, server.approve, server.user_tokens = {tool.name: tool for tool in tools}, approve, user_tokens
    return server


class _Server(FastMCP[str]):
    """Serves LangChain tools in place of the SDK's own, which are functions and make their schemas themselves."""

    tools: dict[str, BaseTool]
    approve: bool
    user_tokens: bool

    async def list_tools(self) -> list[types.Tool]:
        return [_described(tool) for tool in self.tools.values()]

    # The SDK turns an exception into an error with its text. It takes a whole result too, and then does not check it
    # against the schema: a check that fails would lose a task that was paid for.
    async def call_tool(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:  # type: ignore[override]
        context, tool = self.get_context(), self.tools.get(name)
        if tool is None:
            raise ToolException(f"unknown_tool: There is no tool {name!r}.")
        call = ToolCall(type="tool_call", name=name, args=arguments, id=json.dumps(context.request_context.request_id))
        # A session is what a thread is to LangGraph: what it has paid for is filed and listed as its own.
        config: RunnableConfig = {"configurable": {"thread_id": context.request_context.lifespan_context}}
        request = context.request_context.request
        token = bearer_token(request.headers.get("authorization", "") if request else "")
        with api_token(token) if self.user_tokens else nullcontext():
            if self.approve and isinstance(tool, SubmittingTool):
                await _ask(tool, call, context)
            async with _reporting(context) as report:
                if "runtime" in getattr(tool.args_schema, "model_fields", {}):  # not one that the host has made up
                    runtime = SimpleNamespace(config=config, tool_call_id=call["id"], stream_writer=report)
                    call["args"] = {**arguments, "runtime": runtime}
                message = await tool.ainvoke(call, config)
        if message.status == "error":
            raise ToolException(message.text)
        data = json.loads(message.text) if isinstance(tool, ProducerTool) else None
        return types.CallToolResult(content=[types.TextContent(type="text", text=message.text)], structuredContent=data)


def _described(tool: BaseTool) -> types.Tool:
    title = tool.name.removeprefix("producer_").replace("_", " ").capitalize()
    arguments = convert_to_openai_tool(tool)["function"]["parameters"]
    shown = types.Tool(name=tool.name, title=title, description=tool.description, inputSchema=arguments)
    if isinstance(tool, ProducerTool):
        shown.outputSchema = output_schema(tool)
        shown.annotations = types.ToolAnnotations(
            readOnlyHint=not (tool.paid or isinstance(tool, ProducerDownloadResults)),
            destructiveHint=tool.paid,  # money that is spent does not come back, so a host should ask first
            idempotentHint=not tool.paid,
            openWorldHint=not isinstance(tool, ReferenceTool),
        )
    return shown


async def _ask(tool: SubmittingTool, call: ToolCall, context: Context[Any, str]) -> None:
    """Raise a `ToolException` unless a person agrees to pay."""
    if not context.session.check_client_capability(types.ClientCapabilities(elicitation=types.ElicitationCapability())):
        raise ToolException("cannot_ask: A person must agree to pay, and this host cannot ask one. Nothing was sent.")
    # It may read a file. A call that is cancelled does not wait for that, as it would with `in_thread`.
    description = await asyncio.to_thread(describe, tool, call)
    answer = await context.session.elicit(description, {"type": "object", "properties": {}}, context.request_id)
    if answer.action != "accept":
        raise ToolException("not_approved: The user did not agree to pay. Nothing was sent. Do not call it again.")


@asynccontextmanager
async def _reporting(context: Context[Any, str]) -> AsyncIterator[Callable[[Progress], None]]:
    """Report progress to the host during the block, if it has asked for that: the seconds so far, and what changed."""
    news: asyncio.Queue[Progress] = asyncio.Queue()

    async def report() -> None:
        began, message = time.monotonic(), None
        while True:
            with anyio.move_on_after(_BEAT_SECONDS):
                change = await news.get()
                message = f"{change['task_id']}: {change['state']}"
            await context.report_progress(time.monotonic() - began, message=message)

    reporting = asyncio.create_task(report())
    try:
        yield news.put_nowait
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)  # a host that is gone is not an error of the call
