"""Makes text of the service safe to print, to store and to send on, and bounds it."""

import re

from pydantic import SecretStr

LONGEST_ID = 200
"""Characters of an id, and of other values of one word; the ids that are known are UUIDs of 36."""

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
    """The text with a mark in place of the token, which the service may quote."""
    return text.replace(token.get_secret_value(), TOKEN_MARK)
