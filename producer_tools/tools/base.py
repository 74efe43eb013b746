"""How every tool runs: sync and async, arguments, output, errors, and what a model may not set."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar, cast

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, InjectedToolCallId
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from producer_tools.client import ProducerClient
from producer_tools.concurrency.run_context import in_run
from producer_tools.concurrency.sync import run_sync
from producer_tools.errors import ConfigurationError, InvalidArgumentError, ProducerError
from producer_tools.payment.graph_keys import GraphKey, key_of_step, key_of_tool_call, store_of
from producer_tools.payment.ledger import Ledger
from producer_tools.requests import DELIVERY, PaidRequest, Request
from producer_tools.tasks.task import Task
from producer_tools.tools.cut_off import cut_off_error
from producer_tools.tools.output import Output, task_output
from producer_tools.tools.shown import is_injected, shown

RequestT = TypeVar("RequestT", bound=BaseModel)

_APPLICATION_ONLY = DELIVERY | {"async_", "submission_key"}


def explain(error: ValidationError | Any) -> str:
    """Say which arguments are wrong and what they must be, so that a model can correct the call."""
    return InvalidArgumentError.of(error).for_model()


def without_application_only(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A model's arguments without those that only the application may set. A model does not see them."""
    return {name: value for name, value in arguments.items() if name not in _APPLICATION_ONLY}


def request_of_model(schema: type[RequestT], arguments: Mapping[str, Any]) -> RequestT:
    """The request that a model's arguments make. What a person approves and what is sent are made by this function.

    Raises:
        pydantic.ValidationError: the tool does not take these arguments.
    """
    return schema.model_validate(without_application_only(arguments))


class ProducerTool(BaseTool):
    """A tool of this package.

    Subclasses set ``name``, ``description`` and ``args_schema``, and implement `answer`. A tool is paid if its
    ``args_schema`` is a `producer_tools.requests.PaidRequest`.

    Args:
        client: the client that the tool uses; default a client from the environment. Copies of a tool share it.
    """

    model_config = ConfigDict(extra="forbid")  # a misspelt setting would have no effect

    client: ProducerClient = Field(default_factory=ProducerClient, exclude=True, repr=False)
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = explain

    @model_validator(mode="after")
    def _add_metadata(self) -> Self:
        schema = self._schema
        endpoint = schema.endpoint if issubclass(schema, Request) else None
        self.metadata = {"paid": self.paid, "endpoint": endpoint, **(self.metadata or {})}
        return self

    @property
    def paid(self) -> bool:
        """Whether a call may cost money."""
        return issubclass(self._schema, Request) and self._schema.paid

    @abstractmethod
    async def answer(self, request: Any) -> Output:
        """Do the tool's work.

        Args:
            request: the validated arguments, an instance of ``args_schema``.
        """

    def invoke(
        self, input: str | dict[str, Any] | ToolCall, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool. A dict of arguments comes from the application, a ``ToolCall`` comes from a model."""
        return super().invoke(_without_forgery(input), config, **kwargs)

    async def ainvoke(
        self, input: str | dict[str, Any] | ToolCall, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool. A dict of arguments comes from the application, a ``ToolCall`` comes from a model."""
        return await super().ainvoke(_without_forgery(input), config, **kwargs)

    def run(self, tool_input: str | dict[str, Any], *args: Any, tool_call_id: str | None = None, **kwargs: Any) -> Any:
        """Run the tool, as `invoke` does. With a ``tool_call_id`` the arguments come from a model."""
        given = self._arguments(tool_input, by_model=tool_call_id is not None)
        return super().run(given, *args, tool_call_id=tool_call_id, **kwargs)

    async def arun(
        self, tool_input: str | dict[str, Any], *args: Any, tool_call_id: str | None = None, **kwargs: Any
    ) -> Any:
        """Run the tool, as `ainvoke` does. With a ``tool_call_id`` the arguments come from a model."""
        given = self._arguments(tool_input, by_model=tool_call_id is not None)
        return await super().arun(given, *args, tool_call_id=tool_call_id, **kwargs)

    @property
    def tool_call_schema(self) -> type[BaseModel]:
        """What a model sees of ``args_schema``: everything that is not injected."""
        return shown(self._schema)

    def _run(self, *, config: RunnableConfig, request: BaseModel | None = None) -> Output:
        return run_sync(lambda: self._arun(config=config, request=request))

    async def _arun(self, *, config: RunnableConfig, request: BaseModel | None = None) -> Output:
        # LangChain parses no input for a schema without fields.
        given = self._schema() if request is None else request
        return await in_run(ensure_config(config), lambda: self.answer(given))

    def _parse_input(self, tool_input: str | dict[str, Any], tool_call_id: str | None) -> dict[str, Any]:
        """The arguments of `_arun`: the validated request.

        LangChain would fill in the defaults. But a request that is sent again is recognised by what was asked, and a
        default may change in the meantime.
        """
        given = dict(cast("dict[str, Any]", tool_input))  # `_arguments` has made a dict of it
        if tool_call_id is not None:
            fields = self._schema.model_fields.items()
            given |= {name: tool_call_id for name, field in fields if is_injected(field, InjectedToolCallId)}
        return {"request": self._schema.model_validate(given)}

    def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
        """The arguments that callbacks are told. LangChain would inspect the schema's annotations in each call."""
        injected = self._schema.model_fields.keys() - self.tool_call_schema.model_fields.keys()
        return {name: value for name, value in tool_input.items() if name not in injected}

    @property
    def _schema(self) -> type[BaseModel]:
        return cast("type[BaseModel]", self.args_schema)

    def _arguments(self, given: str | dict[str, Any], *, by_model: bool) -> str | dict[str, Any]:
        """The input for LangChain. A model's call is cleaned.

        A plain string becomes the first argument that is required, or the first of all if none is.
        """
        if isinstance(given, str):
            required = [name for name, field in self._schema.model_fields.items() if field.is_required()]
            names = required or list(self.tool_call_schema.model_fields)
            return {names[0]: given} if names else given
        if by_model:
            return without_application_only(given)
        # By the field's name, since older versions of LangChain drop arguments given by an alias.
        return {"async_" if name == "async" else name: value for name, value in given.items()}


def _without_forgery(given: str | dict[str, Any] | ToolCall) -> str | dict[str, Any] | ToolCall:
    """The input of a tool, where a model's call is cleaned: it may have no id, by which `run` could recognise it."""
    if isinstance(given, str) or given.get("type") != "tool_call":
        return given
    return cast("ToolCall", {**given, "args": without_application_only(given["args"])})


class SubmittingTool(ProducerTool):
    """A tool that sends one paid request and returns the task that it made.

    Args:
        before_submit: awaited before each submit; what it raises keeps the request from being sent. If it raises a
            `ProducerError`, a request that was sent before still gets its task.

    Raises:
        ConfigurationError: its ``args_schema`` is not a `producer_tools.requests.PaidRequest`, so it would be paid for
            without an approval.
    """

    before_submit: Callable[[], Awaitable[None]] | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _check_is_paid(self) -> Self:
        if not self.paid:
            raise ConfigurationError("configuration", f"The args_schema of {self.name} must be a PaidRequest.")
        return self

    def _parse_input(self, tool_input: str | dict[str, Any], tool_call_id: str | None) -> dict[str, Any]:
        """The validated request. If the call was cut off, that is reported, and not the argument that it lacks."""
        try:
            return super()._parse_input(tool_input, tool_call_id)
        except ValidationError:
            if isinstance(tool_input, dict) and (cut_off := cut_off_error(tool_input.get("runtime"))):
                raise cut_off from None
            raise

    def request(self, arguments: Mapping[str, Any]) -> PaidRequest:
        """The request that a call with these arguments would send, for example to estimate its price.

        Raises:
            pydantic.ValidationError: the tool does not take these arguments.
        """
        return cast("PaidRequest", self._schema.model_validate(arguments))

    async def answer(self, request: PaidRequest) -> Output:
        """Submit the request, once for each tool call of a graph, or else for each submit of its step.

        A call that was cut off is not sent. If an earlier version has sent it, its task is returned.
        """
        runtime, config = request.runtime, ensure_config()
        refusal = cut_off_error(runtime) or await self._refusal()
        if request.submission_key:
            filed = GraphKey(request.submission_key)
        else:
            filed = key_of_step(config) if runtime is None else key_of_tool_call(runtime)
        ledger = self.client.graph_ledger(store_of(config) if runtime is None else getattr(runtime, "store", None))
        task = await self.submitted(request, filed, ledger, refusal)
        return task_output(replace(task, note=task.note or request.warning))

    async def submitted(
        self, request: Any, filed: GraphKey, ledger: Ledger | None, refusal: ProducerError | None
    ) -> Task:
        """The task of a request, which is sent unless it was sent before.

        Args:
            request: the validated arguments, an instance of ``args_schema``.
            filed: the idempotency key.
            ledger: where the request is written down; default the client's ledger.
            refusal: why it must not be sent; it is raised unless it was sent before.
        """
        return await self.client.submit(
            request, key=filed.key, ledger=ledger, former_keys=filed.former_keys, refusal=refusal
        )

    def facts(self, request: Any) -> Mapping[str, str]:  # noqa: ARG002 - of the arguments, subclasses know more
        """What a person should know before approving a call, besides its arguments and its price.

        Args:
            request: the validated arguments, an instance of ``args_schema``.

        Raises:
            InvalidArgumentError: the tool will refuse the call.
            ConfigurationError: the application has not set up the tool as it should be.
        """
        return {}

    async def _refusal(self) -> ProducerError | None:
        """Why the application does not want a request to be sent now."""
        try:
            if self.before_submit is not None:
                await self.before_submit()
        except ProducerError as error:
            return error
        return None
