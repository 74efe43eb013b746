"""Whose name a file gets: songs of one title, files of the user's, lost indexes, and downloads that were killed."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from producer_tools import Downloader, Downloads, ProducerClient, Task
from producer_tools.concurrency.threads import in_thread
from producer_tools.files.audio.tags import Tags, read_tags
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.formats.types import TYPES
from producer_tools.files.library import finishing
from producer_tools.files.library.index import Entry, Index
from producer_tools.files.library.library import Library
from producer_tools.files.library.wanted import Wanted, wanted_files
from producer_tools.tasks.results import Result
from tests.crash.processes import quick_starts
from tests.files.song_server import reply, serving, short_wav
from tests.raw_server import answering
from tests.saved_files import INDEX, lines_of_index, saved_files

SONG = short_wav()
PICTURE = b"\xff\xd8\xff\xe0\0\x41" + b"picture" * 9 + b"\xff\xd9"


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries that measure take seconds to load."""
    monkeypatch.setattr(finishing, "measure", not_measured)


def not_measured(_: Path) -> None:
    return None


def task(url: str, task_id: str | None = "t1", **keys: Any) -> Task:
    result = {"audio_id": f"{task_id}-song", "title": "Song", "audio_url": url, **keys}
    return Task(task_id, "complete", (cast("Result", result),))


async def save(directory: Path, task_id: str = "t1", song: bytes = SONG, **keys: Any) -> Downloads:
    async with serving({"/a": reply(song), "/b": reply(PICTURE)}) as url, ProducerClient("t", url) as client:
        return await Downloader(client, directory).save(task(f"{url}/a", task_id, image_url=f"{url}/b", **keys))


def names(directory: Path) -> list[str]:
    return [path.name for path in saved_files(directory)]


async def test_all_files_of_a_song_have_one_name(tmp_path: Path) -> None:
    """Of two songs with one title, a person must see which cover belongs to which."""
    await save(tmp_path, "t1")
    await save(tmp_path, "t2")
    assert names(tmp_path) == ["Song (t2).jpg", "Song (t2).wav", "Song.jpg", "Song.wav"]


async def test_titles_that_some_file_systems_take_for_one(tmp_path: Path) -> None:
    """A directory that is copied to macOS or Windows would lose one of the songs."""
    await save(tmp_path, "t1", title="CAFÉ")
    await save(tmp_path, "t2", title="Cafe\u0301")
    assert names(tmp_path) == ["CAFÉ.jpg", "CAFÉ.wav", "Café (t2).jpg", "Café (t2).wav"]


async def test_a_file_of_the_user_is_never_overwritten(tmp_path: Path) -> None:
    """It may be the only copy of something."""
    (tmp_path / "Song.wav").write_bytes(SONG + b"mine")
    (tmp_path / "Song.jpg").mkdir()
    first = await save(tmp_path)
    assert [file.name for file in first.files] == ["Song (t1).wav", "Song (t1).jpg"]
    assert (tmp_path / "Song.wav").read_bytes() == SONG + b"mine"
    again = await save(tmp_path)
    assert [(file.name, file.downloaded) for file in again.files] == [
        ("Song (t1).wav", False),
        ("Song (t1).jpg", False),
    ]


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd"), lambda p: p.write_text("x")])
async def test_what_a_user_has_put_in_the_place_of_a_song_stays(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """A directory, a link or a text is no damaged song."""
    await save(tmp_path)
    (tmp_path / "Song.wav").unlink()
    make(tmp_path / "Song.wav")

    def as_it_is() -> tuple[int, ...]:
        found = (tmp_path / "Song.wav").lstat()
        return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns  # it may be read, which changes st_atime

    before = as_it_is()
    again = await save(tmp_path)
    assert again.files[0].name == "Song (t1).wav"
    assert as_it_is() == before


@pytest.mark.parametrize("rest", [b"", SONG[:-100]], ids=["empty", "cut off"])
async def test_a_damaged_song_is_replaced(rest: bytes, tmp_path: Path) -> None:
    """A second file would stay beside the damaged one, and a person would play that one."""
    await save(tmp_path)
    (tmp_path / "Song.wav").write_bytes(rest)
    again = await save(tmp_path)
    assert (again.files[0].name, again.files[0].downloaded) == ("Song.wav", True)
    assert names(tmp_path) == ["Song.jpg", "Song.wav"]


async def test_without_an_index_a_song_is_recognised_by_its_tags(tmp_path: Path) -> None:
    """A user who has deleted the index must not get each song twice. A cover has no tags, so there is another one."""
    await save(tmp_path, "t1")
    await save(tmp_path, "t2")
    (tmp_path / INDEX).unlink()
    second, first = await save(tmp_path, "t2"), await save(tmp_path, "t1")
    assert [(each.files[0].name, each.files[0].downloaded) for each in (first, second)] == [
        ("Song.wav", False),
        ("Song (t2).wav", False),
    ]
    assert len([name for name in names(tmp_path) if name.endswith(".wav")]) == 2


async def test_a_song_of_another_task_in_its_place_is_not_taken_for_it(tmp_path: Path) -> None:
    """A user who has renamed songs would be given the wrong one."""
    await save(tmp_path, "t1")
    await save(tmp_path, "t2", song=short_wav(0.2))
    (tmp_path / "Song (t2).wav").replace(tmp_path / "Song.wav")
    (saved, _) = (await save(tmp_path, "t1")).files
    tags = await asyncio.to_thread(read_tags, Path(saved.path))
    assert tags is not None
    assert tags.task_id == "t1"


async def test_songs_of_one_length_whose_names_were_swapped(tmp_path: Path) -> None:
    """Each would be taken for the other, since it is as long as the one that was saved under its name."""
    await save(tmp_path, "t1")
    await save(tmp_path, "t2")
    first, second = tmp_path / "Song.wav", tmp_path / "Song (t2).wav"
    assert first.stat().st_size == second.stat().st_size
    first.rename(tmp_path / "x.wav")
    second.rename(first)
    (tmp_path / "x.wav").rename(second)
    (saved, _) = (await save(tmp_path, "t1")).files
    tags = await asyncio.to_thread(read_tags, Path(saved.path))
    assert tags is not None
    assert tags.task_id == "t1"
    assert len([name for name in names(tmp_path) if name.endswith(".wav")]) == 3, "nothing was overwritten"


async def test_an_index_that_is_a_directory_fails_each_file(tmp_path: Path) -> None:
    """Without the index, another file could be overwritten. The user learns what to move away."""
    (tmp_path / INDEX).mkdir()
    downloads = await save(tmp_path)
    assert {failed.error.code for failed in downloads.failed} == {"no_write_access"}
    assert INDEX in downloads.failed[0].error.message
    assert names(tmp_path) == []


async def test_an_index_that_cannot_be_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the index does not know would be downloaded again at each call."""
    write = os.write

    def full(file: int, data: Any) -> int:
        if b'"state"' in bytes(data):
            raise OSError(28, "full")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    downloads = await save(tmp_path)
    assert {failed.error.code for failed in downloads.failed} == {"disk_full"}
    assert names(tmp_path) == []


async def test_the_index_has_no_url(tmp_path: Path) -> None:
    """A signed URL lets whoever reads it fetch the file."""
    await save(tmp_path, lyrics="la la", sound="a waltz", model="FUZZ-2.0", seed="7")
    assert "http" not in (tmp_path / INDEX).read_text()
    audio = {line["kind"]: line for line in lines_of_index(tmp_path)}["audio"]
    facts = {"state": "saved", "task_id": "t1", "audio_id": "t1-song", "title": "Song", "prompt": "a waltz"}
    assert {key: audio[key] for key in facts} == facts
    assert (audio["model"], audio["seed"], audio["name"], audio["tagged"]) == ("FUZZ-2.0", "7", "Song.wav", True)


async def test_a_directory_that_cannot_be_written_still_gives_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A song that is there can be played."""
    await save(tmp_path)
    monkeypatch.setattr(Index, "changing", lambda _: (_ for _ in ()).throw(AssertionError("nothing is to be written")))
    again = await save(tmp_path)
    assert [file.downloaded for file in again.files] == [False, False]


async def test_a_process_reads_an_index_once(tmp_path: Path) -> None:
    """With 5,000 songs, reading all of it takes a fifth of a second of each save."""
    await save(tmp_path, "t1")
    index, status = tmp_path / INDEX, (tmp_path / INDEX).stat()
    index.write_bytes(bytes(status.st_size - 1) + b"\n")  # so that reading it again would find nothing
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = await save(tmp_path, "t1")
    assert [file.downloaded for file in again.files] == [False, False]


STEPS: dict[str, tuple[Any, str]] = {
    "before the name is reserved": (Index, "changing"),
    "after the name was reserved": (PartFile, "keep_unless_taken"),
    "between the two names": (Path, "unlink"),
    "after the file got its name": (finishing, "write_tags"),
    "after the tags": (finishing, "measure"),
    "before the last line": (Library, "record"),
}


def save_and_die(directory: Path, step: str) -> None:
    """Save a song, and be killed when the step is reached."""
    setattr(finishing, "measure", not_measured)  # noqa: B010 - mypy allows no other way
    place, function = STEPS[step]
    setattr(place, function, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    (wanted,) = wanted_files(task("https://example.com/a"))
    library, part = Library(directory), PartFile(directory)
    part.restart()
    part.write(SONG)
    placed = library.place(part, wanted, TYPES["wav"][0])
    asyncio.run(finishing.finish(library, placed.entry, None, None))


async def test_a_file_that_another_call_saves_just_now_is_not_saved_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other call has reserved the name, and puts the file there while this one looks for a name."""
    await save(tmp_path, "t1")
    song, elsewhere = tmp_path / "Song.wav", tmp_path / "elsewhere"
    song.rename(elsewhere)
    lexists = os.path.lexists

    def put_back_first(path: Path) -> bool:
        if elsewhere.exists():
            elsewhere.rename(song)
        return lexists(path)

    monkeypatch.setattr("os.path.lexists", put_back_first)
    await save(tmp_path, "t1")
    assert [name for name in names(tmp_path) if name.endswith(".wav")] == ["Song.wav"]


@pytest.mark.enable_socket  # processes are started over a Unix socket
@pytest.mark.parametrize("step", STEPS)
async def test_a_download_that_is_killed_is_completed_by_the_next_one(step: str, tmp_path: Path) -> None:
    """Whenever it is killed, there is one whole, tagged song in the end, and its name is the right one."""
    process = quick_starts().Process(target=save_and_die, args=(tmp_path, step), daemon=True)
    process.start()
    await asyncio.to_thread(process.join, 200)
    assert process.exitcode == -signal.SIGKILL
    async with answering(reply(SONG)) as server, ProducerClient("t", server.base_url) as client:
        (saved,) = (await Downloader(client, tmp_path).save(task(server.base_url))).files
    assert saved.name == "Song.wav"
    assert [name for name in names(tmp_path) if not name.startswith(".producer-")] == ["Song.wav"]
    assert await asyncio.to_thread(read_tags, Path(saved.path)) == Tags(title="Song", task_id="t1", audio_id="t1-song")
    assert lines_of_index(tmp_path)[-1]["state"] == "saved"


def save_in_process(directory: Path, task_id: str) -> None:
    setattr(finishing, "measure", not_measured)  # noqa: B010 - mypy allows no other way
    asyncio.run(save(directory, task_id))


@pytest.mark.enable_socket
async def test_processes_save_songs_of_one_title_at_the_same_time(tmp_path: Path) -> None:
    """One song would overwrite the other."""
    processes = [quick_starts().Process(target=save_in_process, args=(tmp_path, f"t{n}"), daemon=True) for n in (1, 2)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join, 200)
        assert process.exitcode == 0
    paths = [path for path in saved_files(tmp_path) if path.suffix == ".wav"]
    songs = [await asyncio.to_thread(read_tags, path) for path in paths]
    assert {song.task_id for song in songs if song} == {"t1", "t2"}
    assert len(names(tmp_path)) == 4


async def test_many_saves_leave_threads_to_other_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paid call that writes in a thread would wait for seconds until fifty large indexes are read."""
    find, release, looking = Library.find, threading.Event(), 0

    def slow(library: Library, wanted: Wanted) -> Entry | None:
        nonlocal looking
        looking += 1
        release.wait()
        return find(library, wanted)

    monkeypatch.setattr(Library, "find", slow)
    saves = [asyncio.ensure_future(save(tmp_path, f"t{number}")) for number in range(20)]
    try:
        while not looking:
            await asyncio.sleep(0.001)
        await asyncio.wait_for(asyncio.gather(*(in_thread(list) for _ in range(100))), 100)
        assert looking <= 4
    finally:
        release.set()
        await asyncio.gather(*saves)
    assert len(names(tmp_path)) == 40
