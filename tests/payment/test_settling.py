"""Requests whose answer was lost: their task is found in the account's listing, or the outcome stays unknown."""

from collections.abc import Iterator
from typing import Any

import pytest

from producer_tools import MemoryLedger, ProducerClient, SubmissionUnknownError
from producer_tools.payment.entry import Entry
from producer_tools.requests import AUDIOS, TASKS, GenerateLyrics, GenerateMusic, PaidRequest
from producer_tools.sandbox import Fault, ProducerSandbox
from producer_tools.sandbox.contract import TasksBody
from producer_tools.sandbox.listing import Listing
from producer_tools.sandbox.users import User
from producer_tools.tasks.sent_request import SentRequest
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def client(service: ProducerSandbox, clock: InstantClock, ledger: MemoryLedger) -> Iterator[ProducerClient]:
    with ProducerClient(service.api_token, service.base_url, clock=clock, ledger=ledger) as made:
        yield made


def lose_answer(service: ProducerSandbox, fault: Fault = Fault.RESET_AFTER_WORK) -> None:
    service.fail_next(fault, endpoint=AUDIOS)


def listings(service: ProducerSandbox) -> int:
    """How many requests for the listing came."""
    return sum(each.body.get("action") == "retrieve_batch" for each in service.requests)


@pytest.mark.parametrize("delay", [0, 3, 25, 45, 59])
async def test_the_task_of_a_lost_answer_is_found_within_a_minute(
    delay: float, client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    """A song that is listed late would be reported as unknown. A new account lists nothing until then."""
    service.listing.delay_seconds = delay
    lose_answer(service)
    began = clock.now()
    task = await client.submit(SONG, key="k")
    assert [charge.task_id for charge in service.charges] == [task.task_id]
    assert clock.now() - began <= 61


async def test_a_listing_with_short_pages_is_read_to_its_end(client: ProducerClient, service: ProducerSandbox) -> None:
    """Pages that are shorter than asked for must not make the search skip tasks."""
    service.listing.largest_page = 2
    lose_answer(service)
    service.listing.delay_seconds = 1000
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    service.listing.delay_seconds = 0
    for number in range(5):
        await client.submit(GenerateMusic(prompt=f"song {number}"))
    assert (await client.submit(SONG, key="k")).task_id == service.charges[0].task_id


async def test_the_listing_of_a_busy_account_is_read_only_around_the_request(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More tasks than are read would leave an old outcome unknown, and the listing would count as refused."""
    monkeypatch.setattr("producer_tools.tasks.listing._MOST_PAGES", 2)
    service.listing.largest_page = 2
    service.listing.delay_seconds = 1000
    lose_answer(service)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    service.listing.delay_seconds = 0
    for number in range(5):
        await client.submit(GenerateMusic(prompt=f"song {number}"))
    (too_many,) = await client.settle()
    assert too_many.finding.state == "unclear"
    clock.time += 2000
    for number in range(5):
        await client.submit(GenerateMusic(prompt=f"later song {number}"))
    monkeypatch.setattr("producer_tools.tasks.listing._MOST_PAGES", 5)
    (found,) = await client.settle()
    assert found.finding.task_ids == (service.charges[0].task_id,)


async def test_a_listing_that_ignores_the_time_does_not_bring_an_earlier_song(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same song, made by other software last week, would be taken for the new one."""
    select = Listing.select

    def select_at_any_time(self: Listing, tasks: Any, body: TasksBody, user: User, now: float) -> Any:
        return select(self, tasks, body.model_copy(update={"created_at_min": None, "created_at_max": None}), user, now)

    monkeypatch.setattr(Listing, "select", select_at_any_time)
    with ProducerClient(service.api_token, service.base_url, clock=clock) as other_software:
        await other_software.submit(SONG)
    clock.time += 7 * 24 * 3600
    lose_answer(service, Fault.ERROR_BEFORE_WORK)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")


@pytest.mark.parametrize("answer", ["bad_request", "invalid_token", "forbidden", "no_api", "empty", "other_shape"])
async def test_a_service_that_does_not_list_is_not_asked_again(
    answer: Any, client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    """Each lost answer would cost a minute. Nothing is lost: the task is found once the service lists it."""
    await client.submit(GenerateMusic(prompt="an old song"))
    clock.time += 100
    service.listing.answer = answer
    lose_answer(service)
    with pytest.raises(SubmissionUnknownError, match="may have been carried out and charged"):
        await client.submit(SONG, key="k")
    asked = listings(service)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    assert listings(service) == asked <= 6  # three looks, two requests each at most
    assert len(service.charges) == 2


@pytest.mark.parametrize("answer", ["bad_request", "invalid_token", "forbidden", "no_api"])
async def test_a_refused_list_takes_no_time(
    answer: Any, client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    """The account has tasks, so the refusal looked like a fault that passes, and each lost answer took seconds."""
    await client.submit(GenerateMusic(prompt="an old song"))
    clock.time += 100
    service.listing.answer = answer
    lose_answer(service)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    assert clock.slept == []


async def test_a_search_that_fails_leaves_what_was_found_before(
    client: ProducerClient, service: ProducerSandbox
) -> None:
    """A request that was never begun would be reported as unclear, and a person would have to ask the provider."""
    await client.submit(GenerateMusic(prompt="another song"))
    lose_answer(service, Fault.ERROR_BEFORE_WORK)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    for _ in range(100):
        service.fail_next(Fault.ERROR_BEFORE_WORK, endpoint=TASKS)
    for _ in range(2):
        (settled,) = await client.settle()
        assert settled.finding.state == "not_found"


async def test_one_odd_answer_does_not_turn_the_search_off(client: ProducerClient, service: ProducerSandbox) -> None:
    """One page of a proxy would make every later outcome unknown, for as long as a server runs."""
    lose_answer(service)
    service.fail_next(Fault.OTHER_OBJECT, endpoint=TASKS)
    assert (await client.submit(SONG, key="k")).task_id == service.charges[0].task_id


@pytest.mark.parametrize("odd", ["forbidden", "empty", "other_shape"])
async def test_an_odd_answer_of_a_listing_that_has_worked_is_a_passing_fault(
    odd: Any, client: ProducerClient, service: ProducerSandbox
) -> None:
    """One page of a proxy would turn the search off for as long as a server runs."""
    lose_answer(service)
    await client.submit(SONG, key="k")
    service.listing.answer = odd
    lose_answer(service)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(GenerateMusic(prompt="another waltz"), key="k2")
    service.listing.answer = "works"
    assert (await client.submit(GenerateMusic(prompt="another waltz"), key="k2")).task_id == service.charges[1].task_id


async def test_a_strangers_task_is_never_taken(client: ProducerClient, service: ProducerSandbox) -> None:
    """The user would get somebody else's song."""
    service.listing.answer = "foreign"
    async with ProducerClient(service.add_user().api_token, service.base_url) as stranger:
        await stranger.submit(SONG)
    lose_answer(service, Fault.RESET_BEFORE_WORK)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="mine")
    asked = listings(service)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="mine")
    assert listings(service) == asked


async def test_several_equal_tasks_are_candidates(client: ProducerClient, service: ProducerSandbox) -> None:
    async with ProducerClient(service.api_token, service.base_url) as other:  # with a ledger of its own
        others = await other.submit(SONG)
    lose_answer(service)
    with pytest.raises(SubmissionUnknownError) as caught:
        await client.submit(SONG, key="k")
    assert others.task_id is not None
    assert all(str(charge.task_id) in str(caught.value) for charge in service.charges)


async def test_a_request_that_never_began_is_reported_as_that(client: ProducerClient, service: ProducerSandbox) -> None:
    await client.submit(GenerateMusic(prompt="another song"))
    lose_answer(service, Fault.RESET_BEFORE_WORK)
    for _ in range(2):
        with pytest.raises(SubmissionUnknownError, match=r"was probably never begun. It was not sent again"):
            await client.submit(SONG, key="k")
    assert len(service.charges) == 1


async def test_a_task_that_another_entry_owns_is_not_taken(client: ProducerClient, service: ProducerSandbox) -> None:
    own = await client.submit(SONG, key="first")
    lose_answer(service, Fault.RESET_BEFORE_WORK)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="second")
    assert [charge.task_id for charge in service.charges] == [own.task_id]


async def test_one_of_two_equal_unknown_requests_gets_the_one_task(
    client: ProducerClient, service: ProducerSandbox
) -> None:
    service.listing.delay_seconds = 1000
    for key, fault in (("a", Fault.RESET_AFTER_WORK), ("b", Fault.RESET_BEFORE_WORK)):
        lose_answer(service, fault)
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key=key)
    service.listing.delay_seconds = 0
    settled = await client.settle()
    assert sorted(each.finding.state for each in settled) == ["found", "not_found"]
    assert {task_id for each in settled for task_id in each.finding.task_ids} == {service.charges[0].task_id}


async def test_a_crash_after_a_task_was_found_does_not_lose_it(
    client: ProducerClient, service: ProducerSandbox, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task would count as that of another request, and this one as never begun."""

    async def fail(*_: Entry | None) -> bool:
        raise OSError("the disk is full")

    lose_answer(service)
    with monkeypatch.context() as full:
        full.setattr(ledger, "replace", fail)
        task = await client.submit(SONG, key="k")
    (unknown,) = await ledger.entries(unanswered=True)
    assert await ledger.replace(unknown, unknown.changed(lease_until=0.0))
    assert (await client.submit(SONG, key="k")).task_id == task.task_id == service.charges[0].task_id


@pytest.mark.parametrize("number", [1, 3])
async def test_settling_while_the_service_is_down_takes_a_minute_in_all(
    number: int, client: ProducerClient, service: ProducerSandbox, clock: InstantClock
) -> None:
    service.listing.delay_seconds = 10_000
    for key in range(number):
        lose_answer(service)
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key=str(key))
    for _ in range(200):
        service.fail_next(Fault.ERROR_BEFORE_WORK, endpoint=TASKS)
    began = clock.now()
    assert [each.finding.state for each in await client.settle()] == ["unclear"] * number
    assert clock.now() - began <= 61


@pytest.mark.parametrize(
    ("request_", "recorded", "kind", "is_same"),
    [
        (GenerateMusic(prompt="x", weirdness=0), {"weirdness": None}, "audios", False),
        (GenerateMusic(prompt="x", weirdness=0), {"weirdness": "0.0"}, "audios", True),
        (GenerateMusic(prompt="x", weirdness=1), {"weirdness": "1"}, "audios", True),
        (GenerateMusic(prompt="x"), {"instrumental": False, "weirdness": 0.5}, "audios", True),
        (GenerateMusic(prompt="x"), {"prompt": "y"}, "audios", False),
        (GenerateLyrics(prompt="x"), {"action": "generate"}, "audios", False),
        (GenerateLyrics(prompt="x"), {}, "videos", False),
        (GenerateLyrics(prompt="x"), {}, "lyrics", True),
    ],
)
def test_a_record_is_compared_with_what_was_sent(
    request_: PaidRequest, recorded: dict[str, Any], kind: str, *, is_same: bool
) -> None:
    """Another request's task would be taken, or the own one would not be recognised."""
    sent = SentRequest(request_.endpoint, request_.body())
    assert sent.made({"id": "t", "type": kind, "request": {**sent.body, **recorded}}) is is_same
