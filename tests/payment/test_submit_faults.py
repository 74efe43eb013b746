"""Each fault with each paid tool: how often the call is sent and charged, and what the error says."""

import json
import re
from collections.abc import Iterable

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
from producer_tools.requests import TASKS
from producer_tools.sandbox import Fault, fault_responses
from tests.clocks import InstantClock
from tests.payment.calls import PAID, Account, Tool, endpoint_of, give_up_when_silent, raising, recorded_session
from tests.raw_server import nobody_listening


def for_each(tools: Iterable[Tool]) -> pytest.MarkDecorator:
    """Run a test with each of these tools."""
    return pytest.mark.parametrize("tool", tools, ids=lambda tool: tool.__name__)


# A fault is handled below the tools, so one tool for each endpoint shows what happens to it. Two faults are tried with
# every tool.
one_of_each_endpoint = for_each({endpoint_of(tool): tool for tool in reversed(PAID)}.values())
every_tool = for_each(PAID)

FAULTS = [fault for fault in Fault if fault is not Fault.BACKWARDS]  # that one only affects look-ups
SUCCEEDING = {Fault.RATE_LIMITED, Fault.SLOW}
SILENT = {Fault.SILENCE_BEFORE_WORK, Fault.SILENCE_AFTER_WORK}
NOT_CHARGED = re.compile("nothing was charged", re.IGNORECASE)
MAYBE_CHARGED = re.compile("unknown: it may have been carried out and charged")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@one_of_each_endpoint
async def test_a_fault_is_sent_once_and_reported_correctly(
    fault: Fault, tool: Tool, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a song is sent and charged again after a fault, or the error says that it was not charged."""
    monkeypatch.setattr(fault_responses, "_SLOW_PAUSE_SECONDS", 0.001)
    await check_a_fault(fault, tool, account, monkeypatch)


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.RESET_AFTER_WORK], ids=lambda fault: fault.name)
@every_tool
async def test_every_tool_is_sent_once(
    fault: Fault, tool: Tool, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, there is a tool whose calls are not protected as the others' are."""
    await check_a_fault(fault, tool, account, monkeypatch)


async def check_a_fault(fault: Fault, tool: Tool, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = endpoint_of(tool)
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")  # else the task would be looked for
    account.sandbox.fail_next(fault, endpoint=endpoint)
    async with recorded_session() as (session, paths):
        url, token = account.sandbox.base_url, account.sandbox.api_token
        client = ProducerClient(token, url, session=session, clock=InstantClock())
        if fault in SILENT:
            give_up_when_silent(client)
        submit, arguments = raising(tool, client), account.arguments(tool, key="a key")

        if fault in SUCCEEDING:
            task_id = json.loads(await submit.ainvoke(arguments))["task_id"]
            assert json.loads(await submit.ainvoke(arguments))["task_id"] == task_id
            assert paid(paths) == [endpoint] * (2 if fault is Fault.RATE_LIMITED else 1)
            assert [charge.task_id for charge in account.new_charges()] == [task_id]
        else:
            for _ in range(2):
                with pytest.raises(SubmissionUnknownError, match=MAYBE_CHARGED):
                    await submit.ainvoke(arguments)
            assert paid(paths) == [endpoint]
            assert len(await account.wait_for_charges(int(fault.does_work))) == fault.does_work


def paid(paths: list[str]) -> list[str]:
    """The requests that may be charged: not those that search for the task of a lost answer."""
    return [path for path in paths if path != TASKS]


@one_of_each_endpoint
async def test_a_timeout_while_the_answer_arrives(
    tool: Tool, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done by then: the request must not be sent again, and the error must not say that it is free."""
    monkeypatch.setattr(fault_responses, "_SLOW_PAUSE_SECONDS", 60.0)
    account.sandbox.fail_next(Fault.SLOW, endpoint=endpoint_of(tool))
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, clock=InstantClock()) as client:
        give_up_when_silent(client)
        for _ in range(2):
            with pytest.raises(SubmissionUnknownError, match=MAYBE_CHARGED):
                await raising(tool, client).ainvoke(account.arguments(tool, key="a key"))
    assert len(await account.wait_for_charges(1)) == 1


@every_tool
async def test_the_message_to_a_model_says_that_the_outcome_is_unknown(
    tool: Tool, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model reads only the message: without the warning it would call, and pay, again."""
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")  # else the task would be found
    account.sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=endpoint_of(tool))
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url) as client:
        submit = raising(tool, client)
        submit.handle_tool_error = True
        message = await submit.ainvoke(
            {"type": "tool_call", "id": "c1", "name": submit.name, "args": account.arguments(tool)}
        )
    assert message.status == "error"
    assert MAYBE_CHARGED.search(message.content)
    assert "Do not repeat it" in message.content


REFUSED: list[tuple[str, int, type[APIError]]] = [
    ("too_many_requests", 8, RateLimitError),  # more often than one call is tried, which is six times
    ("used_up", 1, InsufficientBalanceError),
]


@pytest.mark.parametrize(("code", "times", "kind"), REFUSED, ids=str)
@one_of_each_endpoint
async def test_a_refused_call_can_be_repeated(
    code: str, times: int, kind: type[APIError], tool: Tool, account: Account
) -> None:
    """A refusal did no work: the error must say so, and the same key must be free for another attempt."""
    for _ in range(times):
        account.sandbox.fail_next(code, endpoint=endpoint_of(tool))
    arguments = account.arguments(tool, key="a key")
    async with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, clock=InstantClock()) as client:
        submit = raising(tool, client)
        with pytest.raises(kind, match=NOT_CHARGED):
            await submit.ainvoke(arguments)
        assert account.new_charges() == ()
        task_id = json.loads(await submit.ainvoke(arguments))["task_id"]
    assert [charge.task_id for charge in account.new_charges()] == [task_id]


@every_tool
async def test_a_call_that_was_never_sent_can_be_repeated(tool: Tool, account: Account) -> None:
    """If the key stayed taken after a refused connection, the song could never be made."""
    ledger, arguments = MemoryLedger(), account.arguments(tool, key="a key")
    outcomes: list[ProducerToolError | str] = []
    with nobody_listening() as refusing:
        for url in (refusing, account.sandbox.base_url):
            async with ProducerClient(account.sandbox.api_token, url, ledger=ledger, clock=InstantClock()) as client:
                try:
                    outcomes.append(await raising(tool, client).ainvoke(arguments))
                except ProducerToolError as error:
                    outcomes.append(error)
    refused, content = outcomes
    assert isinstance(refused, ServiceUnreachableError)
    assert NOT_CHARGED.search(str(refused))
    assert [charge.task_id for charge in account.new_charges()] == [json.loads(str(content))["task_id"]]
