"""The one BaseTool that knows how a tool runs: sync and async, output and errors, and what a model may not set."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, cast

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg
from pydantic import BaseModel, Field, ValidationError, create_model, model_validator
from typing_extensions import Self

from producer_tools.bridge import run_sync
from producer_tools.client import ProducerClient
from producer_tools.ledger import StoreLedger, wish_key
from producer_tools.output import Output, task_output
from producer_tools.requests import Endpoint, PaidRequest

_APPLICATION_ONLY = frozenset({"callback_url", "async", "async_", "submission_key"})


def explain(error: ValidationError | Any) -> str:
    """Say which arguments are wrong and what they must be, so that a model can call again at once."""
    reasons = [
        f"{'.'.join(map(str, detail['loc'][:1])) or 'arguments'}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False, include_context=False)
        if detail["type"] != "none_required"  # the other half of "a number or nothing"
    ]
    return f"bad_request: {'; '.join(reasons)}. Nothing was sent. Correct the arguments and call again."


def without_forgeries(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A model's arguments without those that it cannot see, and so has made up, or was told to set."""
    return {name: value for name, value in arguments.items() if name not in _APPLICATION_ONLY}


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
        return super().invoke(self._checked(input), config, **kwargs)

    async def ainvoke(
        self, input: str | dict[str, Any] | ToolCall, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool: a dict of arguments is the application's, a ``ToolCall`` is a model's."""
        return await super().ainvoke(self._checked(input), config, **kwargs)

    @property
    def tool_call_schema(self) -> type[BaseModel]:
        """What a model sees of ``args_schema``: everything but what is injected."""
        return _visible(self._schema)

    def _run(self, **arguments: Any) -> Output:
        return run_sync(lambda: self._arun(**arguments))

    async def _arun(self, **arguments: Any) -> Output:
        return await self.answer(self._schema.model_validate(arguments))

    @property
    def _schema(self) -> type[BaseModel]:
        return cast("type[BaseModel]", self.args_schema)

    def _checked(self, given: str | dict[str, Any] | ToolCall) -> str | dict[str, Any] | ToolCall:
        """What was given, a bare string as the first argument that is required, a model's call without forgeries."""
        if isinstance(given, str):
            required = [name for name, field in self._schema.model_fields.items() if field.is_required()]
            return {required[0]: given} if required else given
        if given.get("type") != "tool_call":
            # By its name, for the older of the LangChain versions drop what comes by an alias.
            return {"async_" if name == "async" else name: value for name, value in given.items()}
        return cast("ToolCall", {**given, "args": without_forgeries(given["args"])})


@cache
def _visible(schema: type[BaseModel]) -> type[BaseModel]:
    """LangChain's own selection, which in its older versions makes optional arguments look required."""
    hidden = [name for name, field in schema.model_fields.items() if _is_injected(field.metadata)]
    shown: dict[str, Any] = {
        name: (field.annotation, field) for name, field in schema.model_fields.items() if name not in hidden
    }
    return create_model(schema.__name__, __doc__=schema.__doc__, **shown)


def _is_injected(metadata: list[Any]) -> bool:
    return any(mark is InjectedToolArg or isinstance(mark, InjectedToolArg) for mark in metadata)


class SubmittingTool(ProducerTool):
    """A tool that sends one paid request and hands over the task it made."""

    def request(self, arguments: dict[str, Any]) -> PaidRequest:
        """What a call with these arguments would send: to estimate its price, or to show it to a person.

        Raises:
            pydantic.ValidationError: they are not what the tool takes.
        """
        return cast("PaidRequest", self._schema.model_validate(arguments))

    async def answer(self, request: PaidRequest) -> Output:
        """Submit, once for each tool call of a graph, and show the task."""
        store = getattr(request.runtime, "store", None)
        config = getattr(request.runtime, "config", None) or {}
        key = request.submission_key or wish_key(config, getattr(request.runtime, "tool_call_id", None))
        task = await self.client.submit(request, key=key, ledger=StoreLedger(store) if store is not None else None)
        return task_output(task)
