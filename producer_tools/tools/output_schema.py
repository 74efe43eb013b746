"""The JSON Schema of each tool's content, for programs that read it."""

from typing import Any, get_args, get_type_hints

from producer_tools.tasks.results import RESULT_KEYS, Result
from producer_tools.tasks.task import State
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.files import ProducerDownloadResults
from producer_tools.tools.reference import ReferenceTool
from producer_tools.tools.tasks import ProducerGetTask, ProducerGetTasksBatch, ProducerWaitForTasks


def output_schema(tool: ProducerTool) -> dict[str, Any] | None:
    """The schema of a tool's content; ``None`` if it is not known."""
    if isinstance(tool, ReferenceTool):
        return _object({key: {} for key in tool.page}, *tool.page)
    if isinstance(tool, ProducerWaitForTasks | ProducerGetTasksBatch):
        return {**_BATCH, **_DEFINITIONS}
    if isinstance(tool, ProducerDownloadResults):
        return _DOWNLOADS
    return {**_TASK, **_DEFINITIONS} if tool.paid or isinstance(tool, ProducerGetTask) else None


def _object(keys: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "required": list(required)}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_TEXT, _NUMBER, _ID = {"type": "string"}, {"type": "number"}, {"type": ["string", "null"]}
_SHOWN = [key.name for key in RESULT_KEYS if key.shown != "never"]
_RESULT = _object({name: _NUMBER if get_type_hints(Result)[name] is float else _TEXT for name in _SHOWN})
_DEFINITIONS = {"$defs": {"result": _RESULT}}
_RESULTS = _list({"$ref": "#/$defs/result"})
_ERROR = _object({"code": _TEXT, "message": _TEXT, "trace_id": _ID}, "code", "message")
_STATE = {"task_id": _ID, "state": {"enum": list(get_args(State))}, "success": {"type": ["boolean", "null"]}}
_MORE = {
    "links_until": _TEXT,
    "preview_urls": _list(_TEXT),
    "progress": _NUMBER,
    "note": _TEXT,
    "error": _ERROR,
    "partial_results": _RESULTS,
}
_TASK = _object({**_STATE, "results": _RESULTS, **_MORE, "next_step": _TEXT}, *_STATE, "results")
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_BATCH_KEYS = {"tasks": _list(_TASK), "counts": _COUNTS, "not_found": _list(_TEXT), "next_step": _TEXT}
_BATCH = _object(_BATCH_KEYS, *_BATCH_KEYS)
_OF_SONG = {"audio_id": _TEXT, "title": _TEXT, "duration_seconds": _NUMBER}
_MEASURED = {"measured_seconds": _NUMBER, "loudness_lufs": _NUMBER, "peak_dbfs": _NUMBER, "findings": _list(_TEXT)}
_FILE = _object({"kind": _TEXT, "path": _TEXT, "bytes": _NUMBER, **_OF_SONG, **_MEASURED}, "kind", "path", "bytes")
_FAILED = _object({"kind": _TEXT, "code": _TEXT, "message": _TEXT}, "kind", "code", "message")
_SAVED = {**_STATE, "files": _list(_FILE), "next_step": _TEXT}
_DOWNLOADS = _object({**_SAVED, "failed": _list(_FAILED), "error": _ERROR}, *_SAVED)
