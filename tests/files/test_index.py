"""The index survives crashes, junk and other processes, and nothing in it leads out of the directory."""

import json
import os
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from producer_tools import DownloadError
from producer_tools.files.audio.measured import Measured
from producer_tools.files.library.index import Entry, Index, index_of
from tests.crash.processes import quick_starts
from tests.open_files import open_below
from tests.saved_files import INDEX, lines_of_index


def entry(key: str = "k", **values: Any) -> Entry:
    facts = {"state": "saved", "name": f"{key}.m4a", "kind": "audio", "content_type": "audio/mp4", "bytes": 3}
    return Entry(**{**facts, "key": key, **values})


def add(directory: Path, *entries: Entry) -> None:
    with Index(directory).changing() as write:
        for each in entries:
            write(each)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Otherwise a file is downloaded again, or its measurements are lost."""
    known = entry(title="夜\u2028曲\n", prompt="x" * 2000, measured=Measured(4.5, 44100, 2, -14.0))
    add(tmp_path, known)
    assert Index(tmp_path).get("k") == known


def test_a_line_says_that_an_ai_has_made_the_file(tmp_path: Path) -> None:
    """A list of songs that is handed on must say so."""
    add(tmp_path, entry())
    assert lines_of_index(tmp_path)[0]["ai_made"] is True


def test_a_torn_last_line_is_ignored_and_not_glued_to_the_next(tmp_path: Path) -> None:
    """A process that is killed while it writes would otherwise damage the line of the next file too."""
    add(tmp_path, entry("a"))
    whole = (tmp_path / INDEX).read_bytes()
    with (tmp_path / INDEX).open("ab") as file:
        file.write(whole[:20])
    assert Index(tmp_path).get("a") == entry("a")
    add(tmp_path, entry("b"))
    read = Index(tmp_path)
    assert (read.get("a"), read.get("b")) == (entry("a"), entry("b"))


def test_a_last_line_without_its_line_break_counts(tmp_path: Path) -> None:
    """Some editors remove it. A cover has no tags that tell whose it is, so it would be saved a second time."""
    add(tmp_path, entry("a"), entry("b"))
    (tmp_path / INDEX).write_bytes((tmp_path / INDEX).read_bytes().rstrip())
    assert Index(tmp_path).get("b") == entry("b")
    add(tmp_path, entry("c"))
    read = Index(tmp_path)
    assert (read.get("b"), read.get("c")) == (entry("b"), entry("c"))


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xfe\n",
        b"null\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"state": "later"}\n',
        b"\0" * 500_000 + b"\n",
        b"\n",
        b" " * 256 * 1024 + entry("a", bytes=9).model_dump_json().encode() + b"\n",
    ],
    ids=["no text", "null", "no facts", "nested", "another version", "too long", "empty", "the end of one too long"],
)
def test_a_damaged_line_loses_nothing_else(junk: bytes, tmp_path: Path) -> None:
    """The songs of all other lines would be downloaded again."""
    add(tmp_path, entry("a"))
    with (tmp_path / INDEX).open("ab") as file:
        file.write(junk)
    add(tmp_path, entry("b"))
    read = Index(tmp_path)
    assert (read.get("a"), read.get("b")) == (entry("a"), entry("b"))


def test_ten_megabytes_of_junk_are_skipped(tmp_path: Path) -> None:
    """It must neither fill the memory nor take long."""
    (tmp_path / INDEX).write_bytes(Random(1).randbytes(10_000_000))
    add(tmp_path, entry("a"))
    assert Index(tmp_path).get("a") == entry("a")


@pytest.mark.parametrize("name", ["../x.m4a", "/etc/passwd", "a\\b.m4a", "", ".hidden", "C:x", "a\0b"])
def test_a_name_in_the_index_is_never_a_path(name: str, tmp_path: Path) -> None:
    """Whoever can change the index could otherwise have a file outside shown as a song, or overwritten."""
    line = {**entry().model_dump(exclude_none=True), "name": name}
    (tmp_path / INDEX).write_text(json.dumps(line) + "\n")
    assert Index(tmp_path).get("k") is None


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    """It could lead to any file of the user's."""
    target = tmp_path / "mine"
    target.write_text("mine")
    (tmp_path / INDEX).symlink_to(target)
    with pytest.raises(DownloadError, match="no_write_access"):
        Index(tmp_path).get("k")
    with pytest.raises(DownloadError, match="no_write_access"):
        add(tmp_path, entry())
    assert target.read_text() == "mine"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_something_else_in_its_place_is_an_error(make: Any, tmp_path: Path) -> None:
    """A pipe would be waited for without end, and the user must learn what to move away."""
    make(tmp_path / INDEX)
    for _ in range(2):
        with pytest.raises(DownloadError, match="no_write_access"):
            Index(tmp_path).get("k")
    assert open_below(tmp_path) == [], "a server would run out of open files"
    with pytest.raises(DownloadError, match="no_write_access"):
        add(tmp_path, entry())


def test_an_index_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """A user may restore an older one while the program runs."""
    add(tmp_path, entry("a"), entry("b"))
    read = Index(tmp_path)
    assert read.get("b")
    (tmp_path / INDEX).unlink()
    assert read.get("b") is None
    add(tmp_path, entry("c"))
    assert (read.get("a"), read.get("c")) == (None, entry("c"))


def test_an_index_that_an_editor_has_rewritten_is_read_anew(tmp_path: Path) -> None:
    """Many editors write into the same file. What is behind the place up to which it was read is then no new line."""
    add(tmp_path, entry("a"), entry("b"))
    read, path = Index(tmp_path), tmp_path / INDEX
    assert read.get("a")
    longer = path.read_text().replace('"a.m4a"', '"longer.m4a"')
    path.write_text(longer + longer.splitlines()[1].replace('"b"', '"c"') + "\n")
    assert [(found := read.get(key)) and found.name for key in "abc"] == ["longer.m4a", "b.m4a", "b.m4a"]
    path.write_text(path.read_text().replace("longer", "shorte"))
    os.utime(path, ns=(1, 1))  # a clock that is too coarse to tell the two apart
    assert [(found := read.get(key)) and found.name for key in "abc"] == ["shorte.m4a", "b.m4a", "b.m4a"]


def test_each_line_is_on_the_disk_before_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a loss of power, a file would be there that the index does not know."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    add(tmp_path, entry("a"), entry("b"))
    lengths = [len(line) for line in (tmp_path / INDEX).read_bytes().splitlines(keepends=True)]
    assert synced == [lengths[0], sum(lengths)]


def test_each_line_is_one_line_for_every_program(tmp_path: Path) -> None:
    """Python's splitlines, for one, also breaks at characters that JSON allows in a text."""
    known = entry(title="a\u2028b", prompt="c\x85d\u2029e")
    add(tmp_path, known)
    assert len((tmp_path / INDEX).read_text(encoding="utf-8").splitlines()) == 1
    assert Index(tmp_path).get("k") == known


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user must learn why the file was not saved. What was written before stays readable."""
    add(tmp_path, entry("a"))
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(DownloadError, match="disk_full"):
        add(tmp_path, entry("b"))
    assert Index(tmp_path).get("a") == entry("a")


def write_many(directory: Path, name: str) -> None:
    for number in range(20):
        add(directory, entry(f"{name}{number}", prompt="x" * 2000))


@pytest.mark.enable_socket  # processes are started over a Unix socket
def test_processes_and_threads_write_at_once(tmp_path: Path) -> None:
    """Two lines in one would lose both files."""
    processes = [quick_starts().Process(target=write_many, args=(tmp_path, name), daemon=True) for name in "ab"]
    threads = [threading.Thread(target=write_many, args=(tmp_path, name)) for name in "cd"]
    for process in processes:
        process.start()
    for thread in threads:
        thread.start()
    for process in processes:
        process.join(200)
    for thread in threads:
        thread.join(200)
    assert [process.exitcode for process in processes] == [0, 0]
    keys = {line["key"] for line in lines_of_index(tmp_path)}
    assert keys == {f"{name}{number}" for name in "abcd" for number in range(20)}


def test_all_who_use_a_directory_have_the_same_index(tmp_path: Path) -> None:
    """Where files cannot be locked, only that keeps two threads of a server from giving one name to two songs."""
    used = index_of(tmp_path / "ann")
    for number in range(20):
        index_of(tmp_path / f"another {number}")
    assert index_of(tmp_path / "ann") is used


def fork_while_a_thread_changes_it(directory: Path) -> None:
    held, go_on = threading.Event(), threading.Event()

    def change() -> None:
        with index_of(directory).changing() as write:
            held.set()
            go_on.wait()
            write(entry("a"))

    thread = threading.Thread(target=change)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        with index_of(directory).changing() as write:
            write(entry("b"))
        os._exit(0)
    go_on.set()
    thread.join()
    os.waitpid(child, 0)


@pytest.mark.enable_socket
def test_a_process_that_is_forked_meanwhile_waits_only_for_the_lock(tmp_path: Path) -> None:
    """A worker that a server starts at the wrong moment could never save anything, nor could the server until it ends.

    The child has the locks of all threads of its parent, and only the one that has forked.
    """
    process = quick_starts().Process(target=fork_while_a_thread_changes_it, args=(tmp_path,), daemon=True)
    process.start()
    process.join(200)
    assert process.exitcode == 0
    assert [line["key"] for line in lines_of_index(tmp_path)] == ["a", "b"]
