"""Writes HTML elements. Text and attributes are escaped here, and nowhere else."""

import base64
import html
from collections.abc import Iterable

_ROW = "display:flex;flex-wrap:wrap;align-items:flex-start;gap:10px;margin:6px 0"
CARD = (
    "box-sizing:border-box;flex:1 1 320px;max-width:520px;padding:12px;border:1px solid rgba(128,128,128,.35);"
    "border-radius:10px;line-height:1.45;overflow-wrap:anywhere"
)
_VOID = {"img", "input", "meta"}


class Html(str):
    """Markup made by this module. Any other string is text, which `tag` escapes."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str) -> str:
    """An element. Its attributes and the text in it are escaped; elements in it are kept as they are.

    The names of attributes are written as Python allows: ``class_`` for ``class``, ``aria_label`` for ``aria-label``.
    """
    head = " ".join([name, *(f'{_name(key)}="{_escape(value)}"' for key, value in attributes.items())])
    inside = "".join(part if isinstance(part, Html) else _escape(part) for part in content)
    return Html(f"<{head}>" if name in _VOID else f"<{head}>{inside}</{name}>")


def row(cards: Iterable[str]) -> str:
    """Cards side by side."""
    return tag("div", *cards, style=_ROW)


def card(*content: str, style: str = CARD) -> str:
    """A box with a border."""
    return tag("div", *content, style=style)


def line(style: str, text: str) -> str:
    """A line of text, or nothing if the text is empty."""
    return tag("div", text, style=style) if text else ""


def data_uri(content_type: str, data: bytes) -> str:
    """The data itself as a URL."""
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def web_url(url: str | None) -> str:
    """The URL if it is http or https, else an empty string: other schemes can run code."""
    return url if url and url.lower().startswith(("http://", "https://")) else ""


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _escape(text: str) -> str:
    # JSON may contain half of a surrogate pair, and a notebook with one cannot be saved.
    return html.escape(text.encode(errors="replace").decode(), quote=True)
