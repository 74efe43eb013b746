# noqa: INP001 - griffe loads this file by its path
"""A griffe extension for the API reference: says of each tool what a model reads, and of each request what it takes.

Both are known only at run time: descriptions are put together from constants, and limits are in the JSON schema.
"""

import json
from typing import Any

import griffe

from producer_tools import ProducerListPaidTasks, ProducerTool, ProducerToolkit


def _path(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


_ALL_TOOLS = [*ProducerToolkit().get_tools(), ProducerListPaidTasks()]
_TOOLS: dict[str, Any] = {_path(type(tool)): tool for tool in _ALL_TOOLS}
_MODELS = {_path(ProducerToolkit), _path(ProducerTool)}
_TOOL_OF_REQUEST = {_path(tool.args_schema): tool for tool in _TOOLS.values() if tool.metadata["paid"]}


class Models(griffe.Extension):
    """Replaces the members of tools and requests, which are configuration, by a docstring for readers."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Write the docstring of a tool or a request."""
        summary = cls.docstring.value if cls.docstring else ""
        if cls.path in _TOOLS:
            cls.docstring = griffe.Docstring(f"{summary}\n\n{_tool(_TOOLS[cls.path])}", parent=cls)
        elif cls.path in _TOOL_OF_REQUEST:
            cls.docstring = griffe.Docstring(f"{summary}\n\n{_arguments(_TOOL_OF_REQUEST[cls.path])}", parent=cls)
        elif cls.path in _MODELS and cls.docstring:
            # The fields of a pydantic model are its constructor's arguments, which griffe does not know.
            cls.docstring.value = cls.docstring.value.replace("Args:", "Attributes:")
            return
        else:
            return
        cls.members.clear()


def _tool(tool: Any) -> str:
    """The tool's name, and its description as a quotation."""
    schema = tool.args_schema
    takes = f"Arguments: [`{schema.__name__}`][{_path(schema)}]." if _path(schema) in _TOOL_OF_REQUEST else ""
    paid = "Paid." if tool.metadata["paid"] else "Costs nothing."
    return f"`{tool.name}`. {paid} {takes}\n\n> {_plain(tool.description)}\n\n{_arguments(tool) if not takes else ''}"


def _arguments(tool: Any) -> str:
    """A table of the arguments that a model may give."""
    # The schema that a call is checked against. The one that a model reads has neither defaults nor limits as keywords.
    schema = tool.args_schema.model_json_schema()
    required = set(schema.get("required", ()))
    fields = {name: schema["properties"][name] for name in tool.args}
    rows = [
        f"| `{name}` | {_type(field)} | {'required' if name in required else _default(field)} "
        f"| {_plain(field.get('description', ''))} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| argument | type | default | description |", "|---|---|---|---|", *rows]) if rows else ""


def _default(field: dict[str, Any]) -> str:
    return f"`{json.dumps(field['default'])}`" if field.get("default") not in (None, "") else ""


def _plain(text: str) -> str:
    """Text that Markdown takes for links: the markers of lyrics, such as [Verse]."""
    return text.replace("[", r"\[")


def _type(field: dict[str, Any]) -> str:
    """The type in a JSON schema, with its limits. That an optional argument may be null is not said."""
    kind = next(branch for branch in field.get("anyOf", [field]) if branch["type"] != "null")
    least, most = kind.get("minimum"), kind.get("maximum")
    if least is not None:
        return f"{kind['type']} from {least}" if most is None else f"{kind['type']} from {least} to {most}"
    if "exclusiveMinimum" in kind:
        return f"{kind['type']} above {kind['exclusiveMinimum']}, at most {most}"
    if "maxLength" in kind:
        return f"{kind['type']} of at most {kind['maxLength']} characters"
    return str(kind["type"])
