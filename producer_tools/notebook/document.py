"""The frame of an HTML document that plays songs: it loads nothing, and runs no script but its own."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from producer_tools.notebook.html import Html, tag


class Document(NamedTuple):
    """What stands around the content of a page.

    Attributes:
        start: all before the content.
        end: all after it.
    """

    start: str
    end: str


def document(title: str, *, framed: bool = False) -> Document:
    """The frame of a page.

    Its policy lets the browser use the files that are embedded, its one style sheet and its one script, named by their
    hashes. A script or an address in a title could do nothing, even if it were not escaped.

    Args:
        title: of the page.
        framed: whether it is an output of a notebook, with less space around it.
    """
    style, script = _asset("player.css"), _asset("player.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "media-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", style),
    )
    body = '<body class="framed">' if framed else "<body>"
    return Document(f'<!DOCTYPE html><html lang="en">{head}{body}', f"{tag('script', script)}</body></html>")


@cache
def _asset(name: str) -> Html:
    """A file of this package. A style or script is not escaped: browsers read it as it is."""
    return Html(files("producer_tools.notebook").joinpath(name).read_text("utf-8"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
