"""What all requests share: validation before anything is sent, and the JSON body that goes to the service."""

from collections.abc import Mapping
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, ClassVar

from langchain_core.tools import InjectedToolArg
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from producer_tools.errors.invalid_argument import CheckedModel
from producer_tools.requests.fields import Text

AUDIOS = "/producer/audios"
LYRICS = "/producer/lyrics"
UPLOAD = "/producer/upload"
VIDEOS = "/producer/videos"
WAV = "/producer/wav"
TASKS = "/producer/tasks"

# LangGraph fills this in when a tool runs in a graph. The serializer avoids copying the graph's state with each dump.
Runtime = Annotated[Any, InjectedToolArg, PlainSerializer(lambda _: None)]

_NEVER_SENT = frozenset({"submission_key", "runtime"})


class Request(CheckedModel):
    """One call to the API. The fields are validated before anything is sent.

    Attributes:
        endpoint: the path below the base URL.
        paid: whether the call may cost money. This is the one place that says so; an endpoint that is not known to
            be free counts as paid.

    Raises:
        InvalidArgumentError: an argument is not valid. `model_validate` raises pydantic's error, as LangChain expects.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True, coerce_numbers_to_str=True, frozen=True)

    endpoint: ClassVar[str]
    paid: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, given: Any) -> Any:
        """A null counts as left out: in a strict mode, a model has to name every argument."""
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Let the signature lead with what a person passes: a notebook or a shell shows its beginning."""

        def place(parameter: Parameter) -> tuple[int, bool]:
            field = cls.model_fields.get(parameter.name)
            is_injected = field is not None and InjectedToolArg in field.metadata
            # The constructor of a subclass may take arguments by position, which stay where they are, or any others.
            return parameter.kind, parameter.kind is Parameter.KEYWORD_ONLY and is_injected

        cls.__signature__ = Signature(sorted(signature(cls).parameters.values(), key=place))

    def body(self) -> dict[str, Any]:
        """The JSON body: every field that has a value; nulls and empty strings are left out."""
        fields = self.model_dump(by_alias=True, exclude_none=True)
        return {name: value for name, value in fields.items() if value != "" and name not in _NEVER_SENT}


class PaidRequest(Request):
    """A call that costs money.

    Attributes:
        submission_key: the application's idempotency key: the same key is never paid for twice. Without one, a tool
            that runs in a graph uses the ids of its tool call and message, or else the step that calls it.
        runtime: LangGraph's runtime, filled in when the tool runs in a graph.
        not_asked: the arguments that do not change what is made. They are not part of the request's fingerprint.
    """

    paid = True
    not_asked: ClassVar[frozenset[str]] = frozenset()

    # Arguments of a tool, not of a request that a person makes: ``init=False`` only keeps them out of what an editor
    # shows first.
    submission_key: Annotated[Text | None, InjectedToolArg] = Field(default=None, init=False)
    runtime: Runtime = Field(default=None, init=False)

    @property
    def warning(self) -> str | None:
        """Why the call may fail although its arguments are valid; ``None`` if nothing is known."""
        return None


class NoArguments(BaseModel):
    """The schema of a tool without arguments."""

    model_config = ConfigDict(extra="forbid")
