"""Songs on a page that plays offline: what is in it, and what never is."""

import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from producer_tools import Downloader, Downloads, FailedFile, Measured, ProducerClient, SavedFile
from producer_tools.errors import DownloadError, InvalidArgumentError
from producer_tools.notebook import compare, write_page
from producer_tools.requests import GenerateCustomMusic, GenerateMusic, PaidRequest, StemsMusic
from producer_tools.tasks.results import Result
from tests.notebook.documents import Document, tone
from tests.notebook.page import AUDIO, COVER, SONG, complete, embedded, saved_file


def written(songs: Any, path: Path, title: str | None = None) -> Document:
    """The page, whose policy is checked."""
    document = Document(write_page(songs, path / "page.html", title).read_text("utf-8"))
    document.check_policy()
    return document


def test_a_page_has_the_song_its_cover_words_and_facts(tmp_path: Path) -> None:
    """What is not in the page cannot be seen or heard without the network."""
    measured = Measured(4.0, 8000, 1, -14.2, -1.0, clipped_share=0.02)
    song = replace(tone(tmp_path / "a.wav", 1), measured=measured, duration_seconds=135.2)
    cover = saved_file(tmp_path / "a.png", b"picture", "cover", "image/png", COVER)
    downloads = Downloads(complete(SONG), (song, cover))
    path = downloads.to_html(tmp_path / "album.html")
    assert path == tmp_path / "album.html"
    shown = Document(path.read_text("utf-8"))
    shown.check_policy()
    assert embedded(*shown.sources("audio")) == ("audio/wav", Path(song.path).read_bytes())
    assert embedded(*shown.sources("img")) == ("image/png", b"picture")
    assert (shown.named("title"), shown.named("h1"), shown.named("h2")) == (["First Day"],) * 3
    assert {"Made with AI by FUZZ-2.0", "Made with AI, by FUZZ-2.0."} <= set(shown.named("p"))
    assert shown.classed("finding") == [
        *measured.findings, "shorter than the service says: 4.0 s in place of 135.2 s"
    ]  # fmt: skip
    assert shown.classed("part") == ["Versela la"]
    assert "0:04 · jazz" in shown.named("p"), "the measured length is the true one"
    assert len(shown.classed("wave")) == 1


@pytest.mark.usefixtures("silent_files")
async def test_a_page_of_what_the_sandbox_made(client: ProducerClient, tmp_path: Path) -> None:
    """If the page did not find the saved files, nothing would play."""
    task = await client.submit(GenerateMusic(prompt="x"))
    downloads = await Downloader(client, tmp_path / "songs").save(str(task.task_id))
    for songs in (downloads, [downloads], downloads.files, tmp_path / "songs", str(tmp_path / "songs")):
        shown = written(songs, tmp_path)
        assert embedded(*shown.sources("audio"))[1] == Path(downloads.files[0].path).read_bytes()
        assert len(shown.sources("img")) == 1
        assert shown.named("h2") == [downloads.task.results[0]["title"]]


@pytest.mark.usefixtures("silent_files")
def test_stems_in_a_directory_are_songs_of_their_own(client: ProducerClient, tmp_path: Path) -> None:
    """Their tags have the song's id. They would be missing, or the vocals would be played as the song."""
    folder = tmp_path / "songs"

    def saved(request: PaidRequest) -> Downloads:
        return Downloader(client, folder).save_sync(str(client.submit_sync(request).task_id))

    song = saved(GenerateCustomMusic(title="First Day", lyric="la")).task.results[0]
    saved(StemsMusic(audio_id=song.get("audio_id", "")))
    stems = ["First Day (instrumental)", "First Day (vocals)"]
    assert written(folder, tmp_path).named("h2") == ["First Day", *stems]
    from_disk = [SavedFile.from_path(path) for path in folder.glob("*(*).wav")]
    assert sorted(written(from_disk, tmp_path).named("h2")) == stems


def test_the_files_of_one_song_are_one_song(tmp_path: Path) -> None:
    """An album with each song twice, as M4A and as WAV, would be twice as long. A stem is not the song."""
    song = tone(tmp_path / "a.wav", 1)
    wav = replace(tone(tmp_path / "b.wav", 1), kind="wav")
    cover = saved_file(tmp_path / "a.png", b"picture", "cover", "image/png", COVER)
    stem = replace(tone(tmp_path / "a (vocals).wav", 1), kind="stem")
    shown = written([wav, cover, song, stem], tmp_path)
    assert shown.named("h2") == ["a", "a (vocals)"]
    assert embedded(shown.sources("audio")[0])[1] == Path(song.path).read_bytes()
    assert "2 songs · 0:02" in shown.named("p")


def test_the_state_of_an_album_graph(tmp_path: Path) -> None:
    """Someone who restores an album from its checkpoint has only these mappings."""
    file = asdict(replace(tone(tmp_path / "a.wav", 1), measured=Measured(1.0, 8000)))
    song = {"number": 1, "wish": "w", "task": {"results": [SONG]}, "files": [{**file, "of_a_later_version": 1}]}
    failed = {"number": 2, "wish": "a <slow> waltz", "error": {"code": "budget_exceeded", "message": "m"}}
    shown = written({"wishes": [], "songs": [song, failed]}, tmp_path, "My <album>")
    assert shown.named("h1") == ["My <album>"]
    assert shown.named("h2") == ["First Day", "a <slow> waltz"]
    assert shown.classed("problem") == ["There is no song (budget_exceeded)."]
    assert "8\u202fkHz · 16\u202fkB" in shown.named("p")
    assert written(song, tmp_path).named("h2") == ["First Day"]
    wav = {**file, "kind": "wav"}
    assert written([wav, file], tmp_path).named("h2") == ["a"], "two files of one song"


def delete(path: Path) -> None:
    path.unlink()


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def replace_by_a_link(path: Path) -> None:
    path.rename(path.with_name("secret"))
    path.symlink_to(path.with_name("secret"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [(delete, "no longer there"), (lengthen, "changed"), (replace_by_a_link, "a link, which is not followed")],
)
def test_a_file_that_has_changed_is_named_and_not_played(
    change: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    """A page is made to be given away: what a link leads to, such as a key, must not be in it."""
    songs = [tone(tmp_path / name, 1, audio_id=name) for name in ("a.wav", "b.wav")]
    cover = saved_file(tmp_path / "a.png", b"picture", "cover", "image/png", COVER)
    change(tmp_path / "a.wav")
    change(tmp_path / "a.png")
    shown = written([*songs, replace(cover, audio_id="a.wav")], tmp_path)
    assert shown.classed("problem") == [f"a.wav: {reason}."]
    assert len(shown.sources("audio")) == 1
    assert shown.sources("img") == []


def test_a_directory_with_files_of_all_kinds(tmp_path: Path) -> None:
    """One broken file must not cost the whole page, and links lead out of the directory."""
    folder = tmp_path / "songs"
    folder.mkdir()
    tone(folder / "Good.wav", 1)
    (folder / "Good.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (folder / "Broken.m4a").write_bytes(b"no song")
    (folder / "notes.txt").write_text("text")
    (folder / "Folder.wav").mkdir()
    (folder / "Link.wav").symlink_to(folder / "Good.wav")
    shown = written(folder, tmp_path)
    assert shown.named("h2") == ["Good", "Broken"]
    assert shown.classed("problem") == ["Broken.m4a cannot be read."]
    assert str(tmp_path) not in shown.text, "a page is given away, and shows no path of its maker's"
    assert "Made with AI" not in shown.text, "nobody knows who made it"


def test_what_could_not_be_saved_is_named(tmp_path: Path) -> None:
    """An album with a song less would look complete."""
    failed = FailedFile("audio", AUDIO, DownloadError("disk_full", f"There is no room left in {tmp_path}."))
    shown = written(Downloads(complete(SONG), (), (failed,)), tmp_path)
    assert shown.classed("problem") == ["It could not be saved (disk_full)."]


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "\ud83d<!--"]
)
def test_texts_cannot_become_markup(text: str, tmp_path: Path) -> None:
    """A page that is opened from the disk may read other files there. `Document` refuses all that no page needs."""
    result: Result = {"audio_id": "a1", "title": text, "lyric": f"[{text}]\n{text}", "model": text, "style": text}
    song = replace(tone(tmp_path / "a.wav", 1), content_type=text, measured=None)
    shown = Document(write_page(Downloads(complete(result), (song,)), tmp_path / "p.html", text).read_text("utf-8"))
    assert len(shown.named("script")) == 1
    visible = text.encode(errors="replace").decode()
    assert shown.named("h1") == shown.named("h2") == [visible]
    assert shown.classed("part") == [visible * 2]


def test_a_page_replaces_a_file_but_no_directory(tmp_path: Path) -> None:
    """A run that is repeated must replace its page; a mistyped path must not cost a directory, or what a link is to."""
    song = tone(tmp_path / "a.wav", 1)
    (tmp_path / "page.html").write_text("old")
    (tmp_path / "other.html").write_text("kept")
    (tmp_path / "link.html").symlink_to(tmp_path / "other.html")
    assert "old" not in write_page(song, tmp_path / "page.html").read_text("utf-8")
    write_page(song, tmp_path / "link.html")
    assert (tmp_path / "other.html").read_text() == "kept"
    assert write_page(song, tmp_path / "new" / "page.html").is_file()
    with pytest.raises(InvalidArgumentError, match=r"is a directory\. Name a file"):
        write_page(song, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a page in its place would lose the old one."""
    song = tone(tmp_path / "a.wav", 1)
    page = write_page(song, tmp_path / "page.html")
    before = page.read_bytes()
    with pytest.raises(DownloadError, match="no_write_access"):
        write_page(song, tmp_path / "a.wav" / "page.html")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("producer_tools.files.fetch.part_file.os.fsync", fail)
    with pytest.raises(DownloadError, match="disk_full"):
        write_page(song, page)
    assert page.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "page.html"]


@pytest.mark.parametrize("name", ["pipe", "a\0b.html", "\ud800.html"])
def test_a_path_that_no_page_can_have_is_refused(name: str, tmp_path: Path) -> None:
    """A page that takes the place of a device, such as /dev/null, breaks the machine for everyone on it."""
    song = tone(tmp_path / "a.wav", 1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgumentError, match="path: "):
        write_page(song, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 2


def test_songs_and_comparisons_may_come_one_after_the_other(tmp_path: Path) -> None:
    """A generator or a dictionary's values are as good as a list."""
    song = tone(tmp_path / "a.wav", 1)
    assert written((each for each in (song, compare(song, song))), tmp_path).named("h2") == ["a", "a"]
    assert written({"first": song}.values(), tmp_path).named("h2") == ["a"]


def test_stems_have_names_of_their_own(tmp_path: Path) -> None:
    """All stems have the title of their song, so nobody could tell the vocals from the drums."""
    url = "https://cdn.example/stems.zip"
    stems = [tone(tmp_path / f"First Day ({part}).wav", 1) for part in ("vocals", "drums")]
    files = tuple(replace(stem, kind="stem", title="First Day", url=url) for stem in stems)
    downloads = Downloads(complete({"audio_id": "a1", "title": "First Day", "stems_url": url}), files)
    assert written(downloads, tmp_path).named("h2") == ["First Day (vocals)", "First Day (drums)"]


@pytest.mark.parametrize(
    ("songs", "problem"),
    [
        (7, "int is no"),
        ([], "there is no song"),
        ({"messages": []}, "no state of an album graph"),
        ({"kind": "audio", "path": "x"}, "no saved file"),
        (complete(SONG), "Task is no.*: save it first"),
        ("missing.m4a", "there is no file"),
        ("x" * 5000, "cannot be read"),
        ({"kind": "audio", "path": 3, "bytes": 1, "content_type": "audio/wav"}, "path Input should be a valid string"),
        (Downloads(complete({"lyrics": "la"}), ()), "there is no song"),
    ],
)
def test_what_is_no_song_is_refused(songs: Any, problem: str, tmp_path: Path) -> None:
    """An empty page would look as if the songs were lost."""
    with pytest.raises(InvalidArgumentError, match=problem):
        write_page(songs, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -5.0, 0.0, 1e308])
def test_an_impossible_length_is_left_out(seconds: float, tmp_path: Path) -> None:
    """One wrong number of the service would cost the whole page."""
    odd = replace(saved_file(tmp_path / "a.m4a", b"cannot be decoded"), duration_seconds=seconds)
    shown = written([odd, compare(odd, odd)], tmp_path)
    assert [each.attributes["data-seconds"] for each in shown.elements if "data-seconds" in each.attributes] == [
        "0.000", "0.000"
    ]  # fmt: skip


def test_a_file_of_another_person_is_not_called_ai_made(tmp_path: Path) -> None:
    """A recording of one's own beside a song would be labelled wrongly."""
    own = SavedFile("audio", str(tmp_path / "own.wav"), 0, "audio/wav")
    assert "Made with AI" not in written(own, tmp_path).text


def test_a_file_that_only_says_that_it_is_ai_made_is_called_so(tmp_path: Path) -> None:
    """A program that has converted it may have left out the ids, and a page that is given away must still say so."""
    converted = SavedFile("audio", str(tmp_path / "a.m4a"), 0, "audio/mp4", ai_made=True)
    assert "Made with AI" in written(converted, tmp_path).text


def test_a_path_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page would be in a directory with the name ``~`` of the current one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    tone(tmp_path / "song.wav", 1)
    assert write_page("~/song.wav", "~/page.html") == tmp_path / "page.html"
