"""The one BaseTool that knows how a tool runs: sync and async, output and errors, and what a model may not set."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, cast

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, ValidationError, model_validator
from typing_extensions import Self

from producer_tools.bridge import run_sync
from producer_tools.client import ProducerClient
from producer_tools.output import Output, task_output
from producer_tools.requests import Endpoint, Request

_APPLICATION_ONLY = frozenset({"callback_url", "async", "async_"})


def explain(error: ValidationError | Any) -> str:
    """Say which arguments are wrong and what they must be, so that a model can call again at once."""
    reasons = [
        f"{'.'.join(map(str, detail['loc'][:1])) or 'arguments'}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False, include_context=False)
        if detail["type"] != "none_required"  # the other half of "a number or nothing"
    ]
    return f"bad_request: {'; '.join(reasons)}. Nothing was sent. Correct the arguments and call again."


class ProducerTool(BaseTool):
    """A tool of this pack.

    Subclasses set ``name``, ``description`` and ``args_schema``, and say in `answer` what a call does.

    Args:
        client: what the tool talks through; default a client from the environment. Copies of a tool share it.
    """

    client: ProducerClient = Field(default_factory=ProducerClient, exclude=True, repr=False)
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = explain

    endpoint: ClassVar[Endpoint | None] = None

    @model_validator(mode="after")
    def _tell_in_metadata(self) -> Self:
        endpoint = self.endpoint
        facts = {"paid": bool(endpoint and endpoint.paid), "endpoint": endpoint.path if endpoint else None}
        self.metadata = {**facts, **(self.metadata or {})}
        return self

    @abstractmethod
    async def answer(self, request: Any) -> Output:
        """Do what the tool is for.

        Args:
            request: the checked arguments, an instance of ``args_schema``.
        """

    def invoke(
        self, input: str | dict[str, Any] | ToolCall, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool: a dict of arguments is the application's, a ``ToolCall`` is a model's."""
        return super().invoke(_without_forgeries(input), config, **kwargs)

    async def ainvoke(
        self, input: str | dict[str, Any] | ToolCall, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool: a dict of arguments is the application's, a ``ToolCall`` is a model's."""
        return await super().ainvoke(_without_forgeries(input), config, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Output:
        return run_sync(lambda: self._arun(*args, **kwargs))

    async def _arun(self, *args: Any, **kwargs: Any) -> Output:
        schema = cast("type[BaseModel]", self.args_schema)
        # LangChain hands a bare string over by position: it is the first argument.
        given = dict(zip(schema.model_fields, args, strict=False)) | kwargs
        return await self.answer(schema.model_validate(given))


class SubmittingTool(ProducerTool):
    """A tool that sends one paid request and hands over the task it made."""

    async def answer(self, request: Request) -> Output:
        """Submit, and show the task."""
        return task_output(await self.client.submit(request))


def _without_forgeries(call: str | dict[str, Any] | ToolCall) -> str | dict[str, Any] | ToolCall:
    """A model's call without the delivery arguments: it cannot see them, so it has made them up or was told to."""
    if not isinstance(call, dict) or call.get("type") != "tool_call":
        return call
    arguments = {name: value for name, value in call["args"].items() if name not in _APPLICATION_ONLY}
    return cast("ToolCall", {**call, "args": arguments})
