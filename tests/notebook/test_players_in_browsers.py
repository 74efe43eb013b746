"""Pages and comparisons in headless Chromium: they play, seek and switch, by pointer and by key, and fit a phone.

`make browser` runs these tests. They are skipped where Chromium or playwright is not installed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from producer_tools import Downloads, SavedFile
from producer_tools.notebook import compare, write_page
from producer_tools.tasks.results import Result
from tests.files.audio.songs import save
from tests.files.audio.songs import tone as tone_of
from tests.notebook.documents import tone
from tests.notebook.page import COVER, complete, saved_file
from tests.notebook.servers import START_SECONDS, chromium_page, need

pytestmark = pytest.mark.timeout(600)

WORDS = "[Verse 1]\nla la\n" + "A line that is rather long for the narrow screen of a phone\n" * 20
HOSTILE = '</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
PLAYED = "() => [...document.querySelectorAll('audio')].map((player) => player.currentTime)"
MUTED = "() => [...document.querySelectorAll('audio')].map((player) => player.muted)"
TOO_SMALL = """() => [...document.querySelectorAll('button, summary, .choice label, .seek')]
    .filter((each) => each.checkVisibility() && Math.min(each.offsetWidth, each.offsetHeight) < 44)
    .map((each) => each.outerHTML)"""

# Of each "!" in the page: the text before it on its line, and whether the sign is on the right of it.
MARKS = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = {}, range = document.createRange();
    const left = (node, at) => {
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect().left;
    };
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.parentElement.tagName === 'SCRIPT' || !node.parentElement.checkVisibility()) continue;
        for (const match of node.data.matchAll(/([^\\n]+)!/g))
            found[match[1]] = left(node, match.index + match[1].length) > left(node, match.index);
    }
    return Object.entries(found).sort();
}"""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A file in a browser, in which it is an error to load anything else, to show a dialog or to print an error."""
    need()
    with chromium_page() as page:
        page.set_viewport_size({"width": 1200, "height": 900})
        problems: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:"))
                else problems.append(request.url))  # fmt: skip
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.goto(path.as_uri())
        yield page
        assert problems == []


def wait_until(frame: Any, has_come: Callable[[list[float]], bool]) -> None:
    """Wait until the players are at certain times. The policy forbids playwright's own way, which evaluates a text."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if has_come(frame.evaluate(PLAYED)):
            return
        frame.wait_for_timeout(50)
    pytest.fail(f"The players are at {frame.evaluate(PLAYED)}.")


def move_to_the_end(page: Any, number: int) -> None:
    """Move a player to shortly before its end. A short song may end before a busy machine has looked at it."""
    page.evaluate(
        f"() => {{ const it = document.querySelectorAll('audio')[{number}]; it.currentTime = it.duration - 0.3; }}"
    )


def album(folder: Path, *seconds: float) -> Path:
    """A page with a song of each of these lengths, with a cover and lyrics."""
    songs = []
    for number, length in enumerate(seconds, 1):
        audio_id = f"a{number}"
        song = tone(folder / f"{number}.wav", length, audio_id=audio_id)
        cover = saved_file(folder / f"{number}.png", b"", "cover", "image/png", COVER)
        result: Result = {"audio_id": audio_id, "title": f"Song {number}", "lyric": WORDS, "model": "FUZZ-2.0"}
        songs.append(Downloads(complete(result), (song,) if number > 1 else (song, cover)))
    return write_page(songs, folder / "album.html", "An album with a title that is rather long")


def test_a_song_plays_and_the_next_one_follows(tmp_path: Path) -> None:
    """Without that, an album would stop after each song, or two would play at once."""
    with opened(album(tmp_path, 60, 60)) as page:
        page.get_by_role("button", name="Play Song 1").click()
        bar = page.get_by_role("region", name="Now playing")
        bar.get_by_text("Song 1").wait_for()
        assert bar.get_by_role("button", name="Previous song").is_disabled()
        wait_until(page, lambda at: at[0] > 0.1)
        move_to_the_end(page, 0)
        bar.get_by_text("Song 2").wait_for()
        wait_until(page, lambda at: at[1] > 0.3)
        bar.get_by_role("button", name="Pause Song 2").click()
        first, second = page.evaluate(PLAYED)
        assert (first, second > 0.3) == (0, True)
        bar.get_by_role("button", name="Previous song").click()
        bar.get_by_text("Song 1").wait_for()


def test_pointer_and_keys_seek(tmp_path: Path) -> None:
    """A waveform that starts elsewhere than where it was clicked is of no use; keys are all that some people have."""
    with opened(album(tmp_path, 40)) as page:
        slider = page.get_by_role("slider", name="Position in Song 1")
        box = slider.bounding_box()
        slider.click(position={"x": box["width"] * 0.75, "y": 10})
        assert page.evaluate(PLAYED)[0] == pytest.approx(30, abs=0.2)
        slider.press("ArrowLeft")
        assert page.evaluate(PLAYED)[0] == pytest.approx(25, abs=0.2)
        assert slider.get_attribute("aria-valuetext") == "0:25 of 0:40"
        head = page.locator(".head-line").bounding_box()
        assert head["x"] + 1 == pytest.approx(box["x"] + box["width"] * 25 / 40, abs=3)
        slider.press(" ")
        wait_until(page, lambda at: at[0] > 25.3)


def test_a_song_that_was_moved_to_its_end_plays_from_the_beginning(tmp_path: Path) -> None:
    """Its button would say that it plays, and nothing would be heard."""
    with opened(album(tmp_path, 40)) as page:
        page.get_by_role("slider", name="Position in Song 1").press("End")
        wait_until(page, lambda at: at == [40])
        page.get_by_role("button", name="Play Song 1").click()
        wait_until(page, lambda at: 0.3 < at[0] < 40)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_phone(scheme: str, tmp_path: Path) -> None:
    """Otherwise one scrolls sideways to read a line, and cannot hit the buttons."""
    with opened(album(tmp_path, 60, 60)) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme=scheme)
        page.get_by_role("button", name="Play Song 2").click()
        for lyrics in page.locator("summary").all():
            lyrics.click()
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(TOO_SMALL) == []


def test_one_playhead_moves_both_takes(tmp_path: Path) -> None:
    """Takes that are apart in time cannot be compared."""
    takes = (tone(tmp_path / "a.wav", 40), tone(tmp_path / "b.wav", 20))
    (tmp_path / "out.html").write_text(compare(*takes)._repr_html_())
    with opened(tmp_path / "out.html") as page:
        frame = page.frames[1]
        frame.get_by_role("button", name="Play a and b").click()
        wait_until(frame, lambda at: min(at) > 0.3)
        assert frame.evaluate(MUTED) == [False, True]

        frame.get_by_role("radio", name="B: b").check()
        assert frame.evaluate(MUTED) == [True, False]
        assert frame.evaluate(PLAYED)[1] > 0.3, "the place is kept"
        wait_until(frame, lambda at: at[0] == pytest.approx(at[1], abs=0.15))

        slider = frame.get_by_role("slider", name="Position in a and b")
        slider.click(position={"x": slider.bounding_box()["width"] / 4, "y": 90})
        wait_until(frame, lambda at: 10.2 < min(at) <= max(at) < 20)
        frame.get_by_role("radio", name="B: b").press("ArrowLeft")
        assert frame.evaluate(MUTED) == [False, True]

        slider.click(position={"x": slider.bounding_box()["width"] * 0.75, "y": 10})
        wait_until(frame, lambda at: at[0] > 30.2)
        assert frame.evaluate(PLAYED)[1] == 20, "the shorter one has ended"
        frame.get_by_role("button", name="Pause a and b").click()
        slider.focus()
        slider.press("Home")
        assert frame.evaluate(PLAYED) == [0, 0]


def broken(path: Path, audio_id: str) -> SavedFile:
    """A song of which a browser can play nothing."""
    return replace(saved_file(path, b"\0\0\0\x20ftypM4A " + bytes(5000)), audio_id=audio_id, title=path.stem)


def test_a_song_that_cannot_be_played_says_so_and_is_passed_over(tmp_path: Path) -> None:
    """Its button would do nothing, without a word, and an album would stop there."""
    songs = [tone(tmp_path / "a.wav", 60), broken(tmp_path / "b.m4a", "b"), tone(tmp_path / "c.wav", 60, audio_id="c")]
    with opened(write_page(songs, tmp_path / "p.html")) as page:
        page.get_by_role("button", name="Play a", exact=True).click()
        wait_until(page, lambda at: at[0] > 0.1)
        move_to_the_end(page, 0)
        wait_until(page, lambda at: at[2] > 0.3)
        page.get_by_role("status").get_by_text("Cannot be played here").wait_for()
        page.get_by_role("button", name="Previous song").click()
        wait_until(page, lambda at: at[0] > 0.1)
    with opened(tmp_path / "p.html") as page:
        page.get_by_role("button", name="Play b").click()
        page.get_by_role("status").get_by_text("Cannot be played here").wait_for()
        page.wait_for_timeout(200)
        assert page.get_by_text("Cannot be played here").is_visible()
        assert page.evaluate(PLAYED) == [0, 0, 0], "somebody wants this song and no other one"


def test_a_take_that_cannot_be_played_is_named_and_the_other_one_plays(tmp_path: Path) -> None:
    """Otherwise neither could be heard, and one would not know which of them is broken."""
    path = write_page(compare(broken(tmp_path / "a.m4a", "a"), tone(tmp_path / "b.wav", 40)), tmp_path / "p.html")
    with opened(path) as page:
        page.locator(".controls .play").click()
        page.get_by_text("A cannot be played here").wait_for()
        wait_until(page, lambda at: at[1] > 0.3)
        page.get_by_role("radio", name="B: b").check()
        assert page.evaluate(MUTED) == [True, False]


def test_a_song_that_breaks_elsewhere_leaves_alone_what_plays(tmp_path: Path) -> None:
    """Whoever looks into another song would find that the one they hear has stopped, and a third one plays."""
    songs = [tone(tmp_path / "a.wav", 1), tone(tmp_path / "b.wav", 60, audio_id="b"),
             broken(tmp_path / "c.m4a", "c"), tone(tmp_path / "d.wav", 60, audio_id="d")]  # fmt: skip
    with opened(write_page(songs, tmp_path / "p.html")) as page:
        page.get_by_role("button", name="Play a", exact=True).click()
        wait_until(page, lambda at: at[1] > 0.3)
        page.get_by_role("slider", name="Position in c").click()
        page.evaluate("() => document.querySelectorAll('audio')[2].load()")  # as some browsers do by themselves
        page.get_by_text("Cannot be played here").wait_for()
        before = page.evaluate(PLAYED)[1]
        wait_until(page, lambda at: at[1] > before + 0.3)
        assert page.evaluate(PLAYED)[3] == 0


def test_a_comparison_ends_where_the_longer_take_breaks(tmp_path: Path) -> None:
    """Its button would say for ever that it plays, and the next songs of a page would not follow."""
    song = save(tmp_path / "b.m4a", tone_of(4, 0.3))
    content = bytearray(song.read_bytes())
    middle, index = len(content) // 2, content.find(b"moov") - 4
    content[middle:index] = Random(1).randbytes(index - middle)
    path = write_page(compare(tone(tmp_path / "a.wav", 0.5), saved_file(song, bytes(content))), tmp_path / "p.html")
    with opened(path) as page:
        page.locator(".controls .play").click()
        page.get_by_text("B cannot be played here").wait_for()
        page.get_by_role("button", name="Play a and b").wait_for()


def test_without_scripts_the_browsers_own_players_are_named(tmp_path: Path) -> None:
    """A notebook may forbid scripts. Of two players alike, one would not know which is A."""
    need()
    path = write_page(compare(tone(tmp_path / "a.wav", 4), tone(tmp_path / "b.wav", 2)), tmp_path / "p.html")
    with chromium_page() as page:
        plain = page.context.browser.new_page(java_script_enabled=False)
        plain.goto(path.as_uri())
        assert [each.inner_text() for each in plain.locator(".named").all() if each.is_visible()] == ["A: a", "B: b"]
        assert plain.locator("audio:visible").count() == 2
        page.goto(path.as_uri())
        assert page.locator(".named:visible, audio:visible").count() == 0


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_a_long_title_leaves_room_in_the_frame(width: int, tmp_path: Path) -> None:
    """The height of a frame in a notebook is fixed: what is known of B would be cut off."""
    take = replace(tone(tmp_path / "a.wav", 4), title="A title that a model did not know how to end " * 6)
    (tmp_path / "out.html").write_text(compare(take, take)._repr_html_())
    with opened(tmp_path / "out.html") as page:
        page.set_viewport_size({"width": width, "height": 900})
        frame = page.frames[1]
        assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert frame.get_by_text("too short").last.is_visible()


def test_lines_in_hebrew_are_read_from_the_right(tmp_path: Path) -> None:
    """Their last sign would stand before them."""
    song: Result = {"audio_id": "a1", "title": "\u05e9\u05d9\u05e8!", "lyric": "la la!\n\u05e9\u05dc\u05d5\u05dd!"}
    downloads = Downloads(complete(song), (tone(tmp_path / "a.wav", 1),))
    card, album = tmp_path / "card.html", write_page(downloads, tmp_path / "p.html")
    card.write_text(f"<meta charset=utf-8>{downloads._repr_html_()}")
    for path in (card, album):
        with opened(path) as page:
            starts = page.evaluate(MARKS)
            assert starts == [["la la", True], ["\u05e9\u05d9\u05e8", False], ["\u05e9\u05dc\u05d5\u05dd", False]]


def test_a_page_prints_dark_on_white(tmp_path: Path) -> None:
    """With a dark theme, its texts would be light grey on white paper; a comparison would have no names."""
    songs = (tone(tmp_path / "a.wav", 4), tone(tmp_path / "b.wav", 2, audio_id="b"))
    with opened(write_page([*songs, compare(*songs)], tmp_path / "p.html")) as page:
        page.emulate_media(color_scheme="dark", media="print")
        for name in ("h2", ".take b"):
            assert page.locator(name).last.evaluate("(each) => getComputedStyle(each).color") == "rgb(0, 0, 0)"
            assert page.locator(name).last.is_visible()
        assert page.locator("button:visible, .seek:visible").count() == 0
        assert page.locator(".wave:visible").count() == 4


def test_hostile_texts_do_nothing(tmp_path: Path) -> None:
    """A song's title is written by a model, and a page from the disk may read other files there."""
    song: Result = {"audio_id": "a1", "title": HOSTILE, "lyric": f"[{HOSTILE}]\n{HOSTILE}", "style": HOSTILE}
    downloads = Downloads(complete(song), (tone(tmp_path / "a.wav", 20),))
    path = write_page([downloads, compare(downloads, downloads)], tmp_path / "p.html", HOSTILE)
    with opened(path) as page:
        page.locator(".play").first.click()
        wait_until(page, lambda at: at[0] > 0.1)
        assert page.evaluate("window.hacked") is None
        assert page.title() == HOSTILE


def test_the_policy_stops_a_script_that_was_not_escaped(tmp_path: Path) -> None:
    """The second line of defence: if a text were not escaped one day, it still could not run or send anything."""
    need()
    path = album(tmp_path, 1)
    html = path.read_text("utf-8").replace("</main>", f"{HOSTILE}<img src='http://127.0.0.1:9/x'></main>")
    path.write_text(html, "utf-8")
    with chromium_page() as page:
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(path.as_uri())
        page.get_by_role("button", name="Play Song 1").wait_for()
        assert page.evaluate("window.hacked") is None
        assert len([text for text in refused if "Content Security Policy" in text]) >= 3
