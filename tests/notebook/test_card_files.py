"""How saved files are displayed: embedded if they are small, from their path if they are large, else by their URL."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from producer_tools import Downloads, FailedFile, SavedFile
from producer_tools.errors import DownloadError
from producer_tools.tasks.results import Kind, Result
from tests.notebook.page import AUDIO, COVER, SONG, bar_heights, complete, embedded, page, saved_file, saved_wav


def test_small_files_are_embedded(tmp_path: Path) -> None:
    """An embedded song still plays when its URL has expired."""
    audio = saved_file(tmp_path / "a.m4a", bytes(range(256)) * 3)
    cover = saved_file(tmp_path / "a.png", b"picture", "cover", "image/png", COVER)
    shown = page(Downloads(complete(SONG), (audio, cover)))
    assert embedded(*shown.sources("audio")) == ("audio/mp4", bytes(range(256)) * 3)
    assert embedded(*shown.sources("img")) == ("image/png", b"picture")
    assert {"a.m4a (1\u202fkB)", "a.png (0\u202fkB)"} <= set(shown.elements[0].text)


@pytest.mark.parametrize(
    ("kind", "tag", "url", "limit"), [("audio", "audio", AUDIO, 2_500_000), ("cover", "img", COVER, 300_000)]
)
def test_large_files_are_not_embedded(  # noqa: PLR0917 - a row of the table
    kind: Kind, tag: str, url: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook of a hundred megabytes can neither be saved nor shared."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my songs").mkdir()
    path = tmp_path / "my songs" / "#1: ü%.bin"
    at_limit = Downloads(complete(SONG), (saved_file(path, bytes(limit), kind, url=url),))
    assert page(at_limit).sources(tag)[0].startswith("data:")

    above = Downloads(complete(SONG), (saved_file(path, bytes(limit + 1), kind, url=url),))
    (source,) = page(above).sources(tag)
    assert not set("#: ü") & set(source), "a browser would not read them as part of the path"
    assert unquote(source) == "my songs/#1: ü%.bin", "Jupyter serves paths below the current directory"

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert page(above).sources(tag) == [url], "Jupyter serves nothing outside the current directory"


def test_stems_are_linked_by_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to the URL would break when it expires, though the file is on the disk."""
    monkeypatch.chdir(tmp_path)
    stems = saved_file(tmp_path / "s.zip", b"PK", "stems", "application/zip")
    assert page(Downloads(complete({"audio_id": "a1", "stems_url": AUDIO}), (stems,))).addresses == ["s.zip"]


def test_each_stem_is_linked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single link called "Stems" would lead to one of them, and the others would not be found."""
    monkeypatch.chdir(tmp_path)
    names = ("First Day (vocals).wav", "First Day (drums).wav")
    stems = tuple(saved_file(tmp_path / name, b"x", "stem", "audio/wav") for name in names)
    shown = page(Downloads(complete({"audio_id": "a1", "stems_url": AUDIO}), stems))
    assert [element.text for element in shown.elements if element.tag == "a"] == [[name] for name in names]
    assert [unquote(address) for address in shown.addresses] == list(names)


def test_the_video_of_a_song_is_linked_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to the URL would break when it expires, though the video is on the disk."""
    monkeypatch.chdir(tmp_path)
    url = "https://cdn.example/v.mp4"
    video = saved_file(tmp_path / "v.mp4", b"small", "video", "video/mp4", url)
    song: Result = {**SONG, "video_url": url}
    assert "v.mp4" in page(Downloads(complete(song), (video,))).addresses
    assert url not in page(Downloads(complete(song), (video,))).addresses
    assert url in page(Downloads(complete(song), ())).addresses

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert url in page(Downloads(complete(song), (video,))).addresses, "Jupyter serves nothing outside"


def test_each_result_plays_its_own_file(tmp_path: Path) -> None:
    """Songs may share a cover URL or have no id; mixed up, one song would play under the title of another."""
    first, second = (
        saved_file(tmp_path / name, name.encode(), url=f"https://cdn.example/{name}") for name in ("1", "2")
    )
    results: list[Result] = [{"audio_url": first.url or ""}, {"audio_url": second.url or ""}]
    saved = (replace(second, audio_id=None), replace(first, audio_id=None))
    shown = page(Downloads(complete(*results), saved))
    assert [embedded(source)[1] for source in shown.sources("audio")] == [b"1", b"2"]
    assert shown.text.count("(0\u202fkB)") == 2, "each file is named once"

    results = [{"audio_id": "x", "image_url": COVER}, {"audio_id": "y", "image_url": COVER}]
    covers = [replace(file, kind="cover", url=COVER) for file in (second, first)]
    saved = (replace(covers[0], audio_id="y"), replace(covers[1], audio_id="x"))
    shown = page(Downloads(complete(*results), saved))
    assert [embedded(source)[1] for source in shown.sources("img")] == [b"1", b"2"]


def delete(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(b"RI")


def replace_by_a_link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def replace_by_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (delete, "no longer there"),
        (shorten, "changed"),
        (replace_by_a_link, "a link, which is not followed"),
        (replace_by_a_directory, "changed"),
    ],
)
def test_a_file_that_has_changed_is_not_used(change: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    """The URL plays instead, and the card must not say that the file is there."""
    file = saved_wav(tmp_path / "a.wav", bytes(2000))
    change(Path(file.path))
    shown = Downloads(complete(SONG), (file,))
    assert page(shown).sources("audio") == [AUDIO]
    assert f"a.wav ({reason})" in page(shown).text
    assert not bar_heights(shown)


def test_an_invalid_path_does_not_raise() -> None:
    """One bad path would leave the notebook without any card."""
    for path in ("\0", "\ud83d", "", "x" * 9999):
        file = SavedFile("audio", path, 1, "audio/wav", AUDIO, "a1")
        assert page(Downloads(complete(SONG), (file,))).sources("audio") == [AUDIO]


def test_files_that_could_not_be_saved_are_named() -> None:
    """Otherwise a cover that was not saved would look like a song without a cover."""
    failed = FailedFile("cover", COVER, DownloadError("disk_full", "There is no room left."))
    shown = page(Downloads(complete(SONG), (), (failed,)))
    assert "Not saved: cover. disk_full: There is no room left." in shown.text
    assert shown.sources("img") == [COVER]
