"""Listings that write requests down in their own way, are sorted or paged oddly, or show other accounts' tasks."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from producer_tools import AnswerError, InsufficientBalanceError, MemoryLedger, ProducerClient, SubmissionUnknownError
from producer_tools.http.transport import Transport
from producer_tools.payment.settling import Finding
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from producer_tools.sandbox.contract import TasksBody
from producer_tools.sandbox.jobs import StoredTask
from producer_tools.sandbox.listing import Listing
from producer_tools.sandbox.users import User
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz", weirdness=0.3)
OTHER = GenerateMusic(prompt="a march")
Records = list[dict[str, Any]]
Page = tuple[list[StoredTask], int]


@pytest.fixture
def client(service: ProducerSandbox, clock: InstantClock) -> Iterator[ProducerClient]:
    with ProducerClient(service.api_token, service.base_url, clock=clock, ledger=MemoryLedger()) as made:
        yield made


def write_records(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the listing show each record with changes."""
    write = Listing.write

    def changed(self: Listing, records: Records, count: int) -> dict[str, Any]:
        return write(self, [change(record) for record in records], count)

    monkeypatch.setattr(Listing, "write", changed)


def select_tasks(monkeypatch: pytest.MonkeyPatch, select: Callable[[list[StoredTask], TasksBody, User], Page]) -> None:
    """Let the listing show a page of all tasks of all accounts, which come oldest first."""

    def selected(_: Listing, tasks: Any, body: TasksBody, user: User, __: float) -> Page:
        return select(list(tasks), body, user)

    monkeypatch.setattr(Listing, "select", selected)


async def submit_and_settle(service: ProducerSandbox, client: ProducerClient, fault: Fault) -> Finding:
    """What is found in the end about a request whose answer was lost."""
    service.fail_next(fault, endpoint=AUDIOS)
    try:
        return Finding("found", (str((await client.submit(SONG, key="k")).task_id),))
    except SubmissionUnknownError:
        (settled,) = await client.settle()
        return settled.finding


@pytest.mark.parametrize(
    "written",
    [
        {"weirdness": 0.30000001192092896},
        {"weirdness": "0.3"},
        {"instrumental": "false", "async": "true"},
        {"instrumental": 0, "async": 1},
        {"lyric": None, "title": "", "cover_strength": 1.0},
        {"prompt": "a waltz\r\n"},
    ],
)
async def test_a_request_is_recognised_however_it_is_written(
    written: dict[str, Any], client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The song would be paid for, and only a person could find it."""
    write_records(monkeypatch, lambda record: {**record, "request": {**record["request"], **written}})
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.task_ids == (service.charges[0].task_id,)
    assert found.state == "found"


@pytest.mark.parametrize(
    "written",
    [
        {"request": {**SONG.body(), "prompt": [[["a waltz"]]]}},
        {"request": {**SONG.body(), "weirdness": 10**400}},
        {"created_at": 10**400},
        {"created_at": float("inf")},
        {"created_at": "2027-01-15T08:00:00Z"},
        {"created_at": None},
        {"request": "{}"},
        {"request": None, "type": ["audios"]},
    ],
)
async def test_a_record_that_proves_nothing_is_only_a_candidate(
    written: dict[str, Any], client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An OverflowError would hide that the song may be paid for, and an old song would be taken for the new one."""
    write_records(monkeypatch, lambda record: {**record, **written})
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found == Finding("unclear", (service.charges[0].task_id,))


async def test_a_request_of_other_software_that_says_more_is_not_taken(
    client: ProducerClient, service: ProducerSandbox
) -> None:
    """The caller would get a song that it did not ask for."""
    with ProducerClient(service.api_token, service.base_url) as other:
        task = await other.submit(GenerateMusic(prompt="a waltz", weirdness=0.3, seed="7"))
    found = await submit_and_settle(service, client, Fault.RESET_BEFORE_WORK)
    assert found == Finding("unclear", (str(task.task_id),))


async def test_the_own_task_is_found_among_those_of_all_accounts(
    client: ProducerClient, service: ProducerSandbox
) -> None:
    """Somebody else's equal request would hide it."""
    service.listing.answer = "foreign"
    with ProducerClient(service.add_user().api_token, service.base_url) as stranger:
        await stranger.submit(SONG)
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.task_ids == (service.charges[1].task_id,)


async def test_a_listing_of_another_account_does_not_prove_that_a_song_was_never_begun(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person would release it, and it would be paid for twice."""
    with ProducerClient(service.add_user().api_token, service.base_url) as stranger:
        await stranger.submit(OTHER)

    def of_others(tasks: list[StoredTask], body: TasksBody, user: User) -> Page:
        others = [task for task in tasks if task.owner != user]
        return others[body.offset :], len(others)

    select_tasks(monkeypatch, of_others)
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.state in ("unclear", "not_listed")


async def test_a_refused_look_up_does_not_prove_that_a_song_was_never_begun(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a spent balance, look-ups may be refused; the listing would count as somebody else's."""
    await client.submit(OTHER)
    corrected = {**SONG.body(), "prompt": "A waltz."}
    write_records(monkeypatch, lambda record: {**record, "request": corrected})
    post = Transport.post

    async def refused(self: Transport, endpoint: str, body: dict[str, Any], *, paid: bool) -> Any:
        if body["action"] == "retrieve":
            raise InsufficientBalanceError("used_up", "the balance is spent")
        return await post(self, endpoint, body, paid=paid)

    service.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    monkeypatch.setattr(Transport, "post", refused)
    (settled,) = await client.settle()
    assert settled.finding.state == "unclear"


@pytest.mark.parametrize("size", [50, 7, 1])
async def test_a_listing_with_the_oldest_first_does_not_hide_a_song(
    size: int, client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it ignores the time as well, its first page has only old tasks, and the song would count as never begun."""
    for _ in range(60):
        await client.submit(OTHER)
    clock.time += 24 * 3600

    def oldest_first(tasks: list[StoredTask], body: TasksBody, _: User) -> Page:
        return tasks[body.offset : body.offset + min(size, body.limit or size)], len(tasks)

    select_tasks(monkeypatch, oldest_first)
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.state == "found"


async def test_a_wrong_clock_and_the_oldest_first_do_not_hide_a_song(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is outside of the time that is searched, and not among the first tasks of the list."""
    for _ in range(60):
        await client.submit(OTHER)
        clock.time += 1

    def oldest_first(tasks: list[StoredTask], body: TasksBody, _: User) -> Page:
        first, last = (body.created_at_min or 0) - 300, (body.created_at_max or float("inf")) - 300
        shown = [task for task in tasks if first <= task.created_at <= last]
        return shown[body.offset : body.offset + (body.limit or 20)], len(shown)

    select_tasks(monkeypatch, oldest_first)
    clock.time += 24 * 3600
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.state == "unclear"


@pytest.mark.parametrize("knows_offset", [True, False])
async def test_a_page_without_new_tasks_does_not_hide_a_song(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch, *, knows_offset: bool
) -> None:
    """Other tasks come in between two pages and move them, or the service does not know pages at all."""
    most = 2

    def moving(tasks: list[StoredTask], body: TasksBody, _: User) -> Page:
        new = most if knows_offset and body.offset else 0
        newest = [*([tasks[-1]] * new), *reversed(tasks)]
        start = body.offset if knows_offset else 0
        return newest[start : start + most], len(newest)

    service.listing.delay_seconds = 1000
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    for _ in range(5):
        await client.submit(OTHER)
    select_tasks(monkeypatch, moving)
    (settled,) = await client.settle()
    assert settled.finding.state == "unclear"


async def test_a_search_outlives_pages_that_fail_now_and_then(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of hundreds of pages one often fails: a search that then began anew would never read the last one."""
    post, numbers = Transport.post, count()

    async def every_second_fails(self: Transport, endpoint: str, body: Any, *, paid: bool) -> Any:
        if body["action"] == "retrieve_batch" and next(numbers) % 2 == 0:
            raise AnswerError("timeout", "No complete answer came in time.")
        return await post(self, endpoint, body, paid=paid)

    monkeypatch.setattr(Transport, "post", every_second_fails)
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.state == "found"


async def test_a_fault_of_the_search_itself_leaves_the_outcome_unknown(
    client: ProducerClient, service: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller would get an error that says nothing about the money, and might call again."""

    async def fail(*_: object) -> None:
        raise RuntimeError("a fault of this package")

    monkeypatch.setattr("producer_tools.tasks.listing.Listing.find", fail)
    found = await submit_and_settle(service, client, Fault.RESET_AFTER_WORK)
    assert found.state == "unclear"


async def test_a_wrong_clock_and_many_newer_tasks_do_not_hide_a_song(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is outside of the time that is searched, and not among the newest tasks: a person would release it."""

    def by_another_clock(tasks: list[StoredTask], body: TasksBody, _: User) -> Page:
        first, last = (body.created_at_min or 0) - 300, (body.created_at_max or float("inf")) - 300
        shown = [task for task in reversed(tasks) if first <= task.created_at <= last]
        return shown[body.offset : body.offset + (body.limit or 20)], len(shown)

    select_tasks(monkeypatch, by_another_clock)
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    for _ in range(60):
        clock.time += 10
        await client.submit(OTHER)
    clock.time += 1000
    (settled,) = await client.settle()
    assert settled.finding.state == "unclear"


async def test_many_tasks_of_others_do_not_hide_a_song(
    client: ProducerClient, service: ProducerSandbox, clock: InstantClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only some are looked up, and the account's own one may not be among them."""
    service.listing.answer = "foreign"
    service.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    corrected = {**SONG.body(), "prompt": "A waltz."}
    write_records(monkeypatch, lambda record: {**record, "request": corrected})
    with pytest.raises(SubmissionUnknownError):
        await client.submit(SONG, key="k")
    with ProducerClient(service.add_user().api_token, service.base_url) as stranger:
        for _ in range(12):
            await stranger.submit(OTHER)
    await client.submit(OTHER)
    clock.time += 1000
    (settled,) = await client.settle()
    assert settled.finding.state == "unclear"
