"""The parts of downloads: which are swept, and how often one looks for them."""

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import pytest

from producer_tools import Downloader, ProducerClient, Task
from producer_tools.files import downloads
from producer_tools.files.fetch.part_file import PartFile, sweep
from producer_tools.tasks.results import Result
from tests.crash.processes import quick_starts
from tests.files.song_server import SONG, reply, serving


def hold(directory: Path, started: "Connection[Any, Any]") -> None:
    """Keep a part open until the process is killed."""
    part = PartFile(directory)
    part.restart()
    started.send(None)
    time.sleep(60)


def make_old(directory: Path) -> list[Path]:
    parts = list(directory.glob(".producer-*.part"))
    for part in parts:
        os.utime(part, (time.time() - 7200,) * 2)
    return parts


def test_a_part_that_is_being_written_is_not_swept(tmp_path: Path) -> None:
    """On a slow line, or while the disk hangs, a part is an hour old before it is complete; the song would be lost."""
    part = PartFile(tmp_path)
    part.restart()
    part.write(SONG)
    make_old(tmp_path)
    sweep(tmp_path)
    part.keep(tmp_path / "song.m4a")
    assert (tmp_path / "song.m4a").read_bytes() == SONG


@pytest.mark.enable_socket  # processes are started over a Unix socket
def test_a_part_of_another_process_is_swept_only_when_the_process_is_dead(tmp_path: Path) -> None:
    """Several workers save in one directory. What a killed one leaves would fill the disk."""
    context = quick_starts()
    started, starting = context.Pipe(duplex=False)
    process = context.Process(target=hold, args=(tmp_path, starting), daemon=True)
    process.start()
    started.recv()
    (part,) = make_old(tmp_path)
    sweep(tmp_path)
    assert part.exists()
    process.kill()
    process.join()
    started.close()
    starting.close()
    sweep(tmp_path)
    assert not part.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Anything could stand behind it."""
    target = tmp_path / "mine"
    target.write_text("x")
    os.utime(target, (0, 0))
    (tmp_path / ".producer-1.part").symlink_to(target)
    sweep(tmp_path)
    assert target.read_text() == "x"


async def test_the_directory_is_swept_once_for_each_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each file, a task of 2,000 files in a directory of 2,000 files would look at four million names."""
    swept: list[Path] = []
    monkeypatch.setattr(downloads, "sweep", swept.append)
    async with serving({f"/{n}": reply(SONG) for n in range(9)}) as url, ProducerClient("t", url) as client:
        results = tuple(cast("Result", {"audio_id": f"a{n}", "audio_url": f"{url}/{n}"}) for n in range(9))
        saved = await Downloader(client, tmp_path).save(Task("t1", "complete", results=results))
    assert len(saved.files) == 9
    assert swept == [tmp_path]


def test_a_directory_that_cannot_be_read_is_not_swept(tmp_path: Path) -> None:
    """The error of the system, with the whole path, went to a model. Saving a file reports the reason without it."""
    sweep(tmp_path / ("x" * 300))
