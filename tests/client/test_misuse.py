"""Mistakes of a programmer: each fails at once, before anything is sent, and says what was expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from producer_tools import (
    Budget,
    ConfigurationError,
    InvalidArgumentError,
    MemoryLedger,
    ProducerClient,
    ProducerError,
    ProducerGenerateMusic,
    ProducerToolkit,
    ProducerWaitForTasks,
    SqliteLedger,
)
from producer_tools.requests import GenerateMusic, GetTask
from producer_tools.sandbox import ProducerSandbox

SONG = GenerateMusic(prompt="a slow waltz")
CALLS: dict[str, tuple[Callable[[ProducerClient], Any], str]] = {
    "an empty prompt": (lambda _: GenerateMusic(prompt=""), "prompt: String should have at least 1 character"),
    "a misspelt argument": (lambda _: GenerateMusic(promt="x"), "promt: There is no such argument. The arguments are"),  # type: ignore[call-arg]  # that is tested
    "no task": (lambda client: client.wait_sync([], 1), "task_ids: "),
    "no task to look up": (lambda client: client.get_tasks_sync([]), "task_ids: "),
    "nothing to look up": (lambda client: client.get_tasks_sync(None), "task_ids: Input should be a valid string"),  # type: ignore[arg-type]  # that is tested
    "a blank task id": (lambda client: client.get_task_sync(" "), "task_id: "),
    "a text as request": (lambda client: client.submit_sync("a song"), "request: a paid request .* type str"),  # type: ignore[arg-type]  # that is tested
    "a free request": (lambda client: client.submit_sync(GetTask(task_id="a")), "GetTask is free: use get_task"),  # type: ignore[arg-type]  # that is tested
    "a misspelt switch": (lambda client: ProducerToolkit(client=client, paid_tool=False), "paid_tool: .* paid_tools"),  # type: ignore[call-arg]  # that is tested
}


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_an_invalid_argument_is_named(
    call: Callable[[ProducerClient], Any], message: str, sandbox: ProducerSandbox
) -> None:
    """A program that catches `ProducerError` gets it, and a person reads no name of an internal class."""
    with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            call(client)
    assert isinstance(caught.value, ProducerError)
    assert isinstance(caught.value, ValueError)
    assert "Batch" not in str(caught.value)
    assert "Nothing was sent." in str(caught.value)
    assert list(caught.value.problems)
    assert not sandbox.requests


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a number as budget": ({"budget": 5}, r"must be a Budget, such as Budget\(max_usd=5\); it is 5"),
    "a number as ledger": ({"ledger": 3}, "SqliteLedger, a StoreLedger, a MemoryLedger or a path; .* type int"),
    "a ledger's class": (
        {"ledger": MemoryLedger},
        "SqliteLedger, a StoreLedger, a MemoryLedger or a path; .* type type",
    ),
    "a database as ledger": ({"ledger": "postgresql://me:secret@db/songs"}, "AsyncPostgresStore, and give StoreLedger"),
}


@pytest.mark.parametrize(("settings", "message"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_makes_no_sense(settings: dict[str, Any], message: str) -> None:
    """Otherwise the first paid call fails, in the middle of a run."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        ProducerClient("t", **settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "\n", 5])
async def test_a_key_that_is_no_key(key: Any, client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """Such a key comes from a variable that is not set. All requests under it would be one, or each be paid for."""
    with pytest.raises(ConfigurationError, match="must be text that is not blank, so nothing was sent"):
        await client.submit(SONG, key=key)
    assert not sandbox.charges


@pytest.mark.parametrize("as_given", [str, Path])
async def test_a_path_is_a_ledger(as_given: Any, sandbox: ProducerSandbox, tmp_path: Path) -> None:
    """A path is what a newcomer tries first. It would fail only at the first paid call."""
    path = tmp_path / "songs.sqlite"
    for _ in range(2):
        settings: Any = {"ledger": as_given(path), "budget": Budget(max_calls=1)}
        async with ProducerClient(sandbox.api_token, sandbox.base_url, **settings) as client:
            task = await client.submit(SONG, key="order-4711")
            await client.submit(SONG, key="order-4711", ledger=as_given(path))
    assert len(sandbox.charges) == 1
    (entry,) = await SqliteLedger(path).entries()
    assert entry.answer is not None
    assert entry.answer["task_id"] == task.task_id


@pytest.mark.parametrize("tool", [ProducerGenerateMusic, ProducerWaitForTasks])
def test_a_tool_takes_no_unknown_setting(tool: Any, client: ProducerClient) -> None:
    """A misspelt setting had no effect, and nobody saw it."""
    with pytest.raises(ValueError, match="on_progres"):
        tool(client=client, on_progres=print)
