"""A ledger of the application's own that fails at any of its methods: nothing is paid for twice, and no id is lost."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from producer_tools import (
    LedgerError,
    MemoryLedger,
    OutcomeKnownError,
    ProducerClient,
    RateLimitError,
    SubmissionUnknownError,
)
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")
METHODS = ["begin", "get", "replace", "entries"]
FAULTS: list[Exception] = [
    OSError("disk"),
    KeyError("key"),
    asyncio.TimeoutError(),
    RateLimitError("too_many_requests", "of the ledger's own service", status=429),
    SubmissionUnknownError("timeout", "of the ledger's own service"),
]


class FailingLedger(MemoryLedger):
    """Raises an error at the n-th call of one method and at each later one, before the work is done or after it.

    Args:
        method: the method that fails.
        at: the number of the first call that fails, from 0.
        fault: what it raises.
        after_work: whether it does its work before it raises.
    """

    def __init__(self, method: str, at: int, fault: Exception, *, after_work: bool) -> None:
        super().__init__()
        self.is_failing = True
        self.failed = 0
        self._method, self._at, self._fault, self._after_work = method, at, fault, after_work

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        work = getattr(super(), method)
        if method != self._method or not self.is_failing:
            return await work(*args, **options)
        self._at -= 1
        if self._at >= 0:
            return await work(*args, **options)
        self.failed += 1
        if self._after_work:
            await work(*args, **options)
        raise self._fault

    async def begin(self, *args: Any, **options: Any) -> Any:
        return await self._call("begin", *args, **options)

    async def get(self, *args: Any) -> Any:
        return await self._call("get", *args)

    async def replace(self, *args: Any) -> Any:
        return await self._call("replace", *args)

    async def entries(self, **options: Any) -> Any:
        return await self._call("entries", **options)


CASES = [(method, at, after_work) for method in METHODS for at in range(3) for after_work in (False, True)]


@pytest.fixture(params=enumerate(CASES), ids=lambda case: "-".join(map(str, case[1])))
def failing(request: pytest.FixtureRequest) -> FailingLedger:
    """A ledger with one of all failures. The kinds of errors take turns."""
    number, (method, at, after_work) = request.param
    return FailingLedger(method, at, FAULTS[number % len(FAULTS)], after_work=after_work)


def client_on(sandbox: ProducerSandbox, ledger: MemoryLedger, clock: InstantClock) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, poll_interval=0, clock=clock)


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
async def test_a_submit_is_paid_for_once_and_its_error_is_true(failing: FailingLedger, is_lost: bool) -> None:
    """An error that says "nothing was charged" after a charge would make the caller pay again under another key."""
    clock = InstantClock()
    with ProducerSandbox(clock=clock) as sandbox:
        if is_lost:
            sandbox.fail_next(Fault.RESET_AFTER_WORK)
        for is_failing in (True, True, False):
            failing.is_failing = is_failing
            before, task, error = sandbox.charges, None, ""
            async with client_on(sandbox, failing, clock) as client:
                try:
                    task = await client.submit(SONG, key="k")
                except (LedgerError, SubmissionUnknownError) as caught:
                    error = str(caught)
            assert "of the ledger's own" not in error or error.startswith("ledger_failed")
            if task is not None:
                assert [task.task_id] == [charge.task_id for charge in sandbox.charges]
            if "ledger_failed" in error:
                assert "Nothing was sent and nothing was charged" in error
                assert sandbox.charges == before
        assert len(sandbox.charges) <= 1


async def test_the_log_of_a_paid_request_never_says_that_nothing_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever reads that in the traceback of a full disk would make the song again."""
    clock = InstantClock()
    failing = FailingLedger("replace", 0, OSError("the disk is full"), after_work=False)
    with ProducerSandbox(clock=clock) as sandbox:
        async with client_on(sandbox, failing, clock) as client:
            task = await client.submit(SONG, key="k")
        assert [charge.task_id for charge in sandbox.charges] == [task.task_id]
    assert f"Task {task.task_id} was submitted" in caplog.text
    assert "the disk is full" in caplog.text
    assert "Nothing was sent" not in caplog.text


@pytest.mark.parametrize("change", ["adopt", "release", "settle"])
async def test_a_change_fails_with_our_error_and_can_be_repeated(failing: FailingLedger, change: str) -> None:
    """A person repairs a ledger with these: another exception would end the program, or leave half of the change."""
    clock = InstantClock()
    with ProducerSandbox(clock=clock) as sandbox:
        failing.is_failing = False
        sandbox.listing.answer = "forbidden"
        sandbox.fail_next(Fault.RESET_AFTER_WORK)
        async with client_on(sandbox, failing, clock) as client:
            with pytest.raises(SubmissionUnknownError):
                await client.submit(SONG, key="k")
        sandbox.listing.answer = "works"
        paid = sandbox.charges[0].task_id
        calls = {"adopt": ["k", paid], "release": ["k"], "settle": []}
        for is_failing in (True, False):
            failing.is_failing = is_failing
            # The first attempt may have done its work before its ledger failed.
            with suppress(*((LedgerError,) if is_failing else (KeyError, OutcomeKnownError))):
                async with client_on(sandbox, failing, clock) as client:
                    found = await getattr(client, change)(*calls[change])
                assert change != "settle" or [each.finding.task_ids for each in found] in ([(paid,)], [()], [])
                if not failing.failed:
                    break
        failing.is_failing = False
        async with client_on(sandbox, failing, clock) as client:
            task = await client.submit(SONG, key="k")
        assert task.task_id == sandbox.charges[-1].task_id
        assert len(sandbox.charges) == (2 if change == "release" else 1)
