"""File names from titles and ids, which are untrusted text."""

import hashlib
import re
import unicodedata

UNTITLED = "untitled"
"""Stands in the place of a title without letters or digits."""

_LONGEST_TITLE = 80  # bytes; with two ids of 16, a kind and an extension the name stays below the usual limit of 255
# Lower case only, since many file systems treat "a" and "A" as the same name.
_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")


def file_stem(title: str, kind: str, *ids: str) -> str:
    """A file name without its extension: ``title-kind.id.id``.

    The same arguments give the same name, and different ids give different names. The name holds letters and digits of
    any script, ``_``, ``-`` and the dots between its parts. It is never a path, a hidden file or a reserved name.
    """
    return ".".join([f"{_words(title)}-{kind}", *(_plain(each) for each in ids)])


def _words(title: str) -> str:
    """The title's words, joined by ``_``. Combining marks are kept, since many scripts are unreadable without them."""
    text = unicodedata.normalize("NFC", title)
    spaced = "".join(char if unicodedata.category(char)[0] in "LMN" or char == "-" else " " for char in text)
    name = "_".join(spaced.split()).encode()[:_LONGEST_TITLE].decode(errors="ignore")
    return name.strip("-_") or UNTITLED


def _plain(untrusted_id: str) -> str:
    """A short plain id as it is; otherwise a short hash of it."""
    if _PLAIN_ID.fullmatch(untrusted_id):
        return untrusted_id
    return hashlib.sha256(untrusted_id.encode(errors="surrogatepass")).hexdigest()[:12]
