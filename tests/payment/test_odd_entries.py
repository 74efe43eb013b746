"""Odd keys, leases of wrong clocks, and stores that fail: no request is taken for one that was sent."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore
from pydantic import ValidationError

from producer_tools import (
    ConfigurationError,
    LedgerError,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    StoreLedger,
    SubmissionUnknownError,
)
from producer_tools.langgraph import SubmitNode
from producer_tools.payment.entry import Entry
from producer_tools.requests import GenerateMusic
from tests.payment.calls import Account

SONG = GenerateMusic(prompt="a waltz")


@pytest.mark.parametrize("key", ["", " \t\n"])
@pytest.mark.parametrize("entrance", ["submit", "upload", "tool", "node"])
async def test_a_blank_key_is_an_error(entrance: str, key: str, account: Account) -> None:
    """A key that the application failed to fill in would count as none, or be shared by all: each call is paid for."""
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url) as client:
        state: Any = {"request": {"name": "generate_music", "args": {"prompt": "a waltz"}}, "key": key}
        tool = ProducerGenerateMusic(client=client, handle_validation_error=False)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "submit": lambda: client.submit(SONG, key=key),
            "upload": lambda: client.upload("song.mp3", key=key),
            "tool": lambda: tool.ainvoke({"prompt": "x", "submission_key": key}),
            "node": lambda: SubmitNode(client).ainvoke(state),
        }
        with pytest.raises((ConfigurationError, ValidationError), match=r"nothing was sent|submission_key"):
            await calls[entrance]()
    assert not account.new_charges()


async def test_a_dead_sender_whose_clock_was_an_hour_ahead_is_not_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key would hang for an hour, and a person could neither settle nor release it."""
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")
    ledger = MemoryLedger()
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        await client.submit(SONG, key="k")
        (known,) = await ledger.entries()
        assert await ledger.replace(known, known.changed(answer=None, lease_until=known.begun_at + 3615))
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
        await client.release("k")
    account.new_charges()


@pytest.mark.parametrize("seconds", [15, 70])
def test_a_sender_whose_clock_differs_by_less_than_a_minute_is_waited_for(seconds: float) -> None:
    assert Entry(key="k", fingerprint="f", lease_until=1000 + seconds).is_being_sent(1000)


async def test_a_store_that_fails_while_a_request_begins_leaves_no_entry(account: Account) -> None:
    """The error says that nothing was sent; a second call would say that the outcome is unknown."""

    class FailingOnce(InMemoryStore):
        fails = True

        async def asearch(self, prefix: tuple[str, ...], /, **options: object) -> list[object]:  # type: ignore[override]
            found = await super().asearch(prefix, **options)  # type: ignore[arg-type]
            if found and "submissions" in prefix and self.fails:
                self.fails = False
                raise ConnectionError("the database went away")
            return list(found)

    ledger = StoreLedger(FailingOnce())
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        with pytest.raises(LedgerError):
            await client.submit(SONG, key="k")
        task = await client.submit(SONG, key="k")
    assert [charge.task_id for charge in account.new_charges()] == [task.task_id]
