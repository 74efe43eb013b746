"""What an MCP host reads of a tool: its arguments, its output, and hints by which it decides when to ask its user."""

from typing import Any, get_args, get_type_hints

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp import types

from producer_tools import tools
from producer_tools.tasks.results import RESULT_KEYS, Result
from producer_tools.tasks.task import State
from producer_tools.tools.reference import ReferenceTool


def described(tool: BaseTool) -> types.Tool:
    """The tool as it stands in the list that a host reads."""
    title = tool.name.removeprefix("producer_").replace("_", " ").capitalize()
    arguments = convert_to_openai_tool(tool)["function"]["parameters"]
    shown = types.Tool(name=tool.name, title=title, description=tool.description, inputSchema=arguments)
    if isinstance(tool, tools.ProducerTool):
        shown.outputSchema = _output(tool)
        shown.annotations = types.ToolAnnotations(
            readOnlyHint=not (tool.paid or isinstance(tool, tools.ProducerDownloadResults)),
            destructiveHint=tool.paid,  # money that is spent does not come back, so a host should ask first
            idempotentHint=not tool.paid,
            openWorldHint=not isinstance(tool, ReferenceTool),
        )
    return shown


def _output(tool: tools.ProducerTool) -> dict[str, Any] | None:
    if isinstance(tool, ReferenceTool):
        return _object(dict.fromkeys(tool.page, {}), *tool.page)
    if isinstance(tool, tools.ProducerWaitForTasks | tools.ProducerGetTasksBatch):
        return {**_BATCH, **_DEFINITIONS}
    if isinstance(tool, tools.ProducerDownloadResults):
        return _DOWNLOADS
    return {**_TASK, **_DEFINITIONS} if tool.paid or isinstance(tool, tools.ProducerGetTask) else None


def _object(keys: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "required": list(required)}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_TEXT, _NUMBER, _ID = {"type": "string"}, {"type": "number"}, {"type": ["string", "null"]}
_KEYS = {key.name: _NUMBER if get_type_hints(Result)[key.name] is float else _TEXT for key in RESULT_KEYS}
_DEFINITIONS = {"$defs": {"result": _object({key.name: _KEYS[key.name] for key in RESULT_KEYS if key.shown != "never"})}}
_RESULTS = _list({"$ref": "#/$defs/result"})
_ERROR = _object({"code": _TEXT, "message": _TEXT, "trace_id": _ID}, "code", "message")
_STATE = {"task_id": _ID, "state": {"enum": list(get_args(State))}, "success": {"type": ["boolean", "null"]}}
_MORE = {"preview_urls": _list(_TEXT), "progress": _NUMBER, "note": _TEXT, "error": _ERROR, "partial_results": _RESULTS}
_TASK = _object({**_STATE, "results": _RESULTS, **_MORE, "next_step": _TEXT}, *_STATE, "results")
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_BATCH_KEYS = {"tasks": _list(_TASK), "counts": _COUNTS, "not_found": _list(_TEXT), "next_step": _TEXT}
_BATCH = _object(_BATCH_KEYS, *_BATCH_KEYS)
_FILE = _object({"kind": _TEXT, "path": _TEXT, "bytes": _NUMBER}, "kind", "path", "bytes")
_SAVED = {**_STATE, "files": _list(_FILE), "next_step": _TEXT}
_DOWNLOADS = _object({**_SAVED, "failed": _list(_ERROR), "error": _ERROR}, *_SAVED)
