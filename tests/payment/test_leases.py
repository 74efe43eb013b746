"""Leases: a submit of another process is waited for as long as it is being sent."""

import asyncio
from typing import Any

import pytest

from producer_tools import (
    BeingSentError,
    Ledger,
    MemoryLedger,
    OutcomeKnownError,
    ProducerClient,
    SubmissionUnknownError,
)
from producer_tools.payment import sending
from producer_tools.payment.entry import Entry
from producer_tools.payment.sending import begun
from producer_tools.requests import GenerateMusic
from tests.clocks import InstantClock, ManualClock
from tests.payment.calls import Account
from tests.raw_server import answering, http

SONG = GenerateMusic(prompt="a waltz")


class OtherProcess(InstantClock):
    """A clock by which another process writes its answer down after some seconds, or never."""

    def __init__(self, ledger: MemoryLedger, seconds: float | None) -> None:
        super().__init__()
        self.entry: Entry | None = None
        self._ledger = ledger
        self._until = None if seconds is None else self.time + seconds

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.entry is not None and self._until is not None and self.time >= self._until:
            await self._ledger.replace(self.entry, self.entry.changed(answer={"task_id": "theirs"}, lease_until=0.0))


@pytest.mark.parametrize("seconds", [8, None], ids=["a slow sender", "a dead sender"])
async def test_another_process_is_waited_for_until_its_lease_lapses(
    seconds: float | None, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submit that takes eight seconds would be called unknown; and one of a dead process would never end."""
    ledger = MemoryLedger()
    clock = OtherProcess(ledger, seconds)
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")
    async with ProducerClient(
        account.sandbox.api_token, account.sandbox.base_url, ledger=ledger, clock=clock
    ) as client:
        await client.submit(SONG, key="k")
        (own,) = await ledger.entries()
        clock.entry = own.changed(answer=None, source=None, lease_until=clock.now() + 15, owner="another process")
        await ledger.replace(own, clock.entry)
        if seconds is None:
            with pytest.raises(SubmissionUnknownError):
                await client.submit(SONG, key="k")
        else:
            assert (await client.submit(SONG, key="k")).task_id == "theirs"
    assert len(account.new_charges()) == 1


async def test_a_late_refusal_keeps_the_entry_of_another_call(ledger: Ledger) -> None:
    """If it were deleted, a third call would send the request that the second one is paying for."""
    first, second = (Entry(key="k", fingerprint="f", owner=owner) for owner in ("first", "second"))
    assert await begun(first, ledger) is None
    assert await ledger.replace(first, None)  # a person has released it
    assert await begun(second, ledger) is None
    assert not await ledger.replace(first, None)
    assert await ledger.get("k") == second


async def test_a_sender_renews_its_lease_until_the_answer_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """After fifteen seconds, other processes would call a request unknown whose answer still comes."""
    monkeypatch.setattr(sending, "_RENEWAL_SECONDS", 0.001)
    ledger, clock = MemoryLedger(), ManualClock()
    renewed: list[bool] = []

    async def answer_after_a_minute(writer: asyncio.StreamWriter) -> None:
        for _ in range(6):
            clock.advance(10)
            for _ in range(1000):  # two seconds at least, if it is not renewed
                await asyncio.sleep(0.002)
                (entry,) = await ledger.entries()
                if entry.lease_until > clock.now() + 10:
                    break
            renewed.append(entry.is_being_sent(clock.now() + 10))
        writer.write(http({"task_id": "t1"}))
        await writer.drain()

    async with (
        answering(answer_after_a_minute) as server,
        ProducerClient("t", server.base_url, ledger=ledger, clock=clock) as client,
    ):
        assert (await client.submit(SONG, key="k")).task_id == "t1"
    assert renewed == [True] * 6


async def test_a_process_that_was_stopped_too_long_does_not_send(account: Account) -> None:
    """Its laptop slept between the entry and the request. A person has released it, and another process has paid."""
    clock = InstantClock()
    token, base_url = account.sandbox.api_token, account.sandbox.base_url

    class Stopping(MemoryLedger):
        """Stops the first call for a minute, once its entry is begun."""

        is_new = True

        async def begin(self, *args: Any, **options: Any) -> Entry | None:
            known = await super().begin(*args, **options)
            if self.is_new:
                self.is_new = False
                clock.time += 60
                async with ProducerClient(token, base_url, ledger=self, clock=clock) as other:
                    await other.release("k")
                    await other.submit(SONG, key="k")
            return known

    async with ProducerClient(token, base_url, ledger=Stopping(), clock=clock) as client:
        task = await client.submit(SONG, key="k")
    assert [charge.task_id for charge in account.new_charges()] == [task.task_id]


@pytest.mark.parametrize("decision", ["release", "adopt"])
async def test_a_request_that_is_being_sent_is_neither_released_nor_adopted(decision: str, ledger: Ledger) -> None:
    """Its answer is on the way: a release would let it be paid for twice, and an adoption would hide its task."""
    clock = InstantClock()
    async with ProducerClient("token", "http://127.0.0.1:9", ledger=ledger, clock=clock) as client:
        await ledger.begin(Entry(key="k", fingerprint="f", lease_until=clock.now() + 15))
        before = await ledger.entries()
        with pytest.raises(BeingSentError):
            await (client.release("k") if decision == "release" else client.adopt("k", "t1"))
        assert await ledger.entries() == before
        clock.time += 16
        await (client.release("k") if decision == "release" else client.adopt("k", "t1"))


async def test_a_request_of_a_lost_ledger_can_be_settled_at_once(
    ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is sending it. A person would be told to wait, and a search would look only at tasks made since now."""
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, ledger=ledger, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k", was_sent=True)
        (entry,) = await ledger.entries()
        assert entry.begun_at == 0.0
        await client.adopt("k", "t1")
        assert (await client.submit(SONG, key="k", was_sent=True)).task_id == "t1"
    assert account.new_charges() == ()


@pytest.mark.parametrize("decision", ["release", "adopt"])
async def test_an_answer_that_comes_while_a_person_decides_counts(decision: str) -> None:
    """The song would be paid for twice, or its task would be replaced; and it would be listed as released too."""

    class Answered(MemoryLedger):
        """The answer is written down just before the first change of the entry."""

        async def replace(self, old: Entry, new: Entry | None) -> bool:
            known = await self.get("k")
            if known is not None and known.answer is None:
                await super().replace(known, known.changed(answer={"task_id": "its own"}, source="answer"))
            return await super().replace(old, new)

    ledger = Answered()
    await ledger.begin(Entry(key="k", fingerprint="f"))
    async with ProducerClient("token", "http://127.0.0.1:9", ledger=ledger) as client:
        with pytest.raises(OutcomeKnownError):
            await (client.release("k") if decision == "release" else client.adopt("k", "another"))
    (entry,) = await ledger.entries()
    assert (entry.key, entry.answer) == ("k", {"task_id": "its own"})
