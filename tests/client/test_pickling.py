"""Pickled clients, as a pool of workers gets them: a copy has everything that decides what is paid, or is refused."""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Budget,
    CallbackReceiver,
    ConfigurationError,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    ProducerToolkit,
    SqliteLedger,
    StoreLedger,
)
from producer_tools.http.settings import Settings
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.crash.processes import quick_starts

SONG = GenerateMusic(prompt="a waltz")


def copied(thing: Any) -> Any:
    """The thing as another process would get it."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - the bytes were made here


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "ledger.sqlite")


def test_a_copy_has_the_settings_but_not_the_token(ledger: SqliteLedger) -> None:
    """With the token in it, a pickled client would leak it into queues and files."""
    settings = {
        "base_url": "http://127.0.0.1:1",
        "request_timeout": 7,
        "lookup_timeout": 5,
        "poll_interval": 3,
        "max_paid_in_flight": 2,
        "require_user_token": True,
        "failures_until_down": 4,
        "platform_base_url": "http://127.0.0.1:2",
    }
    assert settings.keys() == {each.name for each in fields(Settings)}, "test the new setting too"
    options: dict[str, Any] = {**settings, "ledger": ledger, "clock": InstantClock(), "prices": {"generate": 1}}
    client = ProducerClient("token-to-hide", **options)
    assert b"token-to-hide" not in pickle.dumps(client)
    copy = vars(copied(client))
    assert vars(copy["_settings"]) == settings
    assert repr(copy["_ledger"]) == repr(ledger)
    assert isinstance(copy["_clock"], InstantClock)
    assert copied(client).price(SONG).usd == 1


def test_each_argument_of_a_client_is_copied_or_refused() -> None:
    """An argument that a copy forgets could let the copy pay again, or for somebody else."""
    copied_ones = {each.name for each in fields(Settings)} | {"ledger", "budget", "prices", "callbacks", "clock"}
    not_copied = {"api_token", "session"}  # the environment has the token; a session is refused
    assert set(signature(ProducerClient).parameters) == copied_ones | not_copied


async def test_copies_pay_once_for_one_key(
    ledger: SqliteLedger, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three workers of a pool get the same job: each would pay for it if the copies forgot the ledger."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    client = ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger)
    clients = [client, copied(client), copied(copied(client))]
    assert len({(await each.submit(SONG, key="job")).task_id for each in clients}) == len(sandbox.charges) == 1

    tool = ProducerGenerateMusic(client=client)
    of_toolkit = copied(ProducerToolkit(client=client)).get_tools()
    tools = [tool, copied(tool), *(each for each in of_toolkit if each.name == tool.name)]
    arguments = {"prompt": "a waltz", "submission_key": "tool's job"}
    assert len({json.loads(await each.ainvoke(arguments))["task_id"] for each in tools}) == 1
    assert len(sandbox.charges) == 2
    for each in (*clients, *(each.client for each in tools)):
        await each.aclose()


def test_a_copied_ledger_is_the_same_file_in_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may run elsewhere: with a relative path, it would make a ledger of its own and pay again."""
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(SqliteLedger("ledger.sqlite"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert repr(pickle.loads(pickled)) == f"SqliteLedger({str(tmp_path / 'ledger.sqlite')!r})"  # noqa: S301 - see above


def in_worker(client: ProducerClient, found: Any) -> None:
    """Run by the process of the next test."""
    os.environ["ACEDATACLOUD_API_TOKEN"] = "sk-test"
    with client:
        found.put(client.submit_sync(SONG, key="job").task_id)


@pytest.mark.enable_socket  # processes are started over a Unix socket
def test_a_worker_process_returns_the_task_of_its_parent(ledger: SqliteLedger) -> None:
    """The whole way: multiprocessing pickles the client, and the worker finds what the parent has paid for."""
    context = quick_starts()
    found = context.SimpleQueue()
    with (
        ProducerSandbox(api_token="sk-test") as sandbox,
        ProducerClient("sk-test", sandbox.base_url, ledger=ledger) as client,
    ):
        paid = client.submit_sync(SONG, key="job").task_id
        process = context.Process(target=in_worker, args=(client, found), daemon=True)
        process.start()
        process.join(200)
        assert process.exitcode == 0
        assert [found.get(), len(sandbox.charges)] == [paid, 1]


REFUSED: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "no ledger": (lambda _: {}, "without a ledger of its own .* Give it a SqliteLedger"),
    "memory": (lambda _: {"ledger": MemoryLedger()}, "A ledger in memory .* Use a SqliteLedger"),
    "store": (lambda _: {"ledger": StoreLedger(InMemoryStore())}, "Make the client in the worker"),
    "budget": (lambda path: {"ledger": SqliteLedger(path), "budget": Budget(max_calls=1)}, "Make the budget in the"),
    "callbacks": (
        lambda path: {"ledger": SqliteLedger(path), "callbacks": CallbackReceiver("http://127.0.0.1:9")},
        "Make one in the worker, with the same public_url and secret",
    ),
}


@pytest.mark.parametrize("which", REFUSED)
@pytest.mark.parametrize(
    "holder",
    [
        lambda client: client,
        lambda client: ProducerGenerateMusic(client=client),
        lambda client: ProducerToolkit(client=client),
    ],
    ids=["client", "tool", "toolkit"],
)
def test_a_client_that_cannot_be_copied_is_a_clear_error(which: str, holder: Any, tmp_path: Path) -> None:
    """A copy without its ledger or budget would pay again. The error says what to do, also where a tool is pickled."""
    make_options, message = REFUSED[which]
    client = ProducerClient("t", "http://127.0.0.1:9", **make_options(tmp_path / "ledger.sqlite"))
    with pytest.raises(ConfigurationError, match=message):
        pickle.dumps(holder(client))


async def test_a_client_with_a_callers_session_cannot_be_copied(ledger: SqliteLedger) -> None:
    async with aiohttp.ClientSession() as session:
        client = ProducerClient("t", "http://127.0.0.1:9", session=session, ledger=ledger)
        with pytest.raises(ConfigurationError, match="session of the caller's cannot be pickled"):
            pickle.dumps(client)
