"""Each fault, at each paid tool: how often it is sent and charged, what is said of it, and what a second call does."""

import json
import re

import pytest

from producer_tools import (
    APIError,
    InsufficientBalanceError,
    MemoryLedger,
    ProducerClient,
    ProducerToolError,
    RateLimitError,
    ServiceUnreachableError,
    SubmissionUnknownError,
)
from producer_tools.sandbox import Fault
from tests.clocks import InstantClock
from tests.payment.calls import PAID, Account, Tool, counting, path_of, raising
from tests.raw_server import answering

pytestmark = pytest.mark.parametrize("tool", PAID, ids=lambda tool: tool.__name__)

FAULTS = [fault for fault in Fault if fault is not Fault.BACKWARDS]  # that one spoils nothing but look-ups
SUCCEEDING = {Fault.RATE_LIMITED, Fault.SLOW}
SILENT = {Fault.SILENCE_BEFORE_WORK, Fault.SILENCE_AFTER_WORK}
NO_WORK = re.compile("nothing was charged", re.IGNORECASE)
MAYBE = re.compile("unknown: it may have been carried out and charged")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_is_paid_for_once_at_most_and_told_as_it_is(fault: Fault, tool: Tool, account: Account) -> None:
    """If this fails, a song is sent and billed again after a fault, or somebody is told that it was not."""
    path = path_of(tool)
    patience = 0.05 if fault in SILENT else 10
    account.sandbox.fail_next(fault, endpoint=path)
    async with counting() as (session, sent):
        url, token = account.sandbox.base_url, account.sandbox.api_token
        client = ProducerClient(token, url, session=session, request_timeout=patience, clock=InstantClock())
        submit, wish = raising(tool, client), account.arguments(tool, key="a wish")

        if fault in SUCCEEDING:
            task_id = json.loads(await submit.ainvoke(wish))["task_id"]
            assert json.loads(await submit.ainvoke(wish))["task_id"] == task_id
            assert sent == [path] * (2 if fault is Fault.RATE_LIMITED else 1)
            assert [charge.task_id for charge in account.new_charges()] == [task_id]
        else:
            for _ in range(2):
                with pytest.raises(SubmissionUnknownError, match=MAYBE):
                    await submit.ainvoke(wish)
            assert sent == [path]
            assert len(account.new_charges()) == fault.does_work


async def test_a_slow_answer_that_is_not_waited_for(tool: Tool, account: Account) -> None:
    """Half of an answer was read when the time was over: the work is done, so it is neither sent again nor denied."""
    account.sandbox.fail_next(Fault.SLOW, endpoint=path_of(tool))
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, request_timeout=0.1, clock=InstantClock()) as client:
        for _ in range(2):
            with pytest.raises(SubmissionUnknownError, match=MAYBE):
                await raising(tool, client).ainvoke(account.arguments(tool, key="a wish"))
    assert len(account.new_charges()) == 1


async def test_a_model_is_told_that_the_outcome_is_unknown(tool: Tool, account: Account) -> None:
    """A model reads the message and nothing else: without the warning it calls again, and pays again."""
    account.sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=path_of(tool))
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url) as client:
        submit = raising(tool, client)
        submit.handle_tool_error = True
        message = await submit.ainvoke(
            {"type": "tool_call", "id": "c1", "name": submit.name, "args": account.arguments(tool)}
        )
    assert message.status == "error"
    assert MAYBE.search(message.content)
    assert "Do not repeat it" in message.content


REFUSED: list[tuple[str, int, type[APIError]]] = [
    ("too_many_requests", 40, RateLimitError),  # for longer than anybody tries again
    ("used_up", 1, InsufficientBalanceError),
]


@pytest.mark.parametrize(("code", "times", "kind"), REFUSED, ids=str)
async def test_what_was_refused_may_be_called_again(
    code: str, times: int, kind: type[APIError], tool: Tool, account: Account
) -> None:
    """A refusal did no work: the error says so, and the same key is free for the call that succeeds."""
    for _ in range(times):
        account.sandbox.fail_next(code, endpoint=path_of(tool))
    wish = account.arguments(tool, key="a wish")
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, clock=InstantClock()) as client:
        submit = raising(tool, client)
        with pytest.raises(kind, match=NO_WORK):
            await submit.ainvoke(wish)
        assert account.new_charges() == ()
        task_id = json.loads(await submit.ainvoke(wish))["task_id"]
    assert [charge.task_id for charge in account.new_charges()] == [task_id]


async def test_what_never_left_may_be_called_again(tool: Tool, account: Account) -> None:
    """A refused connection sent nothing: with the same key, at an address that answers, it is paid for once."""
    ledger, wish = MemoryLedger(), account.arguments(tool, key="a wish")
    async with answering(b"") as server:
        gone = server.base_url
    outcomes: list[ProducerToolError | str] = []
    for url in (gone, account.sandbox.base_url):
        async with ProducerClient(account.sandbox.api_token, url, ledger=ledger, clock=InstantClock()) as client:
            try:
                outcomes.append(await raising(tool, client).ainvoke(wish))
            except ProducerToolError as error:
                outcomes.append(error)
    refused, content = outcomes
    assert isinstance(refused, ServiceUnreachableError)
    assert NO_WORK.search(str(refused))
    assert [charge.task_id for charge in account.new_charges()] == [json.loads(str(content))["task_id"]]
