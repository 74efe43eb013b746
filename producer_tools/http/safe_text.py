"""Makes text of the service safe to print, to store and to send on, and bounds it."""

import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

from pydantic import SecretStr

LONGEST_ID = 200
"""Characters of an id, and of other values of one word; the ids that are known are UUIDs of 36."""

_SHORTEST_SECRET = 8
"""A token of fewer characters is not looked for in text, because it would be found in ordinary words. The service's
tokens have 32."""

REPLACEMENT = "\ufffd"

TOKEN_MARK = "[api token]"  # noqa: S105 - what stands in the place of a token

# Half a surrogate cannot be encoded as UTF-8, PostgreSQL refuses NUL, and a terminal obeys control characters. Line
# breaks and tabs stay: lyrics have them.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def safe_text(text: str, longest: int) -> str:
    """The text with a replacement character for each unsafe one. If it was cut, its end says so.

    Args:
        text: what the service sent.
        longest: the most characters to return, at least 50.
    """
    if len(text) <= longest and text.isprintable():  # every unsafe character is unprintable
        return text
    mark = f"… [cut: {len(text):,} characters]" if len(text) > longest else ""
    return _UNSAFE.sub(REPLACEMENT, text[: longest - len(mark)]) + mark


def safe_name(text: str, longest: int) -> str | None:
    """An id or a URL; ``None`` if it would have to be changed or cut: it would then name something else."""
    return text if safe_text(text, longest) == text else None


def without_token(text: str, token: SecretStr) -> str:
    """The text with a mark in place of the token, which the service may quote, in each of its `spellings`."""
    for spelling in spellings(token):
        text = text.replace(spelling, TOKEN_MARK)
    return text


def spellings(token: SecretStr) -> list[str]:
    """How a text may spell a token: as it is, in a URL, in JSON, or in base64; none if the token is too short.

    In base64 the first and the last character depend on what stands beside the token, such as ``Bearer``. They are not
    part of a spelling.
    """
    secret = token.get_secret_value()
    if len(secret) < _SHORTEST_SECRET:
        return []
    in_json = json.dumps(secret)[1:-1]
    in_urls = [quote(secret, safe=safe) for safe in ("", "/")]
    in_urls += [re.sub("%..", lambda code: code.group().lower(), each) for each in in_urls]
    found = [secret, in_json, in_json.replace("/", "\\/"), *in_urls, *_in_base64(secret)]
    return list(dict.fromkeys(found))


def _in_base64(secret: str) -> Iterator[str]:
    """The text in base64, behind any number of other bytes, without the characters that hold bits of other bytes."""
    for before in range(3):  # three bytes are four characters, so that a fourth byte is as none
        encoded = b64encode(bytes(before) + secret.encode()).decode()
        first, end = math.ceil(before * 8 / 6), (before + len(secret)) * 8 // 6
        own = encoded[first:end]
        yield from (own, own.replace("+", "-").replace("/", "_"))
