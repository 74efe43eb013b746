"""The error for arguments that are not valid, in place of pydantic's, which names internal classes."""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.tools import InjectedToolArg
from pydantic import BaseModel, ValidationError

from producer_tools.errors.base import ProducerToolError


class InvalidArgumentError(ProducerToolError, ValueError):
    """An argument is not valid. Nothing was sent.

    Args:
        problems: what is wrong with each argument, by its name.

    Attributes:
        problems: the same.
    """

    advice = "Nothing was sent."
    advice_to_model = (
        "Nothing was sent. Correct the arguments and call again; if they are refused again, tell the user."
    )

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("bad_request", "; ".join(f"{name}: {problem}" for name, problem in problems.items()))

    @classmethod
    def of(cls, error: ValidationError | Any, expected: Iterable[str] = ()) -> "InvalidArgumentError":
        """The error for one of pydantic's.

        Args:
            error: pydantic's error.
            expected: the names of all arguments, which the error lists if an unknown one was given.
        """
        problems: dict[str, str] = {}
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            if detail["type"] == "none_required":
                continue  # pydantic's second complaint about an argument that may be a number or null
            name = str(detail["loc"][0]) if detail["loc"] else "arguments"
            problem = detail["msg"].removeprefix("Value error, ")
            if detail["type"] == "extra_forbidden" and expected:
                problem = f"There is no such argument. The arguments are {', '.join(expected)}"
            if problem not in (before := problems.get(name, "")):
                problems[name] = f"{before}; {problem}" if before else problem
        return cls(problems)


class CheckedModel(BaseModel):
    """A model whose constructor raises `InvalidArgumentError` in place of pydantic's error.

    `model_validate` raises pydantic's, as LangChain expects.
    """

    def __init__(self, /, **arguments: Any) -> None:
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            fields = type(self).model_fields.items()
            expected = [name for name, field in fields if InjectedToolArg not in field.metadata]
            refused = InvalidArgumentError.of(error, expected)
        else:
            return
        arguments.clear()  # a traceback shows this frame's variables, and a token may be among them by mistake
        raise refused  # outside of the block above, so that pydantic's error, which quotes them, is not its context

    # With this mark pydantic's `model_validate` does not call the constructor, so its errors keep the arguments' names.
    vars(__init__)["__pydantic_base_init__"] = True
