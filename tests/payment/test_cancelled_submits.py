"""A submit whose caller is cancelled, or whose event loop ends: it goes on, and the next call gets its task."""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

import pytest

from producer_tools import MemoryLedger, ProducerClient, Task
from producer_tools.concurrency import to_the_end
from producer_tools.concurrency.clock import SystemClock
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, fault_responses
from tests.clocks import InstantClock
from tests.payment.calls import Account

SONG = GenerateMusic(prompt="a waltz")
WAITING_FOR_ITS_END = GenerateMusic(prompt="a waltz", async_=False)
Phase = Literal["begin", "answer", "write"]
PHASES: list[Phase] = ["begin", "answer", "write"]


@pytest.fixture(autouse=True)
def _shorter_slow_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow answer takes 0.08 seconds, longer than a caller stays in these tests."""
    monkeypatch.setattr(fault_responses, "_SLOW_PAUSE_SECONDS", 0.01)


class SlowLedger(MemoryLedger):
    """A ledger one of whose operations takes a while.

    Attributes:
        slow: the operation: ``begin``, or ``write`` for the one that writes an answer down.
        is_busy: whether that operation has been called.
        may_go_on: set when the operation may end; ``None`` if it ends after a moment.
    """

    def __init__(self, slow: Phase) -> None:
        super().__init__()
        self.slow = slow
        self.is_busy = False
        self.may_go_on: asyncio.Event | None = None

    async def begin(self, entry: Entry, **options: Any) -> Entry | None:
        await self._work("begin")
        return await super().begin(entry, **options)

    async def replace(self, old: Entry, new: Entry | None) -> bool:
        if new is not None and new.answer is not None:
            await self._work("write")
        return await super().replace(old, new)

    async def _work(self, operation: Phase) -> None:
        if operation == self.slow and not self.is_busy:
            self.is_busy = True
            await (asyncio.sleep(0.03) if self.may_go_on is None else self.may_go_on.wait())


async def reached(phase: Phase, account: Account, ledger: SlowLedger, seen: int) -> None:
    """Return once the submit is in this phase."""
    while not (len(account.sandbox.requests) > seen if phase == "answer" else ledger.is_busy):
        await asyncio.sleep(0.001)


async def cancel(call: Awaitable[Task], until: Awaitable[None]) -> None:
    running = asyncio.ensure_future(call)
    await until
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def time_out(call: Awaitable[Task], until: Awaitable[None]) -> None:
    """Let the call time out in this phase."""
    running = asyncio.ensure_future(call)
    await until
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(running, 0.001)


async def fail_beside(call: Awaitable[Task], until: Awaitable[None]) -> None:
    async def fail() -> None:
        await until
        raise LookupError

    with suppress(Exception):  # an exception group, which Python 3.10 does not have
        async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined,unused-ignore]
            group.create_task(_as_coroutine(call))
            group.create_task(fail())


async def _as_coroutine(call: Awaitable[Task]) -> Task:
    return await call


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "stop",
    [
        cancel,
        time_out,
        pytest.param(fail_beside, marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="needs TaskGroup")),
    ],
)
async def test_a_submit_outlives_its_caller(
    stop: Callable[[Awaitable[Task], Awaitable[None]], Awaitable[None]],
    phase: Phase,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The song may be paid for by then: the next call would report an unknown outcome, or pay again."""
    ledger, song = SlowLedger(phase), SONG
    ledger.may_go_on = asyncio.Event()
    if phase == "answer":
        song = WAITING_FOR_ITS_END
        monkeypatch.setattr(account.sandbox, "render_seconds", 3600.0)
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        seen = len(account.sandbox.requests)
        await stop(client.submit(song, key="k"), reached(phase, account, ledger, seen))
        assert client.paid_in_flight == 1, "a caller who is cancelled would have to wait for the answer"
        ledger.may_go_on.set()
        if phase == "answer":
            await account.wait_for_charges(1, are_new=False)
            account.sandbox.finish_now()
        task = await client.submit(song, key="k")
    assert [charge.task_id for charge in account.new_charges()] == [task.task_id]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_a_submit_is_finished_when_its_loop_ends(*, fails: bool, phase: Phase, account: Account) -> None:
    """A script whose main function ends early would leave an unknown outcome."""
    ledger = SlowLedger(phase)
    if phase == "answer":
        account.sandbox.fail_next(Fault.SLOW, endpoint=AUDIOS)

    async def main(client: ProducerClient) -> None:
        seen = len(account.sandbox.requests)
        submit = asyncio.create_task(client.submit(SONG, key="k"))
        await reached(phase, account, ledger, seen)
        assert not submit.done()
        if fails:
            raise LookupError

    async def again() -> Task:
        async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
            return await client.submit(SONG, key="k")

    with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        with suppress(LookupError):
            asyncio.run(main(client))
        task = asyncio.run(again())
    assert [charge.task_id for charge in account.new_charges()] == [task.task_id]


def test_a_signal_that_meets_one_submit_does_not_lose_the_others(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python raises `SystemExit` wherever the signal meets the program. The songs of the others are paid for."""
    post, ledger, seen = Transport.post, MemoryLedger(), len(account.sandbox.requests)

    async def interrupted(transport: Transport, endpoint: str, body: Any, *, paid: bool) -> dict[str, Any]:
        if body.get("prompt") == "a waltz":
            while len(account.sandbox.requests) < seen + 2:
                await asyncio.sleep(0.001)
            raise SystemExit
        return await post(transport, endpoint, body, paid=paid)

    async def main(client: ProducerClient) -> None:
        others = [GenerateMusic(prompt="a tango"), GenerateMusic(prompt="a polka")]
        await asyncio.gather(*(client.submit(song, key=song.prompt) for song in (SONG, *others)))

    monkeypatch.setattr(Transport, "post", interrupted)
    for _ in range(2):
        account.sandbox.fail_next(Fault.SLOW, endpoint=AUDIOS)
    with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        with pytest.raises(SystemExit):
            asyncio.run(main(client))
        entries = asyncio.run(ledger.entries())
    answers = {each.request["prompt"]: each.answer and each.answer["task_id"] for each in entries}
    charged = {charge.request["prompt"]: charge.task_id for charge in account.new_charges()}
    assert answers == {**charged, "a waltz": None}
    assert sorted(charged) == ["a polka", "a tango"]


def test_a_silent_service_delays_the_end_of_a_loop_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program could not be ended while the service is silent."""
    monkeypatch.setattr(to_the_end, "SECONDS_TO_FINISH", 0.05)
    ledger = MemoryLedger()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ProducerClient("token", f"http://127.0.0.1:{silent.getsockname()[1]}", ledger=ledger)

        async def main() -> None:
            submit = asyncio.create_task(client.submit(SONG, key="k"))
            while not client.paid_in_flight:
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)
            assert not submit.done()

        began = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - began < 20, "else it takes thirty seconds"
        (entry,) = asyncio.run(ledger.entries())
        assert (entry.answer, entry.lease_until <= SystemClock().now()) == (None, True)
        client.close()


async def test_a_submit_that_waits_for_its_turn_is_not_sent_without_its_caller(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account.sandbox, "render_seconds", 3600.0)
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, max_paid_in_flight=1) as client:
        first = asyncio.create_task(client.submit(WAITING_FOR_ITS_END))
        await account.wait_for_charges(1, are_new=False)
        second = asyncio.create_task(client.submit(SONG, key="k"))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.wait([second])
        account.sandbox.finish_now()
        task = await first
    assert [charge.task_id for charge in account.new_charges()] == [task.task_id]


async def test_a_submit_that_waits_to_be_retried_is_not_sent_without_its_caller(account: Account) -> None:
    class StoppedClock(InstantClock):
        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.Event().wait()

    account.sandbox.fail_next(Fault.RATE_LIMITED, endpoint=AUDIOS)
    clock, ledger = StoppedClock(), MemoryLedger()
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, clock=clock, ledger=ledger) as client:
        submit = asyncio.create_task(client.submit(SONG, key="k"))
        while not clock.slept:
            await asyncio.sleep(0.001)
        submit.cancel()
        await asyncio.wait([submit])
        assert client.paid_in_flight == 0
    assert (await ledger.entries(), account.new_charges()) == ([], ())


@pytest.mark.parametrize("phase", ["answer", "write"])
async def test_closing_the_client_waits_for_a_submit(phase: Phase, account: Account) -> None:
    """The session would be closed under the request, and its outcome would be unknown."""
    ledger, seen = SlowLedger(phase), len(account.sandbox.requests)
    if phase == "answer":
        account.sandbox.fail_next(Fault.SLOW, endpoint=AUDIOS)
    client = ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger)
    submit = asyncio.create_task(client.submit(SONG, key="k"))
    await reached(phase, account, ledger, seen)
    await client.aclose()
    (entry,) = await ledger.entries()
    assert entry.answer is not None
    assert [charge.task_id for charge in account.new_charges()] == [(await submit).task_id]
