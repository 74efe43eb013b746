"""How long a download may take, and how many files it opens: a task of many or silent files harms nobody."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from producer_tools import AnswerError, Downloader, ProducerClient, ProducerDownloadResults, Task, api_token
from producer_tools.concurrency.threads import in_thread
from producer_tools.files import downloads
from producer_tools.files.fetch import fetcher
from producer_tools.tasks.results import Result
from tests.clocks import LoopTime
from tests.files.song_server import SONG, reply, serving, song_at
from tests.raw_server import SILENCE, answering, http
from tests.saved_files import saved_files

pytestmark = pytest.mark.usefixtures("untagged")


def songs_at(urls: list[str]) -> Task:
    results = [cast("Result", {"audio_id": f"a{n}", "audio_url": url}) for n, url in enumerate(urls)]
    return Task("t1", "complete", results=tuple(results))


async def test_a_task_of_many_files_opens_a_few_at_a_time(tmp_path: Path) -> None:
    """A process may open about a thousand files; with two thousand results, all of it would stand still."""
    most = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        await reader.readuntil(b"\r\n\r\n")
        most = max(most, len(list(tmp_path.glob(".producer-*"))))
        writer.write(reply(SONG))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with ProducerClient("t", url) as client:
        saved = await Downloader(client, tmp_path).save(songs_at([f"{url}/{n}" for n in range(60)]))
    server.close()
    assert len(saved.files) == len(saved_files(tmp_path)) == 60
    assert 0 < most <= fetcher.MOST_AT_ONCE


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    async with answering(SILENCE) as server:
        yield server.base_url


async def test_files_that_are_not_saved_in_time_are_named(tmp_path: Path) -> None:
    """Forty silent files would hold a tool call for hours, and what was saved must still be reported."""
    loop_time = LoopTime()
    async with (
        answering(SILENCE) as silent,
        serving({"/song": reply(SONG)}) as url,
        ProducerClient("t", url) as client,
    ):
        silent_urls = [f"{silent.base_url}/{n}" for n in range(40)]
        task = songs_at([f"{url}/song", *silent_urls])
        saving = asyncio.create_task(Downloader(client, tmp_path).save(task, timeout_seconds=50))
        while len(silent.requests) < fetcher.MOST_AT_ONCE:  # one of them has the place of the song
            await asyncio.sleep(0.001)
        loop_time.advance(50)
        saved = await saving
    assert [file.url for file in saved.files] == [f"{url}/song"]
    assert {failed.url for failed in saved.failed} == set(silent_urls)
    assert {failed.error.code for failed in saved.failed} == {"timeout"}
    assert len(saved_files(tmp_path)) == 1


async def test_a_task_of_silent_files_does_not_hold_up_other_tasks(silent_url: str, tmp_path: Path) -> None:
    """One bad record of one user would stop the downloads of all users of the client."""
    async with serving({"/song": reply(SONG)}) as url, ProducerClient("t", url) as client:
        downloader = Downloader(client, tmp_path)
        silent = asyncio.create_task(downloader.save(songs_at([f"{silent_url}/{n}" for n in range(40)])))
        while len(list(tmp_path.glob(".producer-*"))) < fetcher.MOST_AT_ONCE:
            await asyncio.sleep(0.001)
        saved = await downloader.save(song_at(f"{url}/song"), timeout_seconds=50)
        silent.cancel()
        await asyncio.gather(silent, return_exceptions=True)
    assert len(saved.files) == 1
    assert len(saved_files(tmp_path)) == 1


async def test_a_look_up_counts_as_part_of_the_download(silent_url: str, tmp_path: Path) -> None:
    """A service that says nothing would hold the call beyond its deadline."""
    async with ProducerClient("t", silent_url) as client:
        with pytest.raises(AnswerError, match=r"timeout: .*0\.1 seconds"):
            await Downloader(client, tmp_path).save("t1", timeout_seconds=0.1)


async def test_the_tool_bounds_the_download(silent_url: str, tmp_path: Path) -> None:
    """An agent waits for a tool call; the application says for how long."""
    async with ProducerClient("t", silent_url) as client:
        tool = ProducerDownloadResults(client=client, directory=tmp_path, timeout_seconds=0.1)
        assert str(await tool.ainvoke({"task_id": "t1"})).startswith("timeout: ")


async def test_silent_files_of_one_user_do_not_hold_up_another(tmp_path: Path) -> None:
    """One user's tasks of silent files stopped the downloads of all users for as long as these calls lasted."""
    ended = asyncio.Event()

    async def only_songs(writer: asyncio.StreamWriter) -> None:
        if b"GET /song" not in server.requests[-1]:
            await ended.wait()
        writer.write(reply(SONG))

    async with answering(only_songs) as server, ProducerClient(base_url=server.base_url) as client:
        url = server.base_url
        silent_task = songs_at([f"{url}/{n}" for n in range(40)])
        with api_token("slow"):
            silent = [asyncio.create_task(Downloader(client, tmp_path / "slow").save(silent_task)) for _ in range(6)]
            while len(server.requests) < fetcher.MOST_OF_A_HOST:
                await asyncio.sleep(0.001)
            of_another_host = song_at(f"{url.replace('127.0.0.1', 'localhost')}/song")
            assert (await Downloader(client, tmp_path / "1").save(of_another_host, timeout_seconds=50)).files
            more = await Downloader(client, tmp_path / "2").save(song_at(f"{url}/song"), timeout_seconds=0.1)
            assert more.failed[0].error.code == "timeout", "it waits for a place"
        with api_token("quick"):
            assert (await Downloader(client, tmp_path / "3").save(song_at(f"{url}/song"), timeout_seconds=50)).files
        for each in silent:
            each.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        ended.set()


async def test_names_that_are_never_resolved_do_not_hold_up_look_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They took all threads in which the event loop looks names up, and no user's call reached the service."""
    may_end, resolve = threading.Event(), socket.getaddrinfo
    hanging_names: list[str] = []

    def resolve_or_hang(host: str, *arguments: int) -> list[object]:
        if host.endswith(".example"):
            hanging_names.append(host)
            may_end.wait()
        return list(resolve(host, *arguments))

    monkeypatch.setattr(socket, "getaddrinfo", resolve_or_hang)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    async with answering(http({"id": "t1", "state": "pending"})) as server:
        base_url = server.base_url.replace("127.0.0.1", "localhost")
        async with ProducerClient("t", base_url, poll_interval=0) as client:
            hanging = [songs_at([f"https://{task}-{n}.example/a" for n in range(4)]) for task in range(5)]
            saving = [asyncio.create_task(Downloader(client, tmp_path).save(each)) for each in hanging]
            try:
                while len(list(tmp_path.glob(".producer-*"))) < 20 or len(hanging_names) < 2:
                    await asyncio.sleep(0.001)
                assert await asyncio.wait_for(client.get_task("t1"), 100)
            finally:
                may_end.set()
                for each in saving:
                    each.cancel()
                await asyncio.gather(*saving, return_exceptions=True)


async def test_a_task_of_many_files_gets_to_its_downloads_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wait for a thread for each file, a call of five seconds ended before it had fetched one of 2,000."""
    calls: list[object] = []

    async def counted(call: Callable[..., object], *arguments: object) -> object:
        calls.append(call)
        return await in_thread(call, *arguments)

    monkeypatch.setattr(downloads, "in_thread", counted)
    async with ProducerClient("t", "http://127.0.0.1:9") as client:
        task = songs_at([f"http://127.0.0.1:9/{n}" for n in range(500)])
        saved = await Downloader(client, tmp_path).save(task, timeout_seconds=0)
    assert len(saved.failed) == 500
    assert len(calls) < 50
