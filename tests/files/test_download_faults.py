"""Downloads that go wrong, over real connections: what is retried, what is saved, and that no part is left behind."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from io import FileIO
from pathlib import Path

import pytest
from langchain_core.messages import ToolMessage

from producer_tools import Downloader, ProducerClient, ProducerDownloadResults, Task
from producer_tools.files.fetch import fetcher
from producer_tools.files.formats import types
from producer_tools.tasks.results import Result
from tests.clocks import InstantClock
from tests.files.song_server import CUT_OFF, ETAG, SONG, Download, partial, reply, song_at
from tests.raw_server import RESET, SILENCE, answering
from tests.saved_files import saved_files

pytestmark = pytest.mark.usefixtures("untagged")

PICTURE = b"\xff\xd8\xff\xe0\0\x41" + b"picture" * 9 + b"\xff\xd9"


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path / "music")


async def test_the_file_host_gets_no_credentials(download: Download) -> None:
    """File hosts belong to others: with the token they could spend the user's money."""
    path = await download.succeeds(reply(SONG, Content_Type="text/plain", Set_Cookie="a=b"))
    assert path.name == "Song.m4a", "the extension comes from the content, not from the Content-Type header"
    (request,) = download.server.requests
    assert b"token-to-hide" not in request
    assert b"authorization" not in request.lower()


async def test_cookies_are_not_sent_back(download: Download) -> None:
    """With cookies, a file host could follow a user from one download to the next."""
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
async def test_a_temporary_fault_is_retried_after_2_4_and_8_seconds(fault: bytes, download: Download) -> None:
    """Without retries, one busy moment of the file host would lose a song that was paid for."""
    await download.succeeds(fault, fault, fault, reply(SONG))
    first, second, third = download.clock.slept
    assert 2 <= first <= 3
    assert 4 <= second <= 5
    assert 8 <= third <= 9


async def test_a_connection_reset_is_retried(download: Download) -> None:
    """Without retries, one reset would lose the file."""
    await download.succeeds(RESET, RESET, reply(SONG))


async def test_it_gives_up_after_four_attempts(download: Download) -> None:
    """Retries without end would hold up the agent."""
    message = await download.fails("http_503", reply(b"", "503 Service Unavailable"))
    assert message == "The file's server failed."
    assert len(download.server.requests) == 4


async def test_a_retry_waits_as_long_as_retry_after_says(download: Download) -> None:
    """A retry that comes earlier is refused again and uses up an attempt."""
    await download.succeeds(reply(b"", "429 Too Many Requests", Retry_After="17"), reply(SONG))
    (slept,) = download.clock.slept
    assert 17 <= slept <= 18


async def test_a_retry_after_of_an_hour_is_not_waited_for(download: Download) -> None:
    """A tool call that sleeps for an hour holds up the whole run."""
    await download.fails("http_429", reply(b"", "429 Too Many Requests", Retry_After="3600"))
    assert download.clock.slept == []


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "410 Gone", "400 Bad Request"])
async def test_a_missing_file_is_requested_once(status: str, download: Download) -> None:
    """A retry cannot help here, so it would only cost time."""
    await download.fails(f"http_{status[:3]}", reply(b"<html>", status))
    assert sum(request.startswith(b"GET ") for request in download.server.requests) == 1


async def test_a_server_that_never_answers(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a timeout the call would never return."""
    monkeypatch.setattr(fetcher, "SHORTEST_ATTEMPT", 0.0)
    await download.fails("timeout", SILENCE, timeout=0.1)


async def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    """It is an error of this file. An exception would lose the other files of the task."""
    async with ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()) as client:
        downloads = await Downloader(client, tmp_path).save(song_at("http://127.0.0.1:9/x.m4a"))
    assert downloads.failed[0].error.code == "connection_error"


async def test_an_interrupted_download_is_resumed(download: Download) -> None:
    """Without the Range header, each interruption would fetch all of a large file again."""
    await download.succeeds(download.cut_off(CUT_OFF), partial(3000))
    retry = download.server.requests[1]
    assert b"Range: bytes=3000-\r\n" in retry
    assert b'If-Range: "v1"\r\n' in retry


async def test_a_resumed_download_can_be_resumed_again(download: Download) -> None:
    """If the second part were written in the wrong place, the song would be damaged."""
    second = reply(
        SONG[3000:6000],
        "206 Partial Content",
        length=len(SONG) - 3000,
        Content_Range=f"bytes 3000-{len(SONG) - 1}/{len(SONG)}",
        ETag=ETAG,
    )
    await download.succeeds(download.cut_off(CUT_OFF), download.cut_off(second, 6000), RESET, partial(6000))


@pytest.mark.parametrize("etag", ["", 'W/"v1"'], ids=["none", "weak"])
async def test_without_a_strong_etag_the_download_starts_again(etag: str, download: Download) -> None:
    """The rest may be another song's of the same length, and the two would be saved as one."""
    other = bytes(len(SONG))
    first = download.cut_off(reply(other[:3000], length=len(SONG), ETag=etag))
    await download.succeeds(first, reply(SONG, ETag=etag))
    assert b"range" not in download.server.requests[1].lower()


async def test_a_server_without_ranges_makes_the_download_start_again(download: Download) -> None:
    """If its whole file were appended to the first part, the song would start twice."""
    longer = reply(b"x" * 20_000, length=30_000)
    await download.succeeds(download.cut_off(longer, 20_000), reply(SONG))


@pytest.mark.parametrize(
    "wrong",
    [
        partial(2999),
        partial(3000, etag='"v2"'),
        partial(3000, etag='W/"v1"'),
        partial(3000, etag=""),
        partial(3000, end=f"{len(SONG) - 1}/{len(SONG) + 1}"),
        partial(3000, end=f"{len(SONG) - 1}/*"),
        partial(3000, end="nonsense"),
        reply(b"", "416 Range Not Satisfiable", Content_Range=f"bytes */{len(SONG)}"),
    ],
    ids=["start", "ETag", "weak ETag", "no ETag", "length", "unknown length", "unreadable range", "no such range"],
)
async def test_a_part_that_does_not_fit_is_discarded(wrong: bytes, download: Download) -> None:
    """If it were appended, the file would begin like the song and end with other bytes."""
    await download.succeeds(download.cut_off(CUT_OFF), wrong, reply(SONG))
    assert b"Range" not in download.server.requests[2]


async def test_a_server_that_sends_a_part_without_being_asked(download: Download) -> None:
    """If the part were taken for the whole file, the song would be cut short."""
    first = reply(SONG[:3000], "206 Partial Content", Content_Range=f"bytes 0-2999/{len(SONG)}", ETag=ETAG)
    await download.succeeds(first, partial(3000))


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
async def test_a_file_of_another_type_is_not_saved(body: bytes, reason: str, download: Download) -> None:
    """Servers often send an error page with status 200; it must not be saved as a song."""
    message = await download.fails("wrong_content", reply(body, Content_Type="audio/mp4"))
    assert message == f"The file is not what it should be: {reason}."


async def test_a_file_with_too_large_a_content_length_is_not_read(download: Download) -> None:
    """Its size is known before a byte is read, so no bandwidth needs to be spent on it."""
    await download.fails("too_large", reply(SONG, length=types.LARGEST_MEDIA + 1))
    assert len(download.server.requests) == 1


async def test_a_file_that_grows_too_large_is_given_up(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check, a server that never stops sending would fill the disk."""
    monkeypatch.setattr(types, "LARGEST_MEDIA", len(SONG) - 1)
    await download.fails("too_large", reply(SONG, length=-1))
    assert len(download.server.requests) == 1


async def test_a_size_that_is_known_only_when_resuming_is_checked(
    download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server could otherwise get round the limit by sending the size only in a Content-Range."""
    monkeypatch.setattr(types, "LARGEST_MEDIA", len(SONG) - 1)
    chunk = b"%x\r\n%b" % (len(SONG), SONG[:3000])
    first = reply(chunk, length=-1, Transfer_Encoding="chunked", ETag=ETAG)
    await download.fails("too_large", download.cut_off(first), partial(3000))


async def test_a_redirect_is_followed(download: Download) -> None:
    """File hosts redirect to their storage; those songs could not be saved."""
    await download.succeeds(reply(b"", "302 Found", Location="/there.m4a"), reply(SONG))
    assert download.server.requests[1].startswith(b"GET /there.m4a ")


async def test_endless_redirects_are_given_up(download: Download) -> None:
    """Without a limit the call would never return."""
    await download.fails("too_many_redirects", reply(b"", "302 Found", Location="/x"))
    assert len(download.server.requests) == 1 + fetcher.MOST_REDIRECTS


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/x.m4a", "http://169.254.169.254/latest/meta-data", "https://[::ffff:192.168.0.1]/x",
        "http://example.com/x.m4a", "file:///etc/passwd", "//user:secret@127.0.0.1/x", "http://[", "https://2130706433/",
    ],
)  # fmt: skip
async def test_a_redirect_to_a_forbidden_url_is_not_followed(location: str, download: Download) -> None:
    """If only the first URL were checked, a redirect would be a way into the private network."""
    await download.fails("forbidden_url", reply(b"", "302 Found", Location=location))
    assert len(download.server.requests) == 1


def failing(number: int) -> Callable[..., int]:
    """A function that raises the OSError with this error number."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EIO, "no_write_access")]
)
async def test_a_disk_error_during_fsync(
    number: int, code: str, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some disk errors appear only at fsync: a file that got its name earlier would be a damaged song."""
    monkeypatch.setattr(os, "fsync", failing(number))
    message = await download.fails(code, reply(SONG))
    assert download.directory.name in message
    assert len(download.server.requests) == 1, "a retry cannot make room on the disk"


async def test_a_full_disk_during_a_write(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user must learn that the disk is full, and no half-written file may stay on it."""

    class Full(FileIO):
        write = failing(errno.ENOSPC)

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Full(path, "xb"))
    await download.fails("disk_full", reply(SONG))


@pytest.fixture
async def stalled() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The URL of a server that sends part of a song and then nothing, and an event that is set when it has sent it."""
    sent = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CUT_OFF)
        await writer.drain()
        sent.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    server.close()


async def test_a_cancelled_download_leaves_no_file(stalled: tuple[str, asyncio.Event], tmp_path: Path) -> None:
    """Parts that stay behind would fill the directory, and a part with the final name would pass for the song."""
    url, sent = stalled
    async with ProducerClient("t", url) as client:
        saving = asyncio.create_task(Downloader(client, tmp_path).save(song_at(f"{url}/x")))
        await sent.wait()
        while not any(path.stat().st_size for path in tmp_path.iterdir()):
            await asyncio.sleep(0.001)
        assert [path.name[:10] for path in tmp_path.iterdir()] == [".producer-"], (
            "a file gets its final name only when it is complete"
        )
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
    assert list(tmp_path.iterdir()) == []


async def test_at_most_four_files_are_fetched_at_the_same_time(tmp_path: Path) -> None:
    """Without the limit, twelve files would take three times the memory and connections."""
    current = most = 0
    limit_reached = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal current, most
        await reader.readuntil(b"\r\n\r\n")
        current += 1
        most = max(most, current)
        if current == fetcher.MOST_AT_ONCE:
            limit_reached.set()
        await limit_reached.wait()
        await asyncio.sleep(0.005)  # so that a request above the limit would arrive before these are answered
        current -= 1
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
    assert most == fetcher.MOST_AT_ONCE


class ClientWithOneTask(ProducerClient):
    """A client that returns the same task for every id."""

    def __init__(self, base_url: str, task: Task) -> None:
        super().__init__("t", base_url, clock=InstantClock())
        self._only_task = task

    async def get_task(self, task_id: Task | str) -> Task:  # noqa: ARG002 - every id is the same task's
        return self._only_task


async def call_the_tool(base_url: str, task: Task, directory: Path) -> ToolMessage:
    """The message of ``producer_download_results`` for a task whose files are on loopback."""
    call = {"type": "tool_call", "id": "c", "name": "producer_download_results", "args": {"task_id": "t1"}}
    async with ClientWithOneTask(base_url, task) as client:
        message = await ProducerDownloadResults(client=client, directory=directory).ainvoke(call)
    assert isinstance(message, ToolMessage)
    return message


async def test_one_of_two_files_cannot_be_saved(tmp_path: Path) -> None:
    """Reported as a success, the missing file would never be fetched; as a failure, the saved one would be lost."""
    async with answering(reply(SONG)) as good, answering(reply(b"", "404 Not Found")) as bad:
        task = song_at(good.base_url, image_url=bad.base_url)
        message = await call_the_tool(good.base_url, task, tmp_path)
    content = message.artifact
    assert message.status == "success"
    assert '"success":false' in message.text
    assert [file["kind"] for file in content["files"]] == ["audio"]
    reason = {"kind": "cover", "code": "http_404", "message": "The file is not there: results are kept for 90 days."}
    assert content["failed"] == [{**reason, "url": bad.base_url}]
    assert "producer_download_results again" in content["next_step"]


async def test_no_file_can_be_saved(tmp_path: Path) -> None:
    """The model must learn the reason for each file, and must not tell the user that files were saved."""
    async with answering(reply(b"", "404 Not Found")) as bad, answering(reply(b"<html>")) as worse:
        task = song_at(bad.base_url, image_url=worse.base_url)
        message = await call_the_tool(bad.base_url, task, tmp_path)
    assert message.status == "error"
    assert message.text.startswith("download_failed: No file was saved. audio: The file is not there")
    assert "cover: The file is not what it should be" in message.text
    assert "task_id t1" in message.text


async def test_the_finished_parts_of_a_failed_task_are_saved(tmp_path: Path) -> None:
    """Otherwise a song that exists would be lost, or the failure would be hidden."""
    async with answering(reply(SONG)) as server:
        task = Task(
            "t1",
            "failed",
            partial_results=({"audio_id": "a1", "audio_url": server.base_url},),
            error={"code": "api_error", "message": "half-way", "trace_id": None},
        )
        message = await call_the_tool(server.base_url, task, tmp_path)
    assert '"state":"failed","success":false' in message.text
    assert '"message":"half-way"' in message.text
    assert "why the rest failed" in message.text
    assert len(saved_files(tmp_path)) == 1
