"""Every async method of `ProducerClient` and `Downloader` has a twin for sync code that does the same."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from producer_tools import (
    Downloader,
    ProducerClient,
    Progress,
    SubmissionUnknownError,
    Task,
    TaskNotFoundError,
)
from producer_tools.requests import GenerateMusic, PaidRequest
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import PatientClock
from tests.files.own_recordings import wav

pytestmark = pytest.mark.usefixtures("silent_files")

SILENCE = wav()
SONG = GenerateMusic(prompt="a song")
# The twin of `aclose` is `close`. `allow_again` is an old name that is about to go.
NAMED_OTHERWISE = {"aclose", "allow_again"}


def async_methods(cls: type) -> set[str]:
    """The public methods of a class that are async functions or async generators."""

    def is_async(member: object) -> bool:
        return inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)

    return {name for name, _ in inspect.getmembers(cls, is_async) if not name.startswith("_")} - NAMED_OTHERWISE


@dataclass(frozen=True)
class Account:
    """A client with one finished song, and with a request of an unknown outcome under the key ``lost``."""

    sandbox: ProducerSandbox
    client: ProducerClient
    task_id: str
    directory: Path


@pytest.fixture
def account(sandbox: ProducerSandbox, tmp_path: Path) -> Iterator[Account]:
    with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, clock=PatientClock()) as client:
        task = client.submit_sync(SONG)
        sandbox.listing.answer = "forbidden"  # else the task would be found
        sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/audios")
        with pytest.raises(SubmissionUnknownError):
            client.submit_sync(SONG, key="lost")
        yield Account(sandbox, client, str(task.task_id), tmp_path)


def submit(account: Account) -> None:
    first, second = (account.client.submit_sync(SONG, key="key") for _ in range(2))
    assert first == second
    assert first.task_id in {charge.task_id for charge in account.sandbox.charges}


def upload(account: Account) -> None:
    path = account.directory / "take.wav"
    path.write_bytes(SILENCE)
    assert account.client.upload_sync(path).results[0]["audio_id"]
    assert [file.content for file in account.sandbox.file_hosts.received] == [SILENCE]


def get_task(account: Account) -> None:
    assert account.client.get_task_sync(account.task_id).state == "complete"
    with pytest.raises(TaskNotFoundError):
        account.client.get_task_sync("unknown")


def get_tasks(account: Account) -> None:
    batch = account.client.get_tasks_sync([account.task_id, "unknown"])
    assert [task.task_id for task in batch.tasks] == [account.task_id]
    assert batch.not_found == ("unknown",)


def wait(account: Account) -> None:
    progress: list[Progress] = []
    batch = account.client.wait_sync([account.task_id], timeout=60, on_progress=progress.append)
    assert [task.state for task in batch.tasks] == [each["state"] for each in progress] == ["complete"]


def watch(account: Account) -> None:
    changes = account.client.watch_sync([account.task_id])
    assert next(changes).state == "complete"
    assert next(changes, None) is None


def release(account: Account) -> None:
    account.client.release_sync("lost")
    assert account.client.submit_sync(SONG, key="lost").task_id


def adopt(account: Account) -> None:
    account.client.adopt_sync("lost", "seen-in-the-account")
    assert account.client.submit_sync(SONG, key="lost").task_id == "seen-in-the-account"


def settle(account: Account) -> None:
    (settled,) = account.client.settle_sync()
    assert settled.key.endswith("lost")


def fetch_prices(account: Account) -> None:
    assert account.client.fetch_prices_sync().credits["generate"] > 0


def spent(account: Account) -> None:
    outcomes = [call.outcome for call in account.client.spent_sync().calls]
    assert outcomes == ["complete", "unknown"]


def paid(account: Account) -> None:
    outcomes = [call.outcome for call in account.client.paid_sync()]
    assert outcomes == ["unknown", "complete"]


def save(account: Account) -> None:
    downloads = Downloader(account.client, account.directory).save_sync(account.task_id)
    assert {file.kind for file in downloads.files} == {"audio", "cover"}
    assert all(Path(file.path).parent == account.directory for file in downloads.files)


CALLS: list[Callable[[Account], None]] = [
    submit, upload, get_task, get_tasks, wait, watch, release, adopt, settle, fetch_prices, spent, paid, save,
]  # fmt: skip


def test_every_async_method_has_a_twin() -> None:
    """Without a twin, sync code would have to run an event loop of its own for that one method."""
    methods = {(cls, name) for cls in (ProducerClient, Downloader) for name in async_methods(cls)}
    assert {name for _, name in methods} == {call.__name__ for call in CALLS}, "each twin is called below"
    for cls, name in methods:
        twin = getattr(cls, f"{name}_sync")
        assert not inspect.iscoroutinefunction(twin)
        assert list(inspect.signature(twin).parameters) == list(inspect.signature(getattr(cls, name)).parameters)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("in_loop", [False, True], ids=["in a script", "in a running loop"])
def test_a_twin_does_what_its_method_does(call: Callable[[Account], None], in_loop: bool, account: Account) -> None:
    """In a notebook, sync code runs while an event loop is running in its thread."""

    async def notebook() -> None:
        call(account)

    if in_loop:
        asyncio.run(notebook())
    else:
        call(account)


def test_close_is_the_twin_of_aclose(sandbox: ProducerSandbox) -> None:
    """A later call opens a new session, so a closed client still works."""
    client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0)
    for _ in range(2):
        assert client.submit_sync(SONG).task_id
        client.close()


def test_sync_code_can_use_a_task_of_another_event_loop(account: Account) -> None:
    """A script may submit with `asyncio.run` and then wait with a sync call."""
    account.sandbox.render_seconds = 5

    async def submit_in_own_loop() -> str:
        return str((await account.client.submit(SONG)).task_id)

    first, second = (asyncio.run(submit_in_own_loop()) for _ in range(2))
    account.sandbox.finish_now()
    assert account.client.wait_sync([first], 60).tasks[0].state == "complete"
    assert [task.state for task in account.client.watch_sync([second])][-1] == "complete"


def test_a_twin_runs_the_method_of_a_subclass(sandbox: ProducerSandbox) -> None:
    """A subclass that checks a quota in `submit` must also check it in `submit_sync`; else the call is paid for."""

    class WithoutQuota(ProducerClient):
        async def submit(self, request: PaidRequest, **options: Any) -> Task:
            raise PermissionError(f"over quota: {request}, {options}")

    with WithoutQuota(sandbox.api_token, sandbox.base_url) as client, pytest.raises(PermissionError):
        client.submit_sync(SONG)
    assert sandbox.charges == ()


@pytest.mark.parametrize("name", ["submit_sync", "get_task_sync", "wait_sync"])
def test_a_twin_is_seen_as_a_sync_function(name: str) -> None:
    """FastAPI and others unwrap a function to see whether it is async; if it seems so, they await a finished result."""
    twin = getattr(ProducerClient, name)
    assert not inspect.iscoroutinefunction(inspect.unwrap(twin))
    assert inspect.signature(twin) == inspect.signature(getattr(ProducerClient, name.removesuffix("_sync")))
