"""Removes private data from a recording before it is written: headers, addresses, values in bodies, known secrets."""

import base64
import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from vcr.request import Request

SERVICE = "https://api.acedata.cloud"
SANDBOX_FILES = "https://sandbox.invalid"
"""Replaces the sandbox's address in the URLs of its files, since its port changes. ``.invalid`` never resolves."""

# No square brackets: it is also put into URLs, where they would enclose an IPv6 address.
REMOVED = "(removed)"
# The client reads no other headers, and many of them change each time or identify the account.
_KEPT_HEADERS = frozenset({"content-type", "retry-after"})
_PRIVATE_KEY = re.compile(
    r"(application|credential|user|account|owner|organi[sz]ation|tenant|api)_?(id|name)|e?mail|username|phone"
    r"|.*(token|secret|password|api_?key|authorization|cookie).*",
    re.IGNORECASE,
)
_PRIVATE_PARAMETER = re.compile(
    r"(x-(goog|amz)-.*|.*(sig|token|key|secret|credential|access|auth|expires).*)", re.IGNORECASE
)
# A shorter string would be found in any text.
_SHORTEST_SECRET = 4
_URL = re.compile(r"https?://[^\s\"'<>\\]+")


class Scrubber:
    """Cleans requests and responses. Cleaning twice changes nothing, since vcrpy also cleans what it loads.

    Args:
        base_url: the address of the recorded server. In the recording, the service's address replaces it.
        secrets: texts that must not be in a recording, in any encoding.
    """

    def __init__(self, base_url: str, secrets: Collection[str]) -> None:
        self._base_url = base_url
        encoded = {text for secret in secrets for text in encodings(secret)}
        self._secrets = sorted(encoded, key=lambda text: (-len(text), text))

    def request(self, request: Request) -> Request:
        """Remove the headers and use the service's address."""
        request.headers = {}
        uri = request.uri
        if uri.startswith(self._base_url):
            uri = SERVICE + uri.removeprefix(self._base_url)
        request.uri = self._text(uri)
        request.body = self._value(request.body)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """Keep only the headers that the client reads, and indent JSON so that a diff shows which value has changed."""
        headers = {name: values for name, values in response["headers"].items() if name.lower() in _KEPT_HEADERS}
        text = (response["body"].get("string") or b"").decode("utf-8", errors="replace")
        try:
            text = json.dumps(self._value(json.loads(text)), ensure_ascii=False, indent=2)
        except ValueError:
            text = self._text(text)
        return {"status": response["status"], "headers": self._value(headers), "body": {"string": text.encode()}}

    def leaks(self, text: str) -> bool:
        """Whether a secret is left in a text: the last check before it is written."""
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


def encodings(secret: str) -> set[str]:
    """The forms that a secret can have in a text: plain, in a URL, in JSON, in hex, and inside base64 at any offset."""
    raw = secret.encode()
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret, safe="/")}
    texts = {secret, *in_urls, json.dumps(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).decode()
            # The first and last characters depend on the bytes around the secret.
            texts.add(encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6])
    return {text for text in texts if len(text) >= _SHORTEST_SECRET}


def _public(url: str) -> str:
    """A URL without its user name and password, and without parameters that grant access."""
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
