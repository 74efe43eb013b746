"""The caller's key of an upload: it belongs to one recording, whose task it keeps."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    FileHostingError,
    InvalidArgumentError,
    Ledger,
    MemoryLedger,
    ProducerClient,
    SqliteLedger,
    StoreLedger,
    SubmissionConflictError,
    SubmissionUnknownError,
    api_token,
)
from producer_tools.files.uploads.hosting import FileHosts
from producer_tools.files.uploads.recordings import Recording
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.files.own_recordings import wav

DAY = 24 * 3600.0


async def test_a_callers_key_belongs_to_its_recording_for_good(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, clock: InstantClock, take: Path
) -> None:
    """A graph that is resumed after two weeks would otherwise pay for its upload again."""
    async with client_of() as client:
        first = await client.upload(take, key="call 1")
        assert (await client.upload(take)).task_id == first.task_id, "the content has been paid for"
        clock.time += 14 * DAY
        assert (await client.upload(take, key="call 1")).task_id == first.task_id
        assert len(sandbox.charges) == len(sandbox.file_hosts.received) == 1
        take.write_bytes(wav(note=1))
        with pytest.raises(SubmissionConflictError, match="call 1") as caught:
            await client.upload(take, key="call 1")
        assert caught.value.task_id == first.task_id, "it has been paid for, and nothing else may name it"
    assert len(sandbox.charges) == len(sandbox.file_hosts.received) == 1


async def test_a_callers_key_keeps_its_task_without_the_file(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, clock: InstantClock, take: Path
) -> None:
    """A graph that is resumed after its files were cleaned up would otherwise lose what it has paid for."""
    async with client_of() as client:
        first = await client.upload(take, key="call 1")
        take.unlink()
        clock.time += 14 * DAY
        assert (await client.upload(take, key="call 1")).task_id == first.task_id
        for key in ("call 2", None):
            with pytest.raises(InvalidArgumentError, match="does not exist"):
                await client.upload(take, key=key)
        with api_token(sandbox.add_user().api_token), pytest.raises(InvalidArgumentError):
            await client.upload(take, key="call 1")
        take.write_text("no sound")
        assert (await client.upload(take, key="call 1")).task_id == first.task_id
    assert len(sandbox.charges) == 1


async def test_a_key_that_an_earlier_version_has_noted_belongs_to_its_recording_too(
    sandbox: ProducerSandbox, clock: InstantClock, take: Path
) -> None:
    """After an update, a graph that is resumed would pay for its upload again, and a key for two recordings."""
    ledger, key = MemoryLedger(), f"recording {hashlib.sha256(wav()).hexdigest()}"
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, clock=clock) as client:
        first = await client.upload(take)
        (entry,) = await ledger.entries()
        note = {"key": key, "sha256": key.removeprefix("recording ")}
        await ledger.write_note(f"recording of {entry.account}/call 1", note)
        clock.time += 14 * DAY
        assert (await client.upload(take, key="call 1")).task_id == first.task_id
        take.write_bytes(wav(note=1))
        with pytest.raises(SubmissionConflictError):
            await client.upload(take, key="call 1")
        take.unlink()
        assert (await client.upload(take, key="call 1")).task_id == first.task_id
    assert len(sandbox.charges) == 1


async def test_without_the_file_an_unknown_outcome_is_not_hidden(
    client_of: Callable[..., ProducerClient], sandbox: ProducerSandbox, take: Path
) -> None:
    """An error about the file would say that nothing was sent."""
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/upload")
    async with client_of() as client:
        with pytest.raises(SubmissionUnknownError):
            await client.upload(take, key="call 1")
        take.unlink()
        with pytest.raises(SubmissionUnknownError) as caught:
            await client.upload(take, key="call 1")
        await client.release(str(caught.value.key))
        with pytest.raises(InvalidArgumentError):
            await client.upload(take, key="call 1")


async def test_a_callers_key_is_free_until_something_was_sent(
    client: ProducerClient, sandbox: ProducerSandbox, take: Path
) -> None:
    """After a refusal at no cost, the user may make the recording anew: it would be refused as another one's."""
    sandbox.file_hosts.api = sandbox.file_hosts.platform = "failing"
    with pytest.raises(FileHostingError):
        await client.upload(take, key="call 1")
    sandbox.file_hosts.api = "works"
    take.write_bytes(wav(note=1))
    task = await client.upload(take, key="call 1")
    assert (await client.upload(take, key="call 1")).task_id == task.task_id
    assert len(sandbox.charges) == 1


async def test_of_two_recordings_at_once_one_gets_the_key(
    client: ProducerClient, sandbox: ProducerSandbox, take: Path, tmp_path: Path
) -> None:
    """As with every paid call: a key that is used for two recordings by mistake must not pay for both."""
    other = tmp_path / "other.wav"
    other.write_bytes(wav(note=1))
    uploads = [client.upload(path, key="call 1") for path in (take, other)]
    outcomes = await asyncio.gather(*uploads, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["SubmissionConflictError", "Task"]
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("shared", [SqliteLedger, lambda _: StoreLedger(InMemoryStore())], ids=["sqlite", "store"])
async def test_of_two_recordings_in_two_processes_one_gets_the_key(
    shared: Callable[[Path], Ledger], sandbox: ProducerSandbox, take: Path, tmp_path: Path
) -> None:
    """The same where only the ledger is shared: the second is refused before its file is public or paid for."""
    ledger, paths = shared(tmp_path / "ledger.sqlite"), [take, tmp_path / "b.wav", tmp_path / "c.wav"]
    for note, path in enumerate(paths):
        path.write_bytes(wav(note=note))
    clients = [ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) for _ in paths]
    uploads = [client.upload(path, key="call 1") for client, path in zip(clients, paths, strict=True)]
    outcomes = await asyncio.gather(*uploads, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["SubmissionConflictError"] * 2 + ["Task"]
    assert len(sandbox.charges) == len(sandbox.file_hosts.received) == 1
    assert len((await clients[0].spent()).calls) == 1, "what a key belongs to is no call"
    for client in clients:
        await client.aclose()


async def test_a_call_that_fails_leaves_the_key_to_another_call(
    sandbox: ProducerSandbox, take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both upload one recording. If the first gave their key up, a third call would pay for another recording."""
    ledger, host, is_shared, is_refused = MemoryLedger(), FileHosts.host, asyncio.Event(), asyncio.Event()
    calls = iter(range(2))

    async def first_fails(hosts: FileHosts, recording: Recording) -> str:
        if next(calls) == 0:
            await is_shared.wait()
            raise FileHostingError("no_file_endpoint", "No file endpoint took the recording.")
        is_shared.set()
        await is_refused.wait()
        return await host(hosts, recording)

    monkeypatch.setattr(FileHosts, "host", first_fails)
    url, token, other = sandbox.base_url, sandbox.api_token, tmp_path / "other.wav"
    other.write_bytes(wav(note=1))
    clients = [ProducerClient(token, url, ledger=ledger) for _ in range(3)]
    uploads = [asyncio.create_task(client.upload(take, key="call 1")) for client in clients[:2]]
    (failed,), (goes_on,) = await asyncio.wait(uploads, return_when=asyncio.FIRST_COMPLETED)
    assert isinstance(failed.exception(), FileHostingError)
    with pytest.raises(SubmissionConflictError):
        await clients[2].upload(other, key="call 1")
    is_refused.set()
    await goes_on
    for client in clients:
        await client.aclose()
    assert len(sandbox.charges) == 1
