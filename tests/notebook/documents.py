"""Reads the documents with a player: pages, and the frame of a comparison."""

import base64
import hashlib
import re
import wave
from pathlib import Path

import numpy as np

from producer_tools import SavedFile
from tests.notebook.page import AUDIO, Page


class Document(Page):
    """A parsed document. It fails the test if it has a tag or attribute that a page does not need, such as onclick."""

    tags = Page.tags | {
        "html", "head", "meta", "title", "style", "script", "body", "main", "header", "footer", "article", "section",
        "h1", "h2", "p", "b", "button", "svg", "path", "input", "label", "details", "summary",
    }  # fmt: skip
    names = frozenset({
        "src", "alt", "controls", "preload", "tabindex", "role", "aria-label", "aria-hidden", "class", "hidden", "lang",
        "charset", "http-equiv", "content", "name", "type", "min", "max", "step", "value", "d", "viewbox", "xmlns",
        "preserveaspectratio", "data-name", "data-seconds", "open",
    })  # fmt: skip

    def handle_decl(self, decl: str) -> None:
        assert decl == "DOCTYPE html"

    def named(self, tag: str) -> list[str]:
        """The whole text of each element with this tag."""
        return ["".join(element.text) for element in self.elements if element.tag == tag]

    def classed(self, name: str) -> list[str]:
        """The whole text of each element of this class."""
        return ["".join(each.text) for each in self.elements if name in each.attributes.get("class", "").split()]

    def check_policy(self) -> None:
        """Fail unless the policy allows nothing but what is embedded, this style and this script."""
        (policy,) = (each.attributes["content"] for each in self.elements if "http-equiv" in each.attributes)
        (script,), (style,) = self.named("script"), self.named("style")
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules == {
            "default-src": "'none'", "script-src": _hash(script), "style-src": _hash(style), "img-src": "data:",
            "media-src": "data: blob:", "base-uri": "'none'", "form-action": "'none'",
        }  # fmt: skip
        assert all(address.startswith("data:") for address in self.addresses)
        assert not re.search(r"@import|url\(", style)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def tone(path: Path, seconds: float, *, rate: int = 8000, audio_id: str = "a1") -> SavedFile:
    """A tone that gets louder, in a WAV file."""
    at = np.arange(int(seconds * rate)) / rate
    samples = (20_000 * at / seconds * np.sin(2 * np.pi * 440 * at)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    size = path.stat().st_size
    return SavedFile("audio", str(path), size, "audio/wav", AUDIO, path.name, audio_id=audio_id, title=path.stem,
                     model="FUZZ-2.0", duration_seconds=seconds)  # fmt: skip
