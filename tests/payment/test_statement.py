"""`spent`: what an accountant reads, one line for each paid call, with its outcome and the totals."""

from decimal import Decimal

import pytest

from producer_tools import (
    BadRequestError,
    Budget,
    Ledger,
    MissingTokenError,
    ProducerClient,
    SubmissionUnknownError,
    api_token,
)
from producer_tools.http.tokens import token_id
from producer_tools.payment.entry import Entry
from producer_tools.requests import TASKS, GenerateCustomMusic, GenerateLyrics, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock, ManualClock

SONG = GenerateMusic(prompt="a slow   waltz, " + "long " * 20)
NOW = 1_800_000_000.0


async def lost(sandbox: ProducerSandbox, client: ProducerClient, key: str) -> None:
    """Submit a song whose outcome stays unknown."""
    sandbox.listing.answer = "bad_request"
    sandbox.fail_next(Fault.RESET_BEFORE_WORK, endpoint="/producer/audios")
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key=key)


async def test_each_paid_call_is_one_line(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """A call that is left out, or that stands there twice, makes the accounts wrong; a refused call costs nothing."""
    clock = InstantClock()
    clock.time = NOW
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, clock=clock) as client:
        with Budget(max_calls=9, scope="user 42"):
            song = await client.submit(SONG, key="album/task 1")
        await client.submit(GenerateLyrics(prompt="rain"))
        sandbox.fail_next("bad_request", endpoint="/producer/audios")
        with pytest.raises(BadRequestError):
            await client.submit(SONG)
        await lost(sandbox, client, "released")
        await client.release("released")
        await lost(sandbox, client, "unknown")
        sandbox.render_seconds = 60
        await client.submit(GenerateCustomMusic(lyric="[Verse]\nOne", title="A title"))
        account = token_id(sandbox.api_token)
        await ledger.begin(
            Entry(key="sent", fingerprint="2:", account=account, begun_at=NOW, lease_until=clock.time + 9)
        )
        statement = await client.spent()
    lines = {call.key.removesuffix(" released"): call for call in statement.calls}
    assert {key: call.outcome for key, call in lines.items() if "once" not in key} == {
        "album/task 1": "complete", "released": "released", "unknown": "unknown", "sent": "pending",
    }  # fmt: skip
    assert [call.outcome for call in statement.calls if "once" in call.key] == ["complete", "pending"]
    first = lines["album/task 1"]
    assert (first.action, first.model, first.task_id) == ("generate", "FUZZ-2.0", song.task_id)
    assert (first.usd, first.scopes, len(first.title)) == (Decimal("0.08"), ("user 42",), 60)
    assert first.title.startswith("a slow waltz, long")
    assert f"task {song.task_id}, estimated 0.080 USD, complete, account {first.account}, user 42" in str(first)


async def test_the_totals_say_what_failed_tasks_would_have_cost(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """The service bills tasks that succeed; the budget counts all of them."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        await client.submit(SONG)
        sandbox.spoil_next()
        await client.submit(SONG)
        statement = await client.spent()
    assert [call.outcome for call in statement.calls] == ["complete", "failed"]
    assert [spent.calls for spent in (statement.total, statement.total_without_failed)] == [2, 1]
    assert (statement.total.usd, statement.total_without_failed.usd) == (Decimal("0.16"), Decimal("0.08"))
    assert "total: 2 calls, estimated 0.160 USD" in str(statement)
    assert "without failed: 1 calls, estimated 0.080 USD" in str(statement)


async def test_an_outcome_is_looked_up_once(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """What was found is written down; the service need not keep the task for ever."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        for _ in range(60):
            await client.submit(SONG)
        assert {call.outcome for call in (await client.spent()).calls} == {"complete"}
        seen = [request for request in sandbox.requests if request.endpoint == TASKS]
        assert len(seen) == 2, "50 tasks in a request"
        assert (await client.spent()).total_complete.calls == 60
        assert len([request for request in sandbox.requests if request.endpoint == TASKS]) == 2


async def test_a_failed_look_up_leaves_calls_pending(sandbox: ProducerSandbox) -> None:
    """The accounts must be readable while the service is down."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=InstantClock()) as client:
        await client.submit(SONG)
        sandbox.fail_next("api_error", endpoint=TASKS)
        assert [call.outcome for call in (await client.spent()).calls] == ["pending"]


async def test_only_what_was_asked_for(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """One account must not see another's songs unless the application asks for all; then it needs no token."""
    clock, other = ManualClock(NOW), sandbox.add_user()
    async with ProducerClient(base_url=sandbox.base_url, ledger=ledger, clock=clock) as client:
        with api_token(sandbox.api_token), Budget(max_calls=1, scope="user 42"):
            await client.submit(SONG)
        clock.advance(10)
        with api_token(other.api_token):
            await client.submit(SONG)
            assert len((await client.spent()).calls) == 1
            assert len((await client.spent(NOW + 11)).calls) == 0
            assert (await client.spent(scope="user 42")).calls == ()
        with pytest.raises(MissingTokenError):
            await client.spent()
        everything = await client.spent(all_accounts=True)
        assert [call.outcome for call in everything.calls] == ["pending", "complete"]
        assert [call.begun_at for call in everything.calls] == [NOW, NOW + 10]
        assert len((await client.spent(NOW + 1, all_accounts=True)).calls) == 1
        assert len((await client.spent(scope="user 42", all_accounts=True)).calls) == 1


async def test_a_claim_of_a_search_is_no_call(ledger: Ledger, sandbox: ProducerSandbox) -> None:
    """A lost answer that was found leaves a second entry in the ledger, which nobody has paid for."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/audios")
        await client.submit(SONG, key="k")
        assert len(await ledger.entries()) == 2
        assert [(call.key, call.outcome) for call in (await client.spent()).calls] == [("k", "complete")]
