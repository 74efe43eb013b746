"""What is taken out of a recording before it is written, in layers: headers, addresses, bodies, and known secrets."""

import base64
import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from vcr.request import Request

SERVICE = "https://api.acedata.cloud"
SANDBOX_FILES = "https://sandbox.invalid"
"""Stands for the sandbox in the URLs of its files, since its port changes. ``.invalid`` never resolves."""

# No bracket, for it also comes to stand in URLs.
REMOVED = "(removed)"
# Of the rest nothing is read by the client, and much of it changes each time, or says whose account it was.
_KEPT_HEADERS = frozenset({"content-type", "retry-after"})
_PRIVATE_KEY = re.compile(
    r"(application|credential|user|account|owner|organi[sz]ation|tenant|api)_?(id|name)|e?mail|username|phone"
    r"|.*(token|secret|password|api_?key|authorization|cookie).*",
    re.IGNORECASE,
)
_PRIVATE_PARAMETER = re.compile(
    r"(x-(goog|amz)-.*|.*(sig|token|key|secret|credential|access|auth|expires).*)", re.IGNORECASE
)
# What is shorter would be found in any text.
_SHORTEST_SECRET = 4
_URL = re.compile(r"https?://[^\s\"'<>\\]+")


class Scrubber:
    """Cleans what vcrpy hands over. Cleaning twice changes nothing, since vcrpy also cleans what it loads.

    Args:
        base_url: the server that is recorded; in the recording it has the service's address.
        secrets: what must not be found in a recording, in any spelling.
    """

    def __init__(self, base_url: str, secrets: Collection[str]) -> None:
        self._base_url = base_url
        known = {spelling for secret in secrets for spelling in spellings(secret)}
        self._secrets = sorted(known, key=lambda spelling: (-len(spelling), spelling))

    def request(self, request: Request) -> Request:
        """Without headers, at the service's address."""
        request.headers = {}
        uri = request.uri
        if uri.startswith(self._base_url):
            uri = SERVICE + uri.removeprefix(self._base_url)
        request.uri = self._text(uri)
        request.body = self._value(request.body)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """With the headers that are read, and JSON in lines, so that a diff shows which value has changed."""
        headers = {name: values for name, values in response["headers"].items() if name.lower() in _KEPT_HEADERS}
        text = (response["body"].get("string") or b"").decode("utf-8", errors="replace")
        try:
            text = json.dumps(self._value(json.loads(text)), ensure_ascii=False, indent=2)
        except ValueError:
            text = self._text(text)
        return {"status": response["status"], "headers": self._value(headers), "body": {"string": text.encode()}}

    def leaks(self, text: str) -> bool:
        """Whether a secret is left: the last layer, over all that is about to be written."""
        return any(secret in text for secret in self._secrets)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                self._text(key): REMOVED if value[key] and _PRIVATE_KEY.fullmatch(key) else self._value(value[key])
                for key in value
            }
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if self._base_url != SERVICE:
            text = text.replace(self._base_url, SANDBOX_FILES)
        for secret in self._secrets:
            text = text.replace(secret, REMOVED)
        return _URL.sub(lambda found: _public(found[0]), text)


def spellings(secret: str) -> set[str]:
    """A secret as it may stand in a text: plain, in a URL, in JSON, in hex, and inside base64 at any position."""
    raw = secret.encode()
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret, safe="/")}
    found = {secret, *in_urls, json.dumps(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode()
            # The first and the last characters depend on what stands around the secret.
            found.add(text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6])
    return {spelling for spelling in found if len(spelling) >= _SHORTEST_SECRET}


def _public(url: str) -> str:
    """A URL without its user, and without those parameters that let whoever has it in."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return REMOVED
    query = [
        (name, REMOVED if _PRIVATE_PARAMETER.fullmatch(name) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    if "@" not in parts.netloc and all(value != REMOVED for _, value in query):
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(query, safe="()")))
