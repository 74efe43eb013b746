"""The file endpoints: which is tried when, what of their answers is believed, and that the token stays secret."""

import asyncio
import gc
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from producer_tools import FileHostingError, ProducerClient, api_token
from producer_tools.files.uploads.recordings import LARGEST_RECORDING, Recording, read_recording
from producer_tools.http.transport import Transport
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import LoopTime
from tests.files.own_recordings import wav
from tests.raw_server import RESET, SILENCE, Reply, answering, http

TOKEN = "secret-" + "0123456789abcdef" * 2
URL = "https://files.example/take.wav"
UPLOADED = http({"task_id": "t1", "data": {"audio_id": "a1"}})


@pytest.fixture
def takes(tmp_path: Path) -> list[Path]:
    """Three recordings."""
    paths = [tmp_path / f"take {number}.wav" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(note=number))
    return paths


@pytest.mark.parametrize("answer", ["no_api", "refused", "failing"])
async def test_the_other_endpoint_is_tried_and_the_one_that_worked_is_remembered(
    answer: Any, client: ProducerClient, sandbox: ProducerSandbox, takes: list[Path]
) -> None:
    """Which of the two an API token may use is not known, and each failed attempt sends up to 25 MB."""
    await client.upload(takes[0])
    sandbox.file_hosts.api = answer
    await client.upload(takes[1])
    sandbox.file_hosts.api = "works"
    await client.upload(takes[2])
    paths = [file.endpoint for file in sandbox.file_hosts.received]
    assert paths == ["/files/upload", "/api/v1/files/", "/api/v1/files/"]


async def test_one_error_tells_what_each_endpoint_said(
    client: ProducerClient, sandbox: ProducerSandbox, takes: list[Path]
) -> None:
    sandbox.file_hosts.api, sandbox.file_hosts.platform = "no_api", "refused"
    with pytest.raises(FileHostingError) as caught:
        await client.upload(takes[0])
    assert str(caught.value) == (
        "no_file_endpoint: No file endpoint took the recording, and the same call will fail again. "
        f"{sandbox.base_url}/files/upload said no_api: there is no API for files here; "
        f"{sandbox.base_url}/api/v1/files/ said invalid_token: this token may not store files. "
        "Nothing was charged. Put the file on the web yourself and submit UploadAudio(audio_url=...)."
    )
    assert "audio_url" in caught.value.for_model()
    assert sandbox.charges == ()
    sandbox.file_hosts.platform = "works"
    assert (await client.upload(takes[0])).state == "complete"


@pytest.mark.parametrize(
    ("first", "second", "code", "again"),
    [
        ("401 Unauthorized", "401 Unauthorized", "token_not_accepted", "the same call will fail again"),
        ("401 Unauthorized", "404 Not Found", "no_file_endpoint", "the same call will fail again"),
        ("413 Too Large", "403 Forbidden", "no_file_endpoint", "the same call will fail again"),
        ("401 Unauthorized", "500 Oops", "no_file_endpoint", "a later call may succeed"),
        ("429 Slow Down", "401 Unauthorized", "no_file_endpoint", "a later call may succeed"),
    ],
)
async def test_the_error_says_whether_a_later_call_may_succeed(
    first: str, second: str, code: str, again: str, takes: list[Path]
) -> None:
    """A user whose token may store no files would be told to try later, for ever."""
    async with answering(http({}, first), http({}, second)) as server, ProducerClient(TOKEN, server.base_url) as client:
        with pytest.raises(FileHostingError, match=again) as caught:
            await client.upload(takes[0])
    assert caught.value.code == code
    assert ("accepts this API token" in caught.value.for_model()) is (code == "token_not_accepted")
    assert "later" not in caught.value.for_model() or again.startswith("a later")


async def test_two_long_refusals_leave_room_for_each_other(takes: list[Path]) -> None:
    """A page of HTML or a long message of the first would hide the second, and what to do."""
    long = http({"error": {"code": "forbidden", "message": "no " * 900}}, "403 Forbidden")
    async with answering(long) as server, ProducerClient(TOKEN, server.base_url) as client:
        with pytest.raises(FileHostingError) as caught:
            await client.upload(takes[0])
    assert str(caught.value).count("said forbidden: no no") == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"success": False, "message": "the storage is full"},
        {"success": False, "detail": "the storage is full", "url": URL},
        {"id": 1, "error": "the storage is full"},
    ],
)
async def test_a_failure_with_status_200_is_told_in_its_own_words(answer: dict[str, Any], takes: list[Path]) -> None:
    """That there is no url would not say what to do."""
    async with answering(http(answer)) as server, ProducerClient(TOKEN, server.base_url) as client:
        with pytest.raises(FileHostingError, match="the storage is full"):
            await client.upload(takes[0])


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "url": URL, "expires_at": "2026-12-06T00:00:00Z"},
        {"id": 1, "file_url": URL},
        {"id": 1, "file": URL},
        {"data": {"url": URL}},
        {"file": {"download_url": URL}},
        {"file": "take.wav", "data": {"url": URL}},
        {"success": True, "error": None, "url": URL},
    ],
)
async def test_each_likely_form_of_the_answer_is_read(answer: dict[str, Any], takes: list[Path]) -> None:
    """The platform's answer is documented nowhere."""
    async with answering(http(answer), UPLOADED) as server, ProducerClient(TOKEN, server.base_url) as client:
        await client.upload(takes[0])
    assert URL.encode() in server.requests[1]


@pytest.mark.parametrize(
    "reply",
    [
        http({"success": True}),
        http({"success": False, "url": None, "error": {"code": "x", "message": "y"}}),
        http({"success": False, "url": URL}),
        http({"id": 1, "error": {"code": "x", "message": "y"}, "url": URL}),
        http([URL]),
        http(b"<html>"),
        http(b""),
        http({"url": "file:///etc/passwd"}),
        http({"url": "javascript:alert(1)"}),
        http({"url": "/media/take.wav"}),
        http({"url": "http://10.0.0.7/take.wav"}),
        http({"url": "http://169.254.169.254/latest/meta-data"}),
        http({"url": "https://[fe80::1]/take.wav"}),
        http({"url": "https://user:password@files.example/take.wav"}),
        http({"url": f"{URL}\nSet-Cookie: x"}),
        http({"url": f"{URL} x"}),
        http({"url": f"{URL}\u202e\x07"}),
        http({"url": f"https://x.example/{'y' * 9000}"}),
        http({"url": f"https://x.example/?token={TOKEN}"}),
        http({"url": ["https://x.example"]}),
        http({}, "301 Moved\r\nLocation: https://thief.example/"),
        http({}, "307 Temporary Redirect\r\nLocation: /elsewhere"),
        http({}, "413 Too Large"),
        RESET,
    ],
)
async def test_what_is_no_address_is_not_used(reply: Reply, takes: list[Path]) -> None:
    """It would be sent to the paid endpoint, and kept in the ledger. Nor is a redirect followed, with the token."""
    async with answering(reply, http({"url": URL}), UPLOADED) as server:
        async with ProducerClient(TOKEN, server.base_url) as client:
            assert (await client.upload(takes[0])).task_id == "t1"
    paths = [request.split(b" ", 2)[1] for request in server.requests]
    assert paths == [b"/files/upload", b"/api/v1/files/", b"/producer/upload"]
    assert URL.encode() in server.requests[2]


@pytest.mark.parametrize("inner", ["localhost", "127.0.0.1", "192.168.0.9", "[::1]"])
async def test_an_address_inside_a_network_is_not_used(
    inner: str, takes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service could not fetch it, which is paid for. Only an endpoint inside that network may name one there."""

    async def answers(*_: object, **__: object) -> dict[str, str]:
        return {"url": f"http://{inner}/take.wav", "task_id": "t1"}

    monkeypatch.setattr(Transport, "post_file", answers)
    monkeypatch.setattr(Transport, "post", answers)
    for base_url in ("https://api.example", "http://10.0.0.7"):
        async with ProducerClient(TOKEN, base_url) as client:
            with pytest.raises(FileHostingError, match=r"no public http\(s\) address"):
                await client.upload(takes[0])
    async with ProducerClient(TOKEN, f"http://{inner}") as client:
        assert (await client.upload(takes[0])).task_id == "t1"


async def test_the_request_is_what_the_endpoints_document(takes: list[Path]) -> None:
    """Multipart, in the field ``file``, with a bearer token."""
    async with answering(http({"url": URL}), UPLOADED) as server, ProducerClient(TOKEN, server.base_url) as client:
        await client.upload(takes[1])
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: multipart/form-data; boundary=" in head
    assert f"\r\nAuthorization: Bearer {TOKEN}".encode() in head
    assert b'Content-Disposition: form-data; name="file"; filename="take_1.wav"\r\n' in body
    assert b"Content-Type: audio/wav\r\n" in body
    assert wav(note=1) in body


async def test_each_endpoint_is_at_its_own_host(takes: list[Path]) -> None:
    """The platform is another host than the API's."""
    async with answering(http({}, "404 Not Found"), UPLOADED) as api, answering(http({"url": URL})) as platform:
        async with ProducerClient(TOKEN, api.base_url, platform_base_url=f"{platform.base_url}/") as client:
            await client.upload(takes[0])
    assert [request.split(b" ", 2)[1] for request in platform.requests] == [b"/api/v1/files/"]


async def test_no_error_holds_the_token(takes: list[Path]) -> None:
    """The service may quote it."""
    quoting = http({"error": {"code": TOKEN, "message": f"bad {TOKEN}"}}, "401 Unauthorized")
    async with answering(quoting) as server, ProducerClient(TOKEN, server.base_url) as client:
        with pytest.raises(FileHostingError) as caught:
            await client.upload(takes[0])
    error: BaseException | None = caught.value
    while error is not None:
        assert TOKEN not in f"{error!s} {error!r}"
        error = error.__context__


async def test_a_silent_endpoint_is_given_up(takes: list[Path]) -> None:
    """A call would otherwise wait for half an hour, as for a song."""
    loop_time = LoopTime()
    async with answering(SILENCE, http({"url": URL}), UPLOADED) as server:
        async with ProducerClient(TOKEN, server.base_url, lookup_timeout=40) as client:
            upload = asyncio.create_task(client.upload(takes[0]))
            while not server.requests:
                await asyncio.sleep(0.001)
            loop_time.advance(42)  # for a large file it may take longer, and aiohttp rounds up
            assert (await upload).task_id == "t1"


async def test_a_cancelled_upload_sends_no_more(takes: list[Path]) -> None:
    """Sending a file costs nothing, so nothing goes on behind the caller's back."""
    async with answering(SILENCE) as server, ProducerClient(TOKEN, server.base_url) as client:
        upload = asyncio.create_task(client.upload(takes[0]))
        while not server.requests:
            await asyncio.sleep(0.001)
        upload.cancel()
        with suppress(asyncio.CancelledError):
            await upload
        assert upload.cancelled()
    assert len(server.requests) == 1


async def test_a_session_of_the_callers_is_used(sandbox: ProducerSandbox, takes: list[Path]) -> None:
    async with aiohttp.ClientSession() as session:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, session=session) as client:
            await client.upload(takes[0])
    assert len(sandbox.file_hosts.received) == 1


async def test_the_largest_file_does_not_block_the_event_loop(
    client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """A server's other users would wait while 25 MB are read, hashed and sent."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav().ljust(LARGEST_RECORDING, b"\0"))
    upload = asyncio.create_task(client.upload(path))
    turns: list[float] = []
    gc.collect()
    gc.disable()  # what all tests of the process have left would be walked through in one of the turns
    try:
        while not upload.done():
            began = time.thread_time()  # not the time that other threads take: the sandbox is one of them
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)
    finally:
        gc.enable()
    assert max(turns) < 0.1
    assert len(sandbox.file_hosts.received[0].content) == LARGEST_RECORDING
    await upload


async def test_a_folder_full_of_recordings_is_not_read_at_once(takes: list[Path]) -> None:
    """Each may have 25 MB, and a server has little memory. The files of another account do not wait for them."""
    read: list[int] = []
    may_end = asyncio.Event()

    def reading(number: int) -> Recording:
        read.append(number)
        return read_recording(takes[0])

    async def host(writer: asyncio.StreamWriter) -> None:
        await may_end.wait()
        writer.write(UPLOADED)

    async with answering(host) as server, ProducerClient(TOKEN, server.base_url) as client:
        uploads = [asyncio.create_task(client.upload(partial(reading, number))) for number in range(7)]
        while len(read) < 5:
            await asyncio.sleep(0.001)
        with api_token("another token of 32 characters.."):
            other = asyncio.create_task(client.upload(partial(reading, 7)))
        while 7 not in read:
            await asyncio.sleep(0.001)
        assert sorted(read) == [0, 1, 2, 3, 4, 7]
        may_end.set()
        await asyncio.gather(*uploads, other, return_exceptions=True)
    assert sorted(read) == list(range(8))
