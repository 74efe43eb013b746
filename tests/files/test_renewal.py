"""URLs expire: a task that was looked up long ago is looked up once more."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from producer_tools import Downloader, DownloadError, ProducerClient, Task, TaskNotFoundError
from producer_tools.tasks.results import Result
from tests.clocks import InstantClock, LoopTime
from tests.files.song_server import reply, serving, short_wav
from tests.raw_server import SILENCE, answering

pytestmark = pytest.mark.usefixtures("untagged")

WAV = short_wav()


class Client(ProducerClient):
    """A client whose task has other URLs when it is looked up."""

    def __init__(self, base_url: str, found: Task | None) -> None:
        super().__init__("t", base_url, clock=InstantClock())
        self.found = found
        self.looks = 0

    async def get_task(self, task_id: Task | str) -> Task:
        self.looks += 1
        if self.found is None:
            raise TaskNotFoundError(str(task_id))
        return self.found


def task(url: str, signature: str) -> Task:
    names = ("one", "two")
    results = ({"audio_id": name, "title": name, "audio_url": f"{url}/{name}?{signature}"} for name in names)
    return Task("t1", "complete", tuple(cast("Result", result) for result in results))


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "410 Gone"])
async def test_new_urls_are_fetched_with_one_look(status: str, tmp_path: Path) -> None:
    """A song that was paid for could not be saved next week, although the service still has it."""
    old = {f"/{name}?old": reply(b"", status) for name in ("one", "two")}
    new = {f"/{name}?new": reply(WAV) for name in ("one", "two")}
    async with serving({**old, **new}) as url, Client(url, task(url, "new")) as client:
        downloads = await Downloader(client, tmp_path).save(task(url, "old"))
    assert downloads.failed == ()
    assert client.looks == 1
    assert [file.url for file in downloads.files] == [f"{url}/one?new", f"{url}/two?new"]
    assert downloads.task == client.found, "its cards show the URLs that work"


@pytest.mark.parametrize("found", ["the same URLs", "no task"])
async def test_a_file_that_is_gone_is_said_to_be_gone(found: str, tmp_path: Path) -> None:
    """The reason is the file's, and not that of the second look."""
    async with serving({f"/{name}?old": reply(b"", "404 Not Found") for name in ("one", "two")}) as url:
        async with Client(url, task(url, "old") if found == "the same URLs" else None) as client:
            downloads = await Downloader(client, tmp_path).save(task(url, "old"))
    assert [failed.error.code for failed in downloads.failed] == ["http_404", "http_404"]
    assert client.looks == 1


async def test_a_task_that_was_just_looked_up_is_not_looked_up_again(tmp_path: Path) -> None:
    """Its URLs are new, so another look changes nothing."""
    async with serving({f"/{name}?old": reply(b"", "404 Not Found") for name in ("one", "two")}) as url:
        async with Client(url, task(url, "old")) as client:
            downloads = await Downloader(client, tmp_path).save("t1")
    assert all(isinstance(failed.error, DownloadError) for failed in downloads.failed)
    assert client.looks == 1


async def test_a_file_that_is_late_is_named_by_its_new_url(tmp_path: Path) -> None:
    """A user who is told the expired URL cannot fetch the file by hand."""
    loop_time = LoopTime()
    async with answering(SILENCE) as silent, serving({"/one?old": reply(b"", "404 Not Found")}) as url:
        gone = {"audio_id": "one", "title": "one", "audio_url": f"{url}/one?old"}
        new = {**gone, "audio_url": f"{silent.base_url}/one"}
        found = Task("t1", "complete", (cast("Result", new),))
        async with Client(url, found) as client:
            old = Task("t1", "complete", (cast("Result", gone),))
            saving = asyncio.create_task(Downloader(client, tmp_path).save(old, timeout_seconds=50))
            while not silent.requests:
                await asyncio.sleep(0.001)
            loop_time.advance(50)
            downloads = await saving
    assert [(failed.url, failed.error.code) for failed in downloads.failed] == [(f"{silent.base_url}/one", "timeout")]
