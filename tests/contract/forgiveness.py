"""What the sandbox forgives, as the service does: a body as it was meant, for the contract is strict."""

from typing import Any

from tests.api_contract import CONTRACT

_ONLY_FOR = {
    "continue_at": "extend",
    "replace_section_start": "replace_section",
    "replace_section_end": "replace_section",
    "cover_strength": "cover",
    "id": "retrieve",
    "ids": "retrieve_batch",
}
_NUMBERS = {
    "continue_at", "replace_section_start", "replace_section_end", "lyrics_strength", "sound_strength", "weirdness",
    "cover_strength",
}  # fmt: skip


def as_meant(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """``body`` without what the sandbox takes no notice of, and with what it does not miss."""
    action = str(body.get("action")).removeprefix("upload_")
    meant = {
        name: value
        for name, value in body.items()
        if name in _fields(path)
        and action == _ONLY_FOR.get(name, action)
        and value is not None
        and not (value is False and name in _NUMBERS)
        and not (value == "" and name == "callback_url")
    }
    if path != "/producer/audios":
        return meant
    meant = {"lyric": "", "prompt": "", **meant}
    # A lyric without a prompt can only be meant to be sung, whether or not `custom` says so.
    return meant | {"custom": True} if meant["lyric"] and not str(meant["prompt"]).strip() else meant


def _fields(path: str) -> set[str]:
    reference = CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = CONTRACT["components"]["schemas"][reference.rpartition("/")[2]]
    return {name for part in (schema, *schema.get("oneOf", ())) for name in part.get("properties", ())}
