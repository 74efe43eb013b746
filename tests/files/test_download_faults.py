"""Each way a download can go wrong, over real connections: what is saved, what is said, and that nothing is left."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from producer_tools import Downloader, ProducerClient, ProducerDownloadResults, Task
from producer_tools.files import fetching, types
from producer_tools.tasks.results import Result
from tests.clocks import InstantClock
from tests.files.song_server import BROKEN, ETAG, SONG, Download, part, reply, song_at
from tests.raw_server import RESET, SILENCE, answering

PICTURE = b"\xff\xd8\xff\xe0" + b"picture" * 9


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path / "music")


async def test_a_song_and_no_credentials(download: Download) -> None:
    path = await download.brings_the_song(reply(SONG, Content_Type="text/plain", Set_Cookie="a=b"))
    assert path.name == "Song-audio.t1.a1.m4a", "its content decides the extension, not what its server says"
    (request,) = download.server.requests
    assert b"token-to-hide" not in request
    assert b"authorization" not in request.lower()


async def test_no_cookie_is_carried_from_one_request_to_the_next(download: Download) -> None:
    async with answering(reply(b"", "302 Found", Set_Cookie="a=b", Location="/x"), reply(SONG)) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        async with ProducerClient("t", url, clock=InstantClock()) as client:
            downloads = await Downloader(client, download.directory).save(song_at(url))
    assert downloads.files
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize(
    "fault",
    [reply(b"", "503 Service Unavailable"), reply(b"", "429 Too Many Requests"), reply(b"", "408 Timeout")],
    ids=["503", "429", "408"],
)
async def test_a_fault_that_passes_is_tried_again_after_2_4_8_seconds(fault: bytes, download: Download) -> None:
    await download.brings_the_song(fault, fault, fault, reply(SONG))
    first, second, third = download.clock.slept
    assert 2 <= first <= 3
    assert 4 <= second <= 5
    assert 8 <= third <= 9


async def test_a_reset_passes(download: Download) -> None:
    await download.brings_the_song(RESET, RESET, reply(SONG))


async def test_it_gives_up_after_four_tries(download: Download) -> None:
    message = await download.is_refused("http_503", reply(b"", "503 Service Unavailable"))
    assert message == "The file's server failed."
    assert len(download.server.requests) == 4


async def test_it_waits_as_long_as_the_server_asks(download: Download) -> None:
    await download.brings_the_song(reply(b"", "429 Too Many Requests", Retry_After="17"), reply(SONG))
    assert download.clock.slept == [17]


async def test_it_does_not_wait_for_an_hour(download: Download) -> None:
    """A tool call that sleeps for an hour holds up the whole run."""
    await download.is_refused("http_429", reply(b"", "429 Too Many Requests", Retry_After="3600"))
    assert download.clock.slept == []


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "410 Gone", "400 Bad Request"])
async def test_a_file_that_is_not_there_is_asked_for_once(status: str, download: Download) -> None:
    await download.is_refused(f"http_{status[:3]}", reply(b"<html>", status))
    assert len(download.server.requests) == 1


async def test_a_server_that_says_nothing(download: Download) -> None:
    await download.is_refused("timeout", SILENCE, timeout=0.1)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()) as client:
        downloads = await Downloader(client, tmp_path).save(song_at("http://127.0.0.1:9/x.m4a"))
    assert downloads.failed[0].error.code == "connection_error"


async def test_a_broken_download_is_resumed(download: Download) -> None:
    await download.brings_the_song(download.broken(BROKEN), part(3000))
    again = download.server.requests[1]
    assert b"Range: bytes=3000-\r\n" in again
    assert b'If-Range: "v1"\r\n' in again


async def test_it_may_break_off_again(download: Download) -> None:
    second = reply(
        SONG[3000:6000],
        "206 Partial Content",
        length=len(SONG) - 3000,
        Content_Range=f"bytes 3000-{len(SONG) - 1}/{len(SONG)}",
    )
    await download.brings_the_song(download.broken(BROKEN), download.broken(second, 6000), RESET, part(6000))


async def test_without_an_etag_the_length_must_agree(download: Download) -> None:
    await download.brings_the_song(download.broken(reply(SONG[:3000], length=len(SONG))), part(3000))
    assert b"If-Range" not in download.server.requests[1]


async def test_a_weak_etag_promises_nothing(download: Download) -> None:
    """Weakly alike may differ in bytes, and HTTP forbids such an ETag in If-Range."""
    first = reply(SONG[:3000], length=len(SONG), ETag='W/"v1"')
    await download.brings_the_song(download.broken(first), part(3000))
    assert b"If-Range" not in download.server.requests[1]


async def test_a_server_without_ranges_begins_anew(download: Download) -> None:
    """Its whole file after the first part would be a song that starts twice."""
    longer = reply(b"x" * 20_000, length=30_000)
    await download.brings_the_song(download.broken(longer, 20_000), reply(SONG))


@pytest.mark.parametrize(
    "wrong",
    [
        part(2999),
        part(3000, etag='"v2"'),
        part(3000, given=f"{len(SONG) - 1}/{len(SONG) + 1}"),
        part(3000, given=f"{len(SONG) - 1}/*"),
        part(3000, given="nonsense"),
        reply(b"", "416 Range Not Satisfiable", Content_Range=f"bytes */{len(SONG)}"),
    ],
    ids=["another start", "another file", "another length", "unknown length", "no range", "no such range"],
)
async def test_a_part_that_does_not_fit_is_thrown_away(wrong: bytes, download: Download) -> None:
    """Appended, it would make a file that begins like the song and is none."""
    await download.brings_the_song(download.broken(BROKEN), wrong, reply(SONG))
    assert b"Range" not in download.server.requests[2]


async def test_a_first_answer_in_parts_is_put_together(download: Download) -> None:
    first = reply(SONG[:3000], "206 Partial Content", Content_Range=f"bytes 0-2999/{len(SONG)}", ETag=ETAG)
    await download.brings_the_song(first, part(3000))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "it is HTML or XML"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><Error/>", "it is HTML or XML"),
        (b"", "it is empty"),
        (PICTURE, "its first bytes say so"),
        (b'{"error": "expired"}', "its first bytes say so"),
    ],
)
async def test_what_is_no_song_is_not_saved_as_one(body: bytes, reason: str, download: Download) -> None:
    """An error page under a 200 is the commonest of broken downloads."""
    message = await download.is_refused("wrong_content", reply(body, Content_Type="audio/mp4"))
    assert message == f"The file is not what it should be: {reason}."


async def test_what_says_that_it_is_too_large_is_not_read(download: Download) -> None:
    await download.is_refused("too_large", reply(SONG, length=types.LARGEST_MEDIA + 1))
    assert len(download.server.requests) == 1


async def test_what_turns_out_too_large_is_broken_off(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, a server that sends for ever fills the disk."""
    monkeypatch.setattr(types, "LARGEST_MEDIA", len(SONG) - 1)
    await download.is_refused("too_large", reply(SONG, length=-1))
    assert len(download.server.requests) == 1


async def test_a_length_that_shows_only_in_a_part_counts_too(
    download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(types, "LARGEST_MEDIA", len(SONG) - 1)
    chunk = b"%x\r\n%b" % (len(SONG), SONG[:3000])
    first = reply(chunk, length=-1, Transfer_Encoding="chunked")
    await download.is_refused("too_large", download.broken(first), part(3000))


async def test_a_redirect_is_followed(download: Download) -> None:
    await download.brings_the_song(reply(b"", "302 Found", Location="/there.m4a"), reply(SONG))
    assert download.server.requests[1].startswith(b"GET /there.m4a ")


async def test_redirects_without_end(download: Download) -> None:
    await download.is_refused("too_many_redirects", reply(b"", "302 Found", Location="/x"))
    assert len(download.server.requests) == 1 + fetching.MOST_REDIRECTS


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/x.m4a", "http://169.254.169.254/latest/meta-data", "https://[::ffff:192.168.0.1]/x",
        "http://example.com/x.m4a", "file:///etc/passwd", "//user:secret@127.0.0.1/x", "http://[", "https://2130706433/",
    ],
)  # fmt: skip
async def test_a_redirect_into_a_network_is_refused(location: str, download: Download) -> None:
    """A checked URL that redirects is the usual way round a check."""
    await download.is_refused("forbidden_url", reply(b"", "302 Found", Location=location))
    assert len(download.server.requests) == 1


def failing(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("code", "told"), [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EIO, "no_write_access")]
)
async def test_a_full_disk(code: int, told: str, download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows at the latest when the bytes are forced to the disk: a file must not get its name before."""
    monkeypatch.setattr(os, "fsync", failing(code))
    message = await download.is_refused(told, reply(SONG))
    assert str(download.directory) in message
    assert len(download.server.requests) == 1, "trying again would not make room"


async def test_a_disk_that_fills_up_while_writing(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(FileIO):
        write = failing(errno.ENOSPC)

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Full(path, "xb"))
    await download.is_refused("disk_full", reply(SONG))


@pytest.fixture
async def slow() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that sends the first part of a song and then nothing; the event tells that it has."""
    sent = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(BROKEN)
        await writer.drain()
        sent.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    server.close()


async def test_a_cancelled_download_leaves_nothing(slow: tuple[str, asyncio.Event], tmp_path: Path) -> None:
    url, sent = slow
    async with ProducerClient("t", url) as client:
        saving = asyncio.create_task(Downloader(client, tmp_path).save(song_at(f"{url}/x")))
        await sent.wait()
        while not any(path.stat().st_size for path in tmp_path.iterdir()):
            await asyncio.sleep(0.001)
        assert [path.name[:10] for path in tmp_path.iterdir()] == [".producer-"], "no name before it is whole"
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
    assert list(tmp_path.iterdir()) == []


async def test_four_files_at_once(tmp_path: Path) -> None:
    """Twenty at once would be twenty times the memory and the connections."""
    under_way = most = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        await reader.readuntil(b"\r\n\r\n")
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        writer.write(reply(SONG))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    songs: list[Result] = [{"audio_id": f"a{n}", "title": "Same", "audio_url": f"{url}/{n}"} for n in range(12)]
    async with ProducerClient("t", url) as client:
        downloads = await Downloader(client, tmp_path).save(Task("t1", "complete", results=tuple(songs)))
    server.close()
    assert len({file.path for file in downloads.files}) == 12
    assert most == fetching.MOST_AT_ONCE


async def answer_of_the_tool(task: Task, client: ProducerClient, directory: Path) -> Any:
    async def get_task(_: str) -> Task:
        return task

    client.get_task = get_task  # type: ignore[method-assign, assignment]
    call = {"type": "tool_call", "id": "c", "name": "producer_download_results", "args": {"task_id": "t1"}}
    return await ProducerDownloadResults(client=client, directory=directory).ainvoke(call)


async def test_some_files_fail_and_some_are_saved(tmp_path: Path) -> None:
    """Called a success, the missing file would never be fetched; called a failure, the saved one would be lost."""
    async with answering(reply(SONG)) as good, answering(reply(b"", "404 Not Found")) as bad:
        async with ProducerClient("t", good.base_url, clock=InstantClock()) as client:
            task = song_at(good.base_url, image_url=bad.base_url)
            message = await answer_of_the_tool(task, client, tmp_path)
    content = message.artifact
    assert message.status == "success"
    assert '"success":false' in message.content
    assert [file["kind"] for file in content["files"]] == ["audio"]
    told = {"kind": "cover", "code": "http_404", "message": "The file is not there: results are kept for 90 days."}
    assert content["failed"] == [{**told, "url": bad.base_url}]
    assert "producer_download_results again" in content["next_step"]


async def test_no_file_can_be_saved(tmp_path: Path) -> None:
    async with answering(reply(b"", "404 Not Found")) as bad, answering(reply(b"<html>")) as worse:
        async with ProducerClient("t", bad.base_url, clock=InstantClock()) as client:
            task = song_at(bad.base_url, image_url=worse.base_url)
            message = await answer_of_the_tool(task, client, tmp_path)
    assert message.status == "error"
    assert message.content.startswith("download_failed: No file was saved. audio: The file is not there")
    assert "cover: The file is not what it should be" in message.content
    assert "task_id t1" in message.content


async def test_a_failed_tasks_finished_parts_are_saved(tmp_path: Path) -> None:
    async with answering(reply(SONG)) as server:
        async with ProducerClient("t", server.base_url) as client:
            task = Task(
                "t1",
                "failed",
                partial_results=({"audio_id": "a1", "audio_url": server.base_url},),
                error={"code": "api_error", "message": "half-way", "trace_id": None},
            )
            message = await answer_of_the_tool(task, client, tmp_path)
    assert '"state":"failed","success":false' in message.content
    assert '"message":"half-way"' in message.content
    assert "why the rest failed" in message.content
    assert len(list(tmp_path.iterdir())) == 1
