"""Normalises bodies that the service and the sandbox accept although the contract, which is strict, does not."""

from typing import Any

from tests.api_contract import CONTRACT

_ONLY_FOR_ACTION = {
    "continue_at": "extend",
    "replace_section_start": "replace_section",
    "replace_section_end": "replace_section",
    "cover_strength": "cover",
    "id": "retrieve",
    "ids": "retrieve_batch",
}
# A look-up by ids ignores the fields of a list.
_ONLY_FOR_LISTS = {"type", "limit", "offset", "created_at_min", "created_at_max", "user_id", "application_id"}
_NUMBERS = {
    "continue_at", "replace_section_start", "replace_section_end", "lyrics_strength", "sound_strength", "weirdness",
    "cover_strength",
}  # fmt: skip


def normalised(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """``body`` without the fields that the sandbox ignores, and with the required ones that it does not need."""
    action = str(body.get("action")).removeprefix("upload_")
    by_id = path == "/producer/tasks" and (action == "retrieve" or body.get("ids") is not None)
    kept = {
        name: value
        for name, value in body.items()
        if name in _fields(path)
        and action == _ONLY_FOR_ACTION.get(name, action)
        and value is not None
        and not (by_id and name in _ONLY_FOR_LISTS)
        and not (value is False and name in _NUMBERS)
        and not (value == "" and name == "callback_url")
    }
    if path != "/producer/audios":
        return kept
    kept = {"lyric": "", "prompt": "", **kept}
    # A lyric without a prompt is sung, whether or not `custom` is set.
    return kept | {"custom": True} if kept["lyric"] and not str(kept["prompt"]).strip() else kept


def _fields(path: str) -> set[str]:
    reference = CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = CONTRACT["components"]["schemas"][reference.rpartition("/")[2]]
    return {name for part in (schema, *schema.get("oneOf", ())) for name in part.get("properties", ())}
