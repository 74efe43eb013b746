"""How tasks and downloads show themselves in a notebook; the HTML is read as a browser reads it."""

import base64
import re
import struct
import wave
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer_tools import Downloader, Downloads, FailedFile, ProducerClient, SavedFile
from producer_tools.errors import DownloadError
from producer_tools.notebook.waveform import waveform
from producer_tools.requests import GenerateMusic
from producer_tools.tasks.results import Kind, Result
from producer_tools.tasks.task import Task, TaskBatch

AUDIO = "https://cdn.example/a1.m4a"
COVER = "https://cdn.example/a1.jpg"
SONG: Result = {
    "audio_id": "a1", "title": "First Day", "audio_url": AUDIO, "image_url": COVER, "duration_seconds": 135.9,
    "model": "FUZZ-2.0", "style": "jazz", "lyric": "[Verse]\nla la",
}  # fmt: skip
PREVIEW = "https://cdn.example/preview.m4a"
NASTY = "\"><script>alert('x')</script><img src=x onerror=alert(1)>&lt;"
UNSAFE = [
    "javascript:alert(1)",
    " javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//cdn.example/a.m4a",
    " https://cdn.example/a.m4a",
    "a.m4a",
]


class Element(NamedTuple):
    tag: str
    attributes: dict[str, str]
    text: list[str]  # of its own and of all elements in it


class Page(HTMLParser):
    """HTML taken apart; it fails if a tag is not closed in its turn, or is one that no card needs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        html.encode()  # or the notebook could not be saved
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "img", "audio", "video", "a", "details", "summary"}
        allowed = {"style", "src", "href", "alt", "loading", "controls", "preload", "rel", "target", "download"}
        assert {name for name, _ in attrs} <= allowed
        element = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag != "img":
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
        return "\n".join(self.elements[0].text)

    @property
    def addresses(self) -> list[str]:
        return [element.attributes[name] for element in self.elements for name in ("src", "href")
                if name in element.attributes]  # fmt: skip

    def sources(self, tag: str) -> list[str]:
        return [element.attributes["src"] for element in self.elements if element.tag == tag]


def page(shown: Task | TaskBatch | Downloads) -> Page:
    return Page(shown._repr_html_())


def complete(*results: Result) -> Task:
    return Task("t1", "complete", results)


def on_disk(
    path: Path, data: bytes, kind: Kind = "audio", content_type: str = "audio/mp4", url: str = AUDIO
) -> SavedFile:
    path.write_bytes(data)
    return SavedFile(kind, str(path), len(data), content_type, url, audio_id="a1")


def embedded(address: str) -> tuple[str, bytes]:
    """The content type and the bytes of a data URI."""
    head, _, data = address.partition(",")
    assert head.endswith(";base64")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(data, validate=True)


def sound(path: Path, frames: bytes, *, channels: int = 1, width: int = 2) -> SavedFile:
    """A WAV file."""
    with wave.open(str(path), "wb") as wav:
        wav.setparams((channels, width, 8000, 0, "NONE", ""))
        wav.writeframes(frames)
    return on_disk(path, path.read_bytes(), content_type="audio/wav")


def heights(shown: Downloads) -> list[int]:
    """Of the waveform's bars; of none if there is no waveform."""
    pictures = [source for source in page(shown).sources("img") if source.startswith("data:image/svg+xml")]
    return [int(height) for picture in pictures for height in re.findall(rb"v(\d+)", embedded(picture)[1])]


def test_a_song_can_be_seen_heard_and_read() -> None:
    """The point of it all: a result that has to be copied out of a repr is not listened to."""
    shown = page(complete(SONG))
    assert shown.addresses == [COVER, AUDIO]
    (player,) = (element for element in shown.elements if element.tag == "audio")
    assert {"controls", "preload"} <= player.attributes.keys()
    assert player.attributes["preload"] == "none", "fifty cards must not load fifty songs"
    assert {"First Day", "2:15 · FUZZ-2.0 · jazz", "a1"} <= set(shown.elements[0].text)
    (lyrics,) = (element for element in shown.elements if element.tag == "details")
    assert lyrics.text == ["Lyrics", "[Verse]\nla la"]


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3605.0, "60:05")])
def test_a_length(seconds: float, shown: str) -> None:
    assert shown in page(complete({"duration_seconds": seconds})).elements[0].text


def test_every_kind_of_result_has_what_it_needs() -> None:
    """A kind without a way to it looks like nothing was made."""
    assert page(complete({"title": "T", "file_url": AUDIO})).sources("audio") == [AUDIO]
    assert page(complete({"video_url": AUDIO})).sources("video") == [AUDIO]
    assert page(complete({"lyrics": "la"})).elements[-1].text == ["la"]
    both = page(complete({**SONG, "video_url": PREVIEW}))
    assert (both.sources("audio"), both.sources("video"), both.addresses[-1]) == ([AUDIO], [], PREVIEW)
    (link,) = (element for element in page(complete({"stems_url": AUDIO})).elements if element.tag == "a")
    assert (link.attributes["href"], link.attributes["rel"], link.text) == (AUDIO, "noopener noreferrer", ["Stems"])


def test_each_of_several_results_has_a_card() -> None:
    shown = page(complete(SONG, {**SONG, "audio_id": "a2", "title": "Second", "audio_url": PREVIEW}))
    assert shown.sources("audio") == [AUDIO, PREVIEW]
    assert shown.text.index("First Day") < shown.text.index("Second")


def test_a_task_that_made_nothing_says_so() -> None:
    """An empty space would look like a broken notebook."""
    assert "The service made nothing." in page(complete()).text


@pytest.mark.parametrize("key", ["title", "lyric", "lyrics", "model", "style", "audio_id"])
def test_text_of_the_service_is_text(key: str, tmp_path: Path) -> None:
    """A title that is markup runs in the user's notebook, where it can run code; `Page` refuses tags of no card."""
    result = cast("Result", {**SONG, "lyric": "", key: NASTY})
    for shown in (complete(result), Downloads(complete(result), (on_disk(tmp_path / "a.m4a", b"x"),))):
        assert NASTY in page(shown).text
        assert "<script" not in shown._repr_html_()


def test_text_of_errors_and_ids_is_text() -> None:
    error = {"code": NASTY, "message": NASTY, "trace_id": NASTY}
    assert page(Task(NASTY, "failed", error=cast("Any", error))).text.count(NASTY) == 4
    assert NASTY in page(Task(NASTY, "pending", trace_id=NASTY)).text
    assert NASTY in page(TaskBatch(not_found=(NASTY,))).text
    failed = FailedFile("audio", NASTY, DownloadError(NASTY, NASTY))
    assert page(Downloads(complete(SONG), (), (failed,))).text.count(NASTY) == 2


@pytest.mark.parametrize("url", UNSAFE)
def test_only_web_addresses_are_loaded_or_linked(url: str) -> None:
    """A link that runs code, or a picture that is a page, is as good as a script."""
    keys = ("audio_url", "file_url", "video_url", "stems_url", "image_url")
    shown = complete(*(cast("Result", {"title": "T", key: url}) for key in keys))
    assert page(shown).addresses == []
    assert url not in shown._repr_html_()
    assert page(complete({**SONG, "audio_url": url, "file_url": PREVIEW})).sources("audio") == [PREVIEW]


def test_a_web_address_stays_inside_its_attribute() -> None:
    url = "HTTPS://cdn.example/a\" onerror='x'&amp;<b>"
    assert page(complete({"audio_url": url, "image_url": url})).addresses == [url, url]


def test_small_files_are_in_the_notebook(tmp_path: Path) -> None:
    """So the song still plays when its URL has expired; other bytes would not play at all."""
    audio = on_disk(tmp_path / "a.m4a", bytes(range(256)) * 3)
    cover = on_disk(tmp_path / "a.png", b"picture", "cover", "image/png", COVER)
    shown = page(Downloads(complete(SONG), (audio, cover)))
    assert embedded(*shown.sources("audio")) == ("audio/mp4", bytes(range(256)) * 3)
    assert embedded(*shown.sources("img")) == ("image/png", b"picture")
    assert {"a.m4a (1 kB)", "a.png (0 kB)"} <= set(shown.elements[0].text)


@pytest.mark.parametrize(
    ("kind", "tag", "url", "limit"), [("audio", "audio", AUDIO, 1_500_000), ("cover", "img", COVER, 300_000)]
)
def test_large_files_are_not_in_the_notebook(  # noqa: PLR0917 - a row of the table
    kind: Kind, tag: str, url: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook of a hundred megabytes can neither be saved nor shared."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my songs").mkdir()
    path = tmp_path / "my songs" / "#1: ü%.bin"
    at_limit = Downloads(complete(SONG), (on_disk(path, bytes(limit), kind, url=url),))
    assert page(at_limit).sources(tag)[0].startswith("data:")

    above = Downloads(complete(SONG), (on_disk(path, bytes(limit + 1), kind, url=url),))
    (source,) = page(above).sources(tag)
    assert not set("#: ü") & set(source), "a browser would read them as something else"
    assert unquote(source) == "my songs/#1: ü%.bin", "what Jupyter serves"

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert page(above).sources(tag) == [url], "Jupyter does not serve it from there"


def test_stems_are_linked_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stems = on_disk(tmp_path / "s.zip", b"PK", "stems", "application/zip")
    assert page(Downloads(complete({"audio_id": "a1", "stems_url": AUDIO}), (stems,))).addresses == ["s.zip"]


def test_each_result_plays_its_own_file(tmp_path: Path) -> None:
    """Two songs may share a cover and its URL, and others have no id; crossed over, one has the other's."""
    first, second = (on_disk(tmp_path / name, name.encode(), url=f"https://cdn.example/{name}") for name in ("1", "2"))
    results: list[Result] = [{"audio_url": first.url}, {"audio_url": second.url}]
    saved = (replace(second, audio_id=None), replace(first, audio_id=None))
    shown = page(Downloads(complete(*results), saved))
    assert [embedded(source)[1] for source in shown.sources("audio")] == [b"1", b"2"]
    assert shown.text.count("(0 kB)") == 2, "each file is named once"

    results = [{"audio_id": "x", "image_url": COVER}, {"audio_id": "y", "image_url": COVER}]
    covers = [replace(file, kind="cover", url=COVER) for file in (second, first)]
    saved = (replace(covers[0], audio_id="y"), replace(covers[1], audio_id="x"))
    shown = page(Downloads(complete(*results), saved))
    assert [embedded(source)[1] for source in shown.sources("img")] == [b"1", b"2"]


def _vanish(path: Path) -> None:
    path.unlink()


def _shorten(path: Path) -> None:
    path.write_bytes(b"RI")


def _become_a_link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def _become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [_vanish, _shorten, _become_a_link, _become_a_directory])
def test_a_file_that_is_not_what_was_saved(change: Callable[[Path], None], tmp_path: Path) -> None:
    """The URL plays instead, and the card does not say that the file is there."""
    file = sound(tmp_path / "a.wav", bytes(2000))
    change(Path(file.path))
    shown = Downloads(complete(SONG), (file,))
    assert page(shown).sources("audio") == [AUDIO]
    assert "a.wav (no longer there)" in page(shown).text
    assert not heights(shown)


def test_a_path_that_is_none() -> None:
    for path in ("\0", "\ud83d", "", "x" * 9999):
        file = SavedFile("audio", path, 1, "audio/wav", AUDIO, "a1")
        assert page(Downloads(complete(SONG), (file,))).sources("audio") == [AUDIO]
        assert waveform(Path(path)) is None


def test_files_that_could_not_be_saved_are_named() -> None:
    """Silence would pass for a cover that was never there."""
    failed = FailedFile("cover", COVER, DownloadError("disk_full", "There is no room left."))
    shown = page(Downloads(complete(SONG), (), (failed,)))
    assert "Not saved: cover. disk_full: There is no room left." in shown.text
    assert shown.sources("img") == [COVER]


BELOW = {1: b"\x7f", 2: b"\xff" * 2, 3: b"\xff" * 3, 4: b"\xff" * 4}  # zero, by one
SILENCE = {1: b"\x80", 2: bytes(2), 3: bytes(3), 4: bytes(4)}
QUIET = {1: b"\x81", 2: b"\0\1", 3: b"\0\0\1", 4: b"\0\0\0\1"}
LOUD = {1: b"\x00", 2: b"\0\x80", 3: b"\0\0\x80", 4: b"\0\0\0\x80"}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_waveform_shows_where_it_is_loud(width: int, channels: int, tmp_path: Path) -> None:
    """One that is read with the wrong width is noise, and tells nothing of the song."""
    silence, loud = SILENCE[width] * channels + BELOW[width] * channels, LOUD[width] * channels
    frames = silence * 2000 + loud * 4000
    bars = heights(Downloads(complete(SONG), (sound(tmp_path / "a.wav", frames, channels=channels, width=width),)))
    assert 200 <= len(bars) <= 300
    half = len(bars) // 2
    assert bars == [2] * half + [100] * half, "silence is a thin line"


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_quiet_sound_is_drawn_as_high_as_a_loud_one(width: int, tmp_path: Path) -> None:
    frames = SILENCE[width] * 4000 + QUIET[width] * 4000
    bars = heights(Downloads(complete(SONG), (sound(tmp_path / "a.wav", frames, width=width),)))
    assert (bars[0], bars[-1]) == (2, 100)


@pytest.mark.parametrize("frames", [400_000, 432_000])
def test_every_channel_counts(frames: int, tmp_path: Path) -> None:
    """A voice that is only on the right would be drawn as silence."""
    for name, frame in (("left", LOUD[2] + SILENCE[2]), ("right", SILENCE[2] + LOUD[2])):
        file = sound(tmp_path / name, frame * frames, channels=2)
        assert set(heights(Downloads(complete(SONG), (file,)))) == {100}


def test_a_wav_that_ends_early_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    data = Path(sound(tmp_path / "a.wav", LOUD[2] * 4800).path).read_bytes()
    cut = on_disk(tmp_path / "a.wav", data[: -2 * 2400])
    assert heights(Downloads(complete(SONG), (cut,))) == [100] * 120 + [2] * 120


def test_waveforms_of_next_to_nothing(tmp_path: Path) -> None:
    assert heights(Downloads(complete(SONG), (sound(tmp_path / "silent.wav", bytes(2000)),))) == [2] * 240
    assert heights(Downloads(complete(SONG), (sound(tmp_path / "short.wav", LOUD[2] * 3),))) == [100] * 3
    empty = page(Downloads(complete(SONG), (sound(tmp_path / "empty.wav", b""),)))
    assert len(empty.sources("img")) == 1, "the cover alone"


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x20ftypM4A " + bytes(99),
        b"ID3" + bytes(99),
        b"",
        struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 60, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32, b"data", 24)
        + bytes(24),
    ],
    ids=["m4a", "mp3", "empty", "WAV of floats"],
)
def test_what_is_no_pcm_wav_has_a_player_and_no_waveform(data: bytes, tmp_path: Path) -> None:
    shown = Downloads(complete(SONG), (on_disk(tmp_path / "a", data),))
    assert not heights(shown)
    assert embedded(*page(shown).sources("audio"))[1] == data


@given(st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=4), st.integers(0, 244))
def test_a_broken_wav_does_not_break_the_notebook(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    data = bytearray(Path(sound(path, bytes(range(200))).path).read_bytes())
    for at, byte in changes:
        data[at] = byte
    page(Downloads(complete(SONG), (on_disk(path, bytes(data[:length])),)))


def test_a_wav_that_once_broke_it(tmp_path: Path) -> None:
    """Python up to 3.12 answers a block that is longer than its file with a RuntimeError that says nothing."""
    file = sound(tmp_path / "a.wav", bytes(200))
    data = Path(file.path).read_bytes()
    broken = on_disk(Path(file.path), data[:4] + struct.pack("<I", 20) + data[8:], content_type="audio/wav")
    assert not heights(Downloads(complete(SONG), (broken,)))


@pytest.mark.parametrize("state", ["pending", "processing"])
def test_a_preview_cannot_be_taken_for_a_result(state: Any) -> None:
    """Half a song that plays is believed to be the song, and the paid one is never fetched."""
    task = Task("t1", state, preview_urls=(PREVIEW, COVER), progress=40.0, trace_id="tr1")
    for shown in (task, TaskBatch((task,))):
        assert {element.tag for element in page(shown).elements} == {"div"}
        assert "http" not in shown._repr_html_()
        assert f"Not finished: {state}, 40 %" in page(shown).text
        assert "Previews so far: 2. Previews are not results." in page(shown).text
        assert "task t1 · trace tr1" in page(shown).text


def test_an_unfinished_task_says_no_more_than_is_known() -> None:
    shown = page(Task(None, "pending"))
    assert shown.text == "Not finished: pending"


def test_a_failed_task_says_why_and_labels_what_it_made(tmp_path: Path) -> None:
    """Unlabelled, half an album passes for the whole; without ids, nobody can ask the service why."""
    task = Task("t1", "failed", partial_results=(SONG,), error={"code": "c1", "message": "no room", "trace_id": "tr1"})
    for shown in (page(task), page(Downloads(task, (on_disk(tmp_path / "a", b"x"),)))):
        assert shown.elements[0].text[:3] == ["Failed", "c1: no room", "task t1 · trace tr1"]
        assert shown.text.index("Partial result") < shown.text.index("First Day")
        assert shown.sources("audio")
    assert "Partial" not in page(complete(SONG)).text
    assert page(Task("t1", "failed")).sources("audio") == []


def test_a_batch_is_in_the_order_asked_and_names_what_is_not_known() -> None:
    unfinished = Task("t2", "processing", preview_urls=(PREVIEW,))
    shown = page(TaskBatch((unfinished, complete(SONG), Task("t3", "failed"), complete(SONG)), ("nobody", "no one")))
    titles = {"Not finished: processing", "First Day", "Failed"}
    assert [text for text in shown.elements[0].text if text in titles] == [
        "Not finished: processing", "First Day", "Failed", "First Day",
    ]  # fmt: skip
    assert "1 processing · 2 complete · 1 failed · 2 not found" in shown.text
    assert "Not found: nobody, no one" in shown.text
    assert shown.sources("audio") == [AUDIO, AUDIO]
    assert page(TaskBatch()).text == "No tasks."


async def test_a_song_of_the_sandbox_plays_from_the_notebook(client: ProducerClient, tmp_path: Path) -> None:
    """The whole way: what the Downloader saves is what the card finds."""
    task = await client.submit(GenerateMusic(prompt="x"))
    downloads = await Downloader(client, tmp_path).save(str(task.task_id))
    shown = page(downloads)
    assert embedded(*shown.sources("audio")) == ("audio/wav", Path(downloads.files[0].path).read_bytes())
    assert [embedded(source)[0] for source in shown.sources("img")] == ["image/png", "image/svg+xml"]
    assert max(heights(downloads)) == 100
    assert page(await client.get_task(str(task.task_id))).addresses == [
        downloads.task.results[0]["image_url"],
        downloads.task.results[0]["audio_url"],
    ]


# "\ud83d" is half a character: JSON can carry it.
texts = st.text(max_size=12) | st.sampled_from([NASTY, *UNSAFE, AUDIO, "'", "<!--", "\0", "]]>", "\ud83d"])
results = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(set(Result.__annotations__) - {"duration_seconds"}, texts),
        "duration_seconds": st.floats(),
    },
)
many = st.lists(results, max_size=3).map(lambda found: cast("tuple[Result, ...]", tuple(found)))
errors = st.none() | st.fixed_dictionaries({"code": texts, "message": texts, "trace_id": st.none() | texts})
tasks = st.builds(
    Task,
    st.none() | texts,
    st.sampled_from(["pending", "processing", "complete", "failed"]),
    many,
    st.lists(texts).map(tuple),
    many,
    cast("st.SearchStrategy[Any]", errors),
    st.none() | st.floats(),
    st.none() | texts,
)
files = st.lists(
    st.builds(SavedFile, st.sampled_from(get_args(Kind)), texts, st.integers(0), texts, texts, st.none() | texts),
    max_size=2,
).map(tuple)
failures = st.lists(
    st.builds(FailedFile, st.sampled_from(get_args(Kind)), texts, st.builds(DownloadError, texts, texts)),
    max_size=2,
).map(tuple)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(tasks, files, failures, st.lists(texts, max_size=2).map(tuple))
def test_whatever_the_service_says(
    task: Task, saved: tuple[SavedFile, ...], failed: tuple[FailedFile, ...], not_found: tuple[str, ...]
) -> None:
    """It never raises, is well-formed with the tags of cards alone, leads to the web alone, and loses no title."""
    shown = [page(task), page(TaskBatch((task, task), not_found)), page(Downloads(task, saved, failed))]
    for each in shown:
        assert all(address.lower().startswith(("https://", "http://")) for address in each.addresses)
        for result in {"complete": task.results, "failed": task.partial_results}.get(task.state, ()):
            assert result.get("title", "").encode(errors="replace").decode() in each.text
    if not task.is_final:
        assert not shown[0].addresses
