"""Records that may never end: the service's words are shown as a note, and after ten minutes the task is given up."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from producer_tools import ProducerClient, Task
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tasks.records import read_record
from producer_tools.tasks.stuck import STUCK_AFTER, StuckTasks, is_overdue
from producer_tools.tools.output import batch_output, task_output
from tests.clocks import InstantClock, VirtualClock

SONG = {"id": "a1", "audio_url": "https://cdn.example/a.m4a", "state": "succeeded"}
TEMPORARY: dict[str, Any] = {"response": {"success": False, "error": "temporary"}}
NO_END: dict[str, dict[str, Any]] = {
    "11 success false, bare error": TEMPORARY,
    "11b only a bare error": {"started_at": 3, "error": "temporary"},
    "a bare error though it says pending": {"state": "pending", "response": {"error": "temporary"}},
    "a bare error and a finished item": {"response": {"success": False, "error": "temporary", "data": [SONG]}},
    "success false without a reason": {"response": {"success": False, "data": []}},
    "complete without success": {"state": "complete", "response": {"data": [SONG]}},
    "finished, in a word that nobody knows": {"state": "warped", "finished_at": 9, "response": {"success": True}},
    "a failed item and nothing more to come": {"response": {"data": [SONG, {"state": "failed"}]}},
}
GOES_ON: dict[str, dict[str, Any]] = {
    "6 pending": {"response": None},
    "7 started": {"started_at": 3, "response": None},
    "8 pending with a preview": {"state": "pending", "response": {"data": [SONG]}},
    "13 one item processing": {"response": {"data": [SONG, {"state": "processing"}]}},
    "15 a word that nobody knows": {"state": "warped"},
}


async def watched(record: Mapping[str, Any], clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The changes of a task whose record stays the same, for at most an hour."""

    async def post(*_: object, **__: object) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"items": [{"id": "t1", **record}]}

    monkeypatch.setattr(Transport, "post", post)
    changes: list[Task] = []

    async def watch(client: ProducerClient) -> None:
        async for task in client.watch(["t1"]):
            changes.append(task)  # noqa: PERF401 - a comprehension would lose them when the hour is over

    async with ProducerClient("t", "http://127.0.0.1:9", clock=clock) as client:
        watching = asyncio.create_task(watch(client))
        passing = asyncio.create_task(clock.sleep(3600))
        await asyncio.wait((watching, passing), return_when=asyncio.FIRST_COMPLETED)
        for each in (watching, passing):
            each.cancel()
        await asyncio.gather(watching, passing, return_exceptions=True)
    return changes


@pytest.mark.parametrize("record", NO_END.values(), ids=NO_END)
@pytest.mark.parametrize("created_at", ["now", "unknown", "milliseconds"])
async def test_a_record_that_cannot_end_is_not_polled_for_ever(
    record: dict[str, Any], created_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that watches such a task would never get an answer, and would ask the service for years."""
    clock = VirtualClock()
    began = clock.now()
    created = {"now": began, "unknown": None, "milliseconds": began * 1000}[created_at]
    first, last = await watched({"created_at": created, **record}, clock, monkeypatch)
    assert first.note
    assert not first.is_final
    assert last.error is not None
    assert (last.state, last.note, last.error["code"]) == ("failed", None, "stuck")
    assert first.note in json.loads(task_output(last)[0])["error"]["message"]
    assert STUCK_AFTER <= clock.now() - began < STUCK_AFTER + 20


@pytest.mark.parametrize("record", GOES_ON.values(), ids=GOES_ON)
async def test_a_record_that_goes_on_is_not_given_up(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A song that is only slow would be reported as failed, made again, and paid for twice."""
    clock = VirtualClock()
    task, overdue = await watched({"created_at": clock.now(), **record}, clock, monkeypatch)
    assert (task.is_final, task.note, task.is_overdue) == (False, None, False)
    assert overdue == replace(task, is_overdue=True)


async def test_an_old_record_is_given_up_at_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart, nobody should wait another ten minutes for it. What is finished is kept."""
    clock = InstantClock()
    record = {"id": "t1", "created_at": clock.now() - STUCK_AFTER, "response": {"error": "x", "data": [SONG]}}

    async def post(*_: object, **__: object) -> dict[str, Any]:
        return record

    monkeypatch.setattr(Transport, "post", post)
    async with ProducerClient("t", "http://127.0.0.1:9", clock=clock) as client:
        task = await client.get_task("t1")
        record = {"id": "t1", "finished_at": clock.now(), "response": {"data": [SONG]}}
        finished = await client.get_task("t1")
    assert task.state == "failed"
    assert task.partial_results == finished.results != ()
    assert finished.state == "complete", "it finished after all, and a later look-up shows that"


def test_the_model_reads_the_note_and_is_not_told_that_a_stuck_task_was_free() -> None:
    """The task may still finish and be charged: a new submit without asking could be a second payment."""
    record = {"id": "t1", **TEMPORARY}
    unfinished, artifact = task_output(read_record(record))
    stuck = json.loads(task_output(read_record(record, is_stuck=True))[0])
    assert json.loads(unfinished)["note"] == artifact["note"] == "temporary"
    assert "Do not submit again" in json.loads(unfinished)["next_step"]
    assert "may still finish and be charged" in stuck["next_step"]
    assert "not charged" not in stuck["next_step"]


async def test_a_model_does_not_wait_for_ever_for_a_task_without_a_note() -> None:
    """It would call again and again, and the user would never get an answer, nor learn that it may be charged."""
    clock = InstantClock()
    with ProducerSandbox(render_seconds=10 * STUCK_AFTER, clock=clock) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, clock=clock) as client:
            task_id = str((await client.submit(GenerateMusic(prompt="a song"))).task_id)
            first = task_output(await client.get_task(task_id))
            clock.time += STUCK_AFTER
            last = task_output(await client.get_task(task_id))
            batch = batch_output(await client.get_tasks([task_id]))
    assert "Call producer_wait_for_tasks" in json.loads(first[0])["next_step"]
    for content in (last[0], batch[0]):
        assert "may still finish and be charged: tell the user" in json.loads(content)["next_step"]
        assert "Call producer_" not in json.loads(content)["next_step"]
    assert (first[1]["is_overdue"], last[1]["is_overdue"]) == (False, True)


@pytest.mark.parametrize("created_at", [None, 0, "", "in milliseconds"])
def test_a_task_is_not_overdue_if_nobody_knows_when_it_was_created(created_at: Any) -> None:
    """A model would tell the user that a song which has just begun did not finish in ten minutes."""
    now = VirtualClock().now()
    record = {"id": "t1", "created_at": now * 1000 if created_at == "in milliseconds" else created_at}
    assert not is_overdue(read_record(record), now)
    assert is_overdue(read_record({"id": "t1", "created_at": now - STUCK_AFTER}), now)


def test_a_card_shows_the_note() -> None:
    """A person who looks at the notebook should see why the song takes so long."""
    assert "Note: temporary" in read_record({"id": "t1", **TEMPORARY})._repr_html_()


def test_a_note_that_went_away_does_not_count_when_it_comes_again() -> None:
    """A fault that passed, and another one an hour later, are not a task that has not changed for an hour."""
    clock = InstantClock()
    stuck = StuckTasks(clock)
    noted, fine = Task("t1", "processing", note="temporary"), Task("t1", "processing")
    assert not stuck.is_stuck(noted)
    clock.time += STUCK_AFTER - 1
    assert not stuck.is_stuck(noted)
    assert not stuck.is_stuck(fine)
    clock.time += 3600
    assert not stuck.is_stuck(noted)
    clock.time += STUCK_AFTER
    assert stuck.is_stuck(noted)
