"""Compares a request that was sent with the records of tasks, to find the task that it made."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from producer_tools.requests import AUDIOS, DELIVERY, LYRICS, UPLOAD, VIDEOS, WAV


def _type_of(endpoint: str) -> str:
    """The ``type`` in the records of tasks that were submitted to an endpoint."""
    return endpoint.rpartition("/")[2]


_TYPES = [_type_of(endpoint) for endpoint in (AUDIOS, LYRICS, UPLOAD, VIDEOS, WAV)]

# The default of each field of a song's request (spec), which the service may write down; ``None`` if it has none.
_DEFAULTS: Mapping[str, Any] = {
    "lyric": None,
    "prompt": None,
    "title": None,
    "audio_id": None,
    "seed": None,
    "lyrics_strength": None,
    "sound_strength": None,
    "continue_at": None,
    "replace_section_start": None,
    "replace_section_end": None,
    "instrumental": False,
    "model": "FUZZ-2.0",
    "weirdness": 0.5,
    "cover_strength": 1,
}
_EQUAL_NUMBERS = 1e-6  # a service that computes with 32 bits writes 0.3 as 0.30000001192092896


class SentRequest(NamedTuple):
    """A paid request as it was sent.

    Attributes:
        endpoint: the path that it went to.
        body: its JSON body.
    """

    endpoint: str
    body: Mapping[str, Any]

    def made(self, record: Mapping[str, Any]) -> bool:
        """Whether a task's record says that this request made the task.

        The service may add defaults and fields that the API does not have, leave out unset ones, and write a number as
        text. A callback address is compared too if the record has one: no two requests share it.
        """
        request = record.get("request")
        if not isinstance(request, Mapping) or self._is_of_another_endpoint(record.get("type"), request):
            return False
        url = self.body.get("callback_url")
        if url is not None and request.get("callback_url") not in (None, url):
            return False
        is_same = all(_same(value, request.get(name)) for name, value in self.body.items() if name not in DELIVERY)
        return is_same and not self._says_more(request)

    def may_have_made(self, record: Mapping[str, Any], since: float, until: float) -> bool:
        """Whether a record does not rule out that it is this request's: of the same kind, from about the same time."""
        request = record.get("request")
        created = created_at(record)
        if created is not None and not since <= created <= until:
            return False
        if not isinstance(request, Mapping):
            return record.get("type") not in _TYPES or record.get("type") == _type_of(self.endpoint)
        return not self._is_of_another_endpoint(record.get("type"), request) and all(
            _same(self.body.get(name), request.get(name)) for name in ("action", "audio_id")
        )

    def _says_more(self, request: Mapping[str, Any]) -> bool:
        """Whether a song's request asks for something that this one does not: other software may have sent it."""
        return self.endpoint == AUDIOS and any(
            not (_same(None, request.get(name)) or _same(default, request.get(name)))
            for name, default in _DEFAULTS.items()
            if name not in self.body
        )

    def _is_of_another_endpoint(self, kind: object, request: Mapping[str, Any]) -> bool:
        # The other endpoints' bodies have no action, and one field that a song's body may have as well.
        if ("action" in self.body) != ("action" in request):
            return True
        return kind in _TYPES and kind != _type_of(self.endpoint)


def created_at(record: Mapping[str, Any]) -> float | None:
    """When a task was created, in Unix seconds; ``None`` if its record does not say so in a number."""
    value = record.get("created_at")
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None


def _same(sent: object, recorded: object) -> bool:
    """Whether a record has the value that was sent, perhaps written in another way."""
    if not isinstance(recorded, str | int | float | None):
        return False
    if isinstance(sent, bool):
        return str(recorded).lower() in ({"true", "1"} if sent else {"false", "0", "none", ""})
    if sent is None or sent == "":
        return recorded is None or recorded is False or recorded == ""
    if isinstance(sent, float | int) and recorded is not None:
        try:
            return math.isclose(float(sent), float(recorded), rel_tol=_EQUAL_NUMBERS)
        except (ValueError, OverflowError):
            return False
    return str(sent).split() == str(recorded).split()
