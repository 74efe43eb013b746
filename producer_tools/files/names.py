"""Names for files, from text that anybody may have written."""

import hashlib
import re
import unicodedata

_LONGEST_TITLE = 80  # bytes; with two ids of 16, a kind and an extension it stays below the 255 of file systems
# Lower case alone, since to many file systems "a" and "A" are one name.
_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")


def file_stem(title: str, kind: str, *ids: str) -> str:
    """A file name without its extension: ``title-kind.id.id``.

    The same arguments make the same name, and other ids another one. It holds letters and digits of any script,
    ``_``, ``-`` and the dots between its parts: no path, no hidden file, no name that a system keeps for itself.
    """
    return ".".join([f"{_words(title)}-{kind}", *(_plain(part) for part in ids)])


def _words(title: str) -> str:
    """The title's words, joined by ``_``. Marks stay: without them many scripts cannot be read."""
    text = unicodedata.normalize("NFC", title)
    spaced = "".join(char if unicodedata.category(char)[0] in "LMN" or char == "-" else " " for char in text)
    name = "_".join(spaced.split()).encode()[:_LONGEST_TITLE].decode(errors="ignore")
    return name.strip("-_") or "untitled"


def _plain(part: str) -> str:
    """A short id as it is; of a longer one, or one that cannot stand in a name, a digest that people can read past."""
    if _PLAIN_ID.fullmatch(part):
        return part
    return hashlib.sha256(part.encode(errors="surrogatepass")).hexdigest()[:12]
