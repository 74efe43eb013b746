"""What a model sees of a tool's arguments: a JSON schema that every provider takes, also in its strict mode."""

from functools import cache
from typing import Any, get_args

from langchain_core.tools import InjectedToolArg
from pydantic import BaseModel, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema

from producer_tools.requests import Model

_LIMITS = {
    "minLength": "min {} characters",
    "maxLength": "max {} characters",
    "minItems": "min {} items",
    "maxItems": "max {} items",
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
_NOT_SHOWN = frozenset({"title", "description", "default", *_LIMITS})
"""Keywords that are left out; limits are put into words. Strict modes refuse defaults, lengths (OpenAI's) and ranges
(Anthropic's)."""

_NOT_EMPTY = ("minLength", "minItems")
_NULL = {"type": "null"}


def is_injected(field: FieldInfo, kind: type[InjectedToolArg] = InjectedToolArg) -> bool:
    """Whether a model must not give an argument: it is annotated with ``kind``, the class or an instance of it.

    Args:
        field: the argument.
        kind: what fills it in; default anything.
    """
    return any(issubclass(mark, kind) if isinstance(mark, type) else isinstance(mark, kind) for mark in field.metadata)


@cache
def shown(schema: type[BaseModel]) -> type[BaseModel]:
    """A tool's arguments as a model sees them.

    Arguments that only the application sets are left out. An optional argument may be null, because a strict mode makes
    all arguments required; one that is false by default needs no null. Limits stand in the descriptions, because some
    providers drop the keywords for them and others refuse them. The models' names stand there too: eight tools would
    repeat them as an enum, with each turn.

    Args:
        schema: the ``args_schema`` of a tool.
    """
    fields: dict[str, Any] = {
        name: (_shown_type(field), field) for name, field in schema.model_fields.items() if not is_injected(field)
    }
    return create_model(schema.__name__, __doc__=schema.__doc__, __base__=_Shown, **fields)


class _Shown(BaseModel):
    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        arguments = schema.get("properties", {})
        return {**schema, "properties": {name: _shown_argument(argument) for name, argument in arguments.items()}}


def _shown_argument(argument: JsonSchemaValue) -> JsonSchemaValue:
    branches = argument.get("anyOf", [argument])
    kinds = [branch for branch in branches if branch != _NULL]
    description = " ".join(filter(None, [argument.get("description"), *map(limits, kinds)]))
    described = {"description": description} if description else {}
    return {**_choice([_without_keywords(kind) for kind in kinds], or_null=_NULL in branches), **described}


def _without_keywords(kind: JsonSchemaValue) -> JsonSchemaValue:
    rest = {name: value for name, value in kind.items() if name not in _NOT_SHOWN}
    return {**rest, "items": _without_keywords(rest["items"])} if "items" in rest else rest


def _choice(kinds: list[JsonSchemaValue], *, or_null: bool) -> JsonSchemaValue:
    """An argument of one of these kinds, or also null, in the shortest form that providers take.

    The short form is for texts only. Google's converter turns other types in a list into texts, and Anthropic refuses
    an enum beside a list. Ollama's client drops ``anyOf``, so its models learn only from the description what such an
    argument is.
    """
    if or_null and kinds == [{"type": "string"}]:
        return {"type": ["string", "null"]}
    choices = [*kinds, _NULL] if or_null else kinds
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def limits(argument: JsonSchemaValue) -> str:
    """The limits of an argument in words. That a required text or list must not be empty is not mentioned.

    Args:
        argument: its JSON schema.
    """
    given = {name: _number(argument[name]) for name in _LIMITS if name in argument}
    if given.keys() == {"minimum"}:
        words = f"{given['minimum']} or more"
    elif given.keys() == {"minimum", "maximum"}:
        words = f"{given['minimum']} to {given['maximum']}"
    else:
        words = ", ".join(
            _LIMITS[name].format(number)
            for name, number in given.items()
            if name not in _NOT_EMPTY or number not in ("0", "1")
        )
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _number(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _shown_type(field: FieldInfo) -> Any:
    kind: Any = str if get_args(field.annotation) == get_args(Model) else field.annotation
    return kind if field.is_required() or field.default is False else kind | None
