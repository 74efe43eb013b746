"""Reads the HTML of cards as a browser does, and makes the files that cards show."""

import base64
import re
import wave
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from producer_tools import Downloads, SavedFile
from producer_tools.tasks.results import Kind, Result
from producer_tools.tasks.task import Task, TaskBatch

AUDIO = "https://cdn.example/a1.m4a"
COVER = "https://cdn.example/a1.jpg"
SONG: Result = {
    "audio_id": "a1", "title": "First Day", "audio_url": AUDIO, "image_url": COVER, "duration_seconds": 135.9,
    "model": "FUZZ-2.0", "style": "jazz", "lyric": "[Verse]\nla la",
}  # fmt: skip


class Element(NamedTuple):
    """One HTML element.

    Attributes:
        tag: its name.
        attributes: its attributes.
        text: the texts in it and in the elements inside it.
    """

    tag: str
    attributes: dict[str, str]
    text: list[str]


class Page(HTMLParser):
    """Parsed HTML. It fails the test if the HTML is not well-formed, or has a tag or attribute that no card needs."""

    tags = frozenset({"div", "span", "img", "audio", "video", "a"})
    names = frozenset({"style", "src", "href", "alt", "loading", "controls", "preload", "rel", "target", "download",
                       "tabindex", "role", "aria-label"})  # fmt: skip

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        html.encode()  # raises for half a surrogate pair, with which a notebook could not be saved
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.tags
        assert {name for name, _ in attrs} <= self.names
        element = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in {"img", "input", "meta"}:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")

    @property
    def text(self) -> str:
        """All text, one line for each element's."""
        return "\n".join(self.elements[0].text)

    @property
    def addresses(self) -> list[str]:
        """Every ``src`` and ``href``, in order."""
        return [element.attributes[name] for element in self.elements for name in ("src", "href")
                if name in element.attributes]  # fmt: skip

    def sources(self, tag: str) -> list[str]:
        """The ``src`` of each element with this tag."""
        return [element.attributes["src"] for element in self.elements if element.tag == tag]


def html_of(value: Task | TaskBatch | Downloads) -> str:
    """What a notebook displays for a value: Jupyter and marimo call this method."""
    html = value._repr_html_()
    assert type(html) is str, "marimo shows nothing if it gets a subclass of str"
    return html


def page(value: Task | TaskBatch | Downloads) -> Page:
    """What a notebook displays for a value, parsed."""
    return Page(html_of(value))


def complete(*results: Result) -> Task:
    """A complete task with these results."""
    return Task("t1", "complete", results)


def saved_file(
    path: Path, data: bytes, kind: Kind = "audio", content_type: str = "audio/mp4", url: str = AUDIO
) -> SavedFile:
    """A file on the disk, as `Downloader` reports it."""
    path.write_bytes(data)
    return SavedFile(kind, str(path), len(data), content_type, url, audio_id="a1")


def saved_wav(path: Path, frames: bytes, *, channels: int = 1, width: int = 2) -> SavedFile:
    """A WAV file on the disk; ``width`` is the number of bytes of a sample."""
    with wave.open(str(path), "wb") as wav:
        wav.setparams((channels, width, 8000, 0, "NONE", ""))
        wav.writeframes(frames)
    return saved_file(path, path.read_bytes(), content_type="audio/wav")


def embedded(address: str) -> tuple[str, bytes]:
    """The content type and the bytes of a data URI."""
    head, _, data = address.partition(",")
    assert head.endswith(";base64")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(data, validate=True)


def bar_heights(downloads: Downloads) -> list[int]:
    """The heights of the bars of the waveform; empty if there is no waveform."""
    pictures = [source for source in page(downloads).sources("img") if source.startswith("data:image/svg+xml")]
    return [int(height) for picture in pictures for height in re.findall(rb"v(\d+)", embedded(picture)[1])]
