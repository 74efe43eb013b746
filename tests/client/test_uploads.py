"""Uploads of files: the same content is hosted and paid for once in seven days, whoever uploads it."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from producer_tools import (
    Budget,
    BudgetExceededError,
    InvalidArgumentError,
    Ledger,
    MissingTokenError,
    ProducerClient,
    ServiceUnavailableError,
    SqliteLedger,
    SubmissionUnknownError,
    Task,
    api_token,
)
from producer_tools.requests import CoverMusic, UploadAudio
from producer_tools.requests.media import UploadAudioOrFile
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.files.own_recordings import wav
from tests.raw_server import answering, http

DAY = 24 * 3600.0


def key_of(content: bytes) -> str:
    return f"recording {hashlib.sha256(content).hexdigest()}"


async def test_a_file_becomes_audio_to_work_on(client: ProducerClient, sandbox: ProducerSandbox, take: Path) -> None:
    task = await client.upload(take)
    assert task.state == "complete"
    (received,) = sandbox.file_hosts.received
    assert (received.name, received.content_type, received.content) == ("take.wav", "audio/wav", wav())
    assert [charge.request for charge in sandbox.charges] == [{"audio_url": received.url}]
    cover = CoverMusic(audio_id=task.results[0]["audio_id"], prompt="jazz", uploaded=True)
    covered = await client.submit(cover)
    assert (await client.get_task(covered)).state == "complete"


async def test_the_same_content_is_sent_and_paid_once(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, take: Path, tmp_path: Path
) -> None:
    """After a crash, or in another process and under another name, it would be paid for again."""
    copy = tmp_path / "the same take.wav"
    copy.write_bytes(take.read_bytes())
    tasks: list[Task] = []
    for path in (take, copy, str(take)):
        async with client_of() as client:
            tasks.append(await client.upload(path))
    assert len({task.task_id for task in tasks}) == len(sandbox.charges) == len(sandbox.file_hosts.received) == 1
    assert tasks[0].results == tasks[1].results
    take.write_bytes(wav(note=1))
    async with client_of() as client:
        await client.upload(take)
    assert len(sandbox.charges) == 2


@pytest.mark.parametrize("keys", [(None, None, None), ("call 1", "call 2", None)])
async def test_calls_at_once_send_the_file_once(
    keys: tuple[str | None, ...], client: ProducerClient, sandbox: ProducerSandbox, take: Path
) -> None:
    """An agent may call a tool twice in one message: each would send up to 25 MB."""
    tasks = await asyncio.gather(*(client.upload(take, key=key) for key in keys))
    assert len({task.task_id for task in tasks}) == len(sandbox.charges) == len(sandbox.file_hosts.received) == 1


@pytest.mark.parametrize("days", [0, 8])
async def test_processes_that_upload_at_once_pay_once(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, clock: InstantClock, take: Path, days: int
) -> None:
    """Each gets another address for the file: that must neither be another request nor a conflict.

    The same holds when an earlier upload has just become too old.
    """
    async with client_of() as first, client_of() as second, client_of() as third:
        if days:
            await first.upload(take)
            clock.time += days * DAY
        before = len(sandbox.charges)
        tasks = await asyncio.gather(*(client.upload(take) for client in (first, second, third)))
    assert len({task.task_id for task in tasks}) == len(sandbox.charges) - before == 1


async def test_it_is_paid_again_after_seven_days(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, clock: InstantClock, take: Path
) -> None:
    """The provider keeps the file no longer, so an older address would lead nowhere."""
    begun_at = clock.time
    tasks = []
    for wait in (0, 7 * DAY - 1, 1, 7 * DAY - 1, 1):
        clock.time += wait
        async with client_of() as client:
            tasks.append(str((await client.upload(take)).task_id))
    assert [charge.task_id for charge in sandbox.charges] == list(dict.fromkeys(tasks))
    assert [tasks.index(each) for each in tasks] == [0, 0, 2, 2, 4]
    async with client_of() as client:
        entries = await SqliteLedger(take.parent / "ledger.sqlite").entries()
    keys = [entry.key.partition("/")[2] for entry in entries]
    key = key_of(wav())
    assert keys == [key, f"{key}, after {begun_at!r}", f"{key}, after {begun_at + 7 * DAY!r}"]


async def test_each_account_pays_for_itself(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, take: Path
) -> None:
    """One user would otherwise get a task that only another one can use."""
    async with client_of() as client:
        await client.upload(take)
        with api_token(sandbox.add_user().api_token):
            await client.upload(take)
    assert len({charge.user_id for charge in sandbox.charges}) == 2


@pytest.mark.parametrize("at_once", [True, False], ids=["in the answer", "by a look-up"])
async def test_after_a_failed_task_it_is_sent_again(take: Path, clock: InstantClock, at_once: bool) -> None:
    """The user could otherwise not upload the recording for seven days.

    The clock stands still here: a chain of keys that meets itself would never end.
    """
    hosted = http({"success": True, "url": "https://files.example/take.wav"})
    error = {"success": False, "task_id": "t1", "error": {"code": "api_error", "message": "no capacity"}}
    failed = http(error) if at_once else http({"task_id": "t1"})
    looked_up = http({"items": [{"id": "t1", "finished_at": 2.0, "response": error}]})
    done = http({"task_id": "t2", "data": {"audio_id": "a"}})
    replies = [hosted, failed, looked_up] * 3 + [hosted, done]
    options: dict[str, Any] = {"clock": clock, "failures_until_down": 9}
    async with answering(*replies) as server, ProducerClient("t" * 32, server.base_url, **options) as client:
        tasks = [await client.upload(take) for _ in range(5)]
    assert [task.task_id for task in tasks] == ["t1", "t1", "t1", "t2", "t2"]
    assert sum(b"POST /producer/upload" in request for request in server.requests) == 4


async def test_an_unknown_outcome_is_settled_as_any_other(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, take: Path
) -> None:
    """Otherwise a recording whose answer was lost could never be uploaded again, or would be paid for twice."""
    sandbox.listing.answer = "forbidden"
    key = key_of(wav())
    async with client_of() as client:
        for settled in ("released", "adopted"):
            sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/upload")
            for _ in range(2):
                with pytest.raises(SubmissionUnknownError) as caught:
                    await client.upload(take)
                assert caught.value.key == key
            if settled == "released":
                await client.release(key)
        await client.adopt(key, sandbox.charges[1].task_id)
        assert (await client.upload(take)).task_id == sandbox.charges[1].task_id
    assert len(sandbox.charges) == 2


async def test_a_lost_answer_is_found_by_its_address(
    client: ProducerClient, sandbox: ProducerSandbox, take: Path
) -> None:
    """A search compares the body that was sent: it must have the address, and nothing else."""
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/upload")
    task = await client.upload(take)
    assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


async def test_nothing_is_sent_of_a_file_that_cannot_be_uploaded(
    client: ProducerClient, sandbox: ProducerSandbox, take: Path
) -> None:
    take.write_text("no sound")
    with pytest.raises(InvalidArgumentError, match="mp3, wav or m4a"):
        await client.upload(take)
    assert sandbox.file_hosts.received == ()


async def test_nothing_is_sent_that_must_not_be_paid_for(sandbox: ProducerSandbox, take: Path) -> None:
    """The file would be public, and for nothing."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        refusal = ServiceUnavailableError("down", "down")
        with pytest.raises(ServiceUnavailableError):
            await client.upload(take, refusal=refusal)
        assert sandbox.file_hosts.received == ()
        task = await client.upload(take)
        assert (await client.upload(take, refusal=refusal)).task_id == task.task_id
    async with ProducerClient(base_url=sandbox.base_url) as without_token:
        with pytest.raises(MissingTokenError):
            await without_token.upload(take)


async def test_nothing_is_sent_while_the_service_is_down(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, clock: InstantClock, take: Path
) -> None:
    """The file would be public, and for nothing: up to 25 MB at each attempt. The first call after the pause tries."""
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.ERROR_BEFORE_WORK, endpoint="/producer/upload")
    async with client_of(failures_until_down=1) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.upload(take)
        take.write_bytes(wav(note=1))
        with pytest.raises(ServiceUnavailableError):
            await client.upload(take)
        assert len(sandbox.file_hosts.received) == 1
        clock.time += 60
        await client.upload(take)
    assert len(sandbox.file_hosts.received) == 2
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("kind", [{}, {"scope": "ann"}], ids=["of this run", "in the ledger"])
async def test_it_counts_in_a_budget(sandbox: ProducerSandbox, take: Path, kind: dict[str, Any]) -> None:
    """A file that is not paid for must not be sent either: it would be public, and for nothing."""
    limit = Budget(max_calls=1, **kind)
    async with ProducerClient(sandbox.api_token, sandbox.base_url, budget=limit) as client:
        await client.upload(take)
        await client.upload(take)
        take.write_bytes(wav(note=1))
        with pytest.raises(BudgetExceededError):
            await client.upload(take)
    assert len(sandbox.charges) == len(sandbox.file_hosts.received) == limit.calls == 1


async def test_the_ledger_of_a_call_takes_precedence(client: ProducerClient, take: Path, tmp_path: Path) -> None:
    ledger: Ledger = SqliteLedger(tmp_path / "other.sqlite")
    await client.upload(take, ledger=ledger)
    (entry,) = await ledger.entries()
    assert entry.key.endswith(f"/{key_of(wav())}")


async def test_a_tools_arguments_are_no_request(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """The service would be sent the name of a file, and might charge for it."""
    with pytest.raises(InvalidArgumentError, match=r"client\.upload"):
        await client.submit(UploadAudioOrFile(path="take.wav"))
    with pytest.raises(InvalidArgumentError, match=r"client\.upload"):
        UploadAudio(path="take.wav")  # type: ignore[call-arg]  # what a caller may do wrong
    assert sandbox.requests == ()


@pytest.mark.parametrize(
    ("url", "is_logged"),
    [
        ("http://audio.example/a.mp3", True),
        ("HTTP://audio.example/a.mp3", True),
        ("https://audio.example/a.mp3", False),
        ("http://127.0.0.1:8000/a.mp3", False),
        ("http://[::1]/a.mp3", False),
        ("http://localhost/a.mp3", False),
    ],
)
async def test_an_address_without_tls_is_logged(
    url: str, is_logged: bool, client: ProducerClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Some upstreams refuse it, and the user would not know why the upload failed."""
    caplog.set_level(logging.WARNING, "producer_tools")
    await client.submit(UploadAudio(audio_url=url))
    assert [record.getMessage() for record in caplog.records if record.name == "producer_tools"] == [
        "The audio_url begins with http://, and some of the service's upstreams fetch https:// only."
    ] * is_logged
