"""A task that may be another request's is never taken, and no request is reported as never begun too early."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from producer_tools import MemoryLedger, ProducerClient, SubmissionUnknownError
from producer_tools.payment.entry import Entry
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from producer_tools.tasks.sent_request import SentRequest
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")
WITH_SEED = GenerateMusic(prompt="a waltz", seed="7")
WITH_MODEL = GenerateMusic(prompt="a waltz", model="FUZZ-2.0")


class WatchedLedger(MemoryLedger):
    """A ledger in which something else happens right after the n-th reading of its entries.

    Attributes:
        happenings: what happens after each reading; ``None`` for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.happenings: list[Any] = []

    async def entries(self, **values: Any) -> list[Entry]:
        found = await super().entries(**values)
        if self.happenings and (happening := self.happenings.pop(0)):
            await happening()
        return found


@pytest.fixture
def ledger() -> WatchedLedger:
    return WatchedLedger()


@pytest.fixture
def client(service: ProducerSandbox, clock: InstantClock, ledger: WatchedLedger) -> Iterator[ProducerClient]:
    with ProducerClient(service.api_token, service.base_url, clock=clock, ledger=ledger) as made:
        yield made


async def lose(service: ProducerSandbox, client: ProducerClient, request: GenerateMusic, key: str, fault: Fault) -> str:
    """Submit a request whose answer is lost, and return the words of the error."""
    service.fail_next(fault, endpoint=AUDIOS)
    with pytest.raises(SubmissionUnknownError) as caught:
        await client.submit(request, key=key)
    return str(caught.value)


async def being_sent(
    service: ProducerSandbox, client: ProducerClient, ledger: MemoryLedger, request: GenerateMusic
) -> tuple[Entry, str]:
    """A request that another process sends for 70 seconds, and its task, which nobody has told that process yet."""
    async with ProducerClient(service.api_token, service.base_url) as other:
        task = await other.submit(request)
    await client.submit(GenerateMusic(prompt="it makes the account known"), key="known")
    (known,) = await ledger.entries()
    values = {"request": request.body(), "fingerprint": "another", "lease_until": known.begun_at + 70, "answer": None}
    entry = known.changed(**values, key=f"{known.account}/other", owner="other")
    assert await ledger.begin(entry) is None
    return entry, str(task.task_id)


@pytest.mark.parametrize("seconds", [-180, 180])
async def test_a_wrong_clock_does_not_make_a_paid_song_one_that_was_never_begun(
    seconds: float, service: ProducerSandbox
) -> None:
    """A person would release it, and it would be paid for twice."""
    clock = InstantClock()
    clock.time += 10_000 + seconds
    service._clock.time = 11_000.0  # type: ignore[attr-defined]  # noqa: SLF001 - the service's clock is right
    async with ProducerClient(service.api_token, service.base_url, clock=clock) as client:
        words = await lose(service, client, SONG, "k", Fault.RESET_AFTER_WORK)
        (charge,) = service.charges
        assert charge.task_id in words
        assert "never begun" not in words
        (settled,) = await client.settle()
    assert (settled.finding.state, settled.finding.task_ids) == ("unclear", (charge.task_id,))


@pytest.mark.parametrize(
    ("record", "may_be_it"),
    [
        ({"type": "audios", "request": {**SONG.body(), "prompt": "A waltz."}, "created_at": 50.0}, True),
        ({"type": "audios", "created_at": 50.0}, True),
        ({"type": "audios", "request": "{}"}, True),
        ({"type": "audios", "request": {**SONG.body(), "prompt": "A waltz."}, "created_at": 5.0}, False),
        ({"type": "audios", "request": {"action": "cover", "audio_id": "a"}}, False),
        ({"type": "lyrics"}, False),
    ],
)
def test_a_request_that_is_recorded_differently_is_not_ruled_out(record: dict[str, Any], *, may_be_it: bool) -> None:
    """The service may shorten, correct or leave out what was sent; then nothing says that the song was never begun."""
    assert SentRequest(AUDIOS, SONG.body()).may_have_made(record, 10.0, 100.0) is may_be_it


async def test_the_task_of_a_request_that_says_more_is_not_taken(
    client: ProducerClient, service: ProducerSandbox
) -> None:
    """One request would get the song of another, which would be reported as never begun, and paid for again."""
    service.listing.delay_seconds = 1000
    await lose(service, client, SONG, "plain", Fault.RESET_BEFORE_WORK)
    await lose(service, client, WITH_SEED, "with seed", Fault.RESET_AFTER_WORK)
    service.listing.delay_seconds = 0
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="plain")
    (charge,) = service.charges
    assert (await client.submit(WITH_SEED, key="with seed")).task_id == charge.task_id


async def test_the_task_of_an_equal_request_in_other_words_is_not_taken(
    client: ProducerClient, service: ProducerSandbox, ledger: WatchedLedger
) -> None:
    """A default that is spelt out makes another fingerprint, but the same body."""
    await being_sent(service, client, ledger, WITH_MODEL)
    await lose(service, client, SONG, "k", Fault.RESET_BEFORE_WORK)
    assert not [each for each in await ledger.entries() if each.fingerprint.startswith("task of")]


async def test_a_request_that_begins_while_another_searches_keeps_its_task(
    client: ProducerClient, service: ProducerSandbox, ledger: WatchedLedger
) -> None:
    """The search would take the task of a request that was not in the ledger yet when it read it."""
    begun: list[str | None] = []

    async def other() -> None:
        begun.append((await client.submit(SONG, key="other")).task_id)

    ledger.happenings = [other]
    await lose(service, client, SONG, "k", Fault.RESET_BEFORE_WORK)
    assert [charge.task_id for charge in service.charges] == begun


async def test_a_search_waits_for_equal_requests_that_are_being_sent(
    client: ProducerClient, service: ProducerSandbox, ledger: WatchedLedger
) -> None:
    """Of equal songs, one whose answer was lost would be unknown, although all others get theirs at once."""
    rival, task_id = await being_sent(service, client, ledger, SONG)

    async def answer() -> None:
        await ledger.replace(rival, rival.changed(answer={"task_id": task_id}, source="answer"))

    ledger.happenings = [None, answer]
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    task = await client.submit(SONG, key="k")
    assert task.task_id == service.charges[-1].task_id != task_id


async def test_an_old_request_is_found_among_many_newer_tasks(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    """A busy account has more tasks since then than can be read; it would count as one whose tasks are not listed."""
    service.listing.delay_seconds = 200
    await lose(service, client, SONG, "k", Fault.RESET_AFTER_WORK)
    clock.time += 1000
    service.listing.largest_page = 1
    async with ProducerClient(service.api_token, service.base_url) as other:
        for number in range(25):
            await other.submit(GenerateMusic(prompt=f"song {number}"))
    clock.time += 1000
    (settled,) = await client.settle()
    assert (settled.finding.state, settled.finding.task_ids) == ("found", (service.charges[0].task_id,))


async def test_a_slow_listing_does_not_hold_up_a_search(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many pages may take as long as a request may: a tool call would take minutes longer than it says."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    await lose(service, client, SONG, "k", Fault.RESET_BEFORE_WORK)
    monkeypatch.setattr("producer_tools.tasks.listing.Listing.find", hang)
    monkeypatch.setattr("producer_tools.payment.settling._SHORTEST_SEARCH", 0.01)
    monkeypatch.setattr("producer_tools.payment.outcomes.GRACE_SECONDS", 0.0)
    (settled,) = await asyncio.wait_for(client.settle(), 50)
    assert settled.finding.state == "unclear"


async def test_two_searches_at_once_do_not_take_one_task(
    client: ProducerClient, service: ProducerSandbox, ledger: WatchedLedger, clock: InstantClock
) -> None:
    """Two callers would have one song, and the search of one of them would say that it was found."""
    service.listing.delay_seconds = 1000
    began = clock.now()
    await lose(service, client, SONG, "a", Fault.RESET_AFTER_WORK)
    clock.time = began + 1  # both are sent at the same time
    await lose(service, client, SONG, "b", Fault.RESET_BEFORE_WORK)
    service.listing.delay_seconds = 0
    taken: list[str | None] = []

    async def other_process() -> None:
        async with ProducerClient(service.api_token, service.base_url, clock=clock, ledger=ledger) as other:
            taken.append((await other.submit(SONG, key="b")).task_id)

    ledger.happenings = [None, other_process]  # the search for a has just read whose tasks there are
    settled = {each.key.partition("/")[2]: each.finding.state for each in await client.settle()}
    assert taken == [service.charges[0].task_id]
    assert settled["a"] in ("unclear", "not_found")
    assert [entry.key.partition("/")[2] for entry in await ledger.entries() if entry.source] == ["b"]


async def test_a_task_that_a_person_has_named_is_not_taken_for_another_request(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    """An entry that was lost with the ledger, and filed again, does not say when its request was begun."""
    clock.time += 24 * 3600
    service.listing.answer = "empty"
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="filed again", was_sent=True)
    async with ProducerClient(service.api_token, service.base_url) as lost:
        task_id = str((await lost.submit(SONG)).task_id)
    await client.adopt("filed again", task_id)
    service.listing.answer = "works"
    await lose(service, client, SONG, "another", Fault.RESET_BEFORE_WORK)
    assert (await client.settle())[0].finding.state != "found"
