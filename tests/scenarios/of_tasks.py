"""Situations in which a task does not end as it should, or not in time."""

from typing import Any

from producer_tools.sandbox import ProducerSandbox
from tests.scenarios.asking import GENERATE, SONG, THREE_SONGS, ask, call
from tests.scenarios.play import Record, Situation
from tests.scenarios.reader import NEWEST_TASK

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def with_words(record: Record, **response: Any) -> Record:
    return {**record, "response": {**(record["response"] or {}), **response}}


def temporary(record: Record) -> Record:
    """An error that passes: it is there as long as the task is unfinished."""
    return record if record["finished_at"] else with_words(record, success=False, error="temporary")


def for_ever_temporary(record: Record) -> Record:
    return {**record, "finished_at": None, "response": {"success": False, "error": "temporary"}}


def second_song_is_stuck(record: Record) -> Record:
    return for_ever_temporary(record) if record["request"]["prompt"] == "song 1" else record


def second_song_goes_on(record: Record) -> Record:
    return {**record, "finished_at": None, "response": None} if record["request"]["prompt"] == "song 1" else record


def empty(record: Record) -> Record:
    return with_words(record, success=True, data=[]) if record["finished_at"] else record


def flagged(record: Record) -> Record:
    error = {"code": "forbidden", "message": "the lyrics were flagged by moderation"}
    return with_words(record, error=error) if record["finished_at"] else record


def success_while_pending(record: Record) -> Record:
    return record if record["finished_at"] else with_words(record, success=True)


def fail_second(sandbox: ProducerSandbox) -> None:
    sandbox.outage("tasks_fail", submits=1)


def spoil(sandbox: ProducerSandbox) -> None:
    sandbox.spoil_next(message="the second song failed")


def down(sandbox: ProducerSandbox) -> None:
    sandbox.outage("tasks_fail")


def no_capacity(sandbox: ProducerSandbox) -> None:
    sandbox.outage("no_capacity")


def no_look_ups(sandbox: ProducerSandbox) -> None:
    for _ in range(300):
        sandbox.fail_next("api_error", "internal error", endpoint="/producer/tasks")


SITUATIONS = (
    Situation("a song, records as specified", SONG, turns=12),
    Situation("a song, records with a state", SONG, sandbox={"vocabulary": "state"}, turns=12),
    Situation(
        "success is true while pending", SONG, sandbox={"vocabulary": "state"}, record=success_while_pending, turns=12
    ),
    Situation("a preview when the wait ends, then the song", SONG, sandbox={"render_seconds": 450}, turns=120),
    Situation(
        "a song that never ends",
        SONG,
        sandbox={"render_seconds": 1e6},
        ends="asks",
        given=0,
        told=("charged", "later"),
        turns=130,
    ),
    Situation(
        "a preview that never becomes a song",
        SONG,
        ends="asks",
        given=0,
        told=("charged", "later"),
        turns=130,
        sandbox={"render_seconds": 1e4, "vocabulary": "state"},
    ),
    Situation("an error that passes", SONG, record=temporary, turns=12),
    Situation(
        "stuck for ten minutes",
        SONG,
        record=for_ever_temporary,
        ends="asks",
        given=0,
        told=("charged",),
        turns=130,
    ),
    Situation(
        "complete with nothing in it",
        SONG,
        record=empty,
        ends="asks",
        given=0,
        told=("made nothing", "charged"),
        turns=12,
    ),
    Situation(
        "a task that fails in part",
        SONG,
        service=spoil,
        ends="asks",
        paid=0,
        paid_calls=1,
        gives_parts=True,
        told=("the second song failed",),
        turns=12,
    ),
    Situation(
        "a task that the service fails",
        SONG,
        service=down,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=1,
        told=("generally not charged", "down"),
        turns=12,
    ),
    Situation(
        "no capacity, please try again later",
        SONG,
        service=no_capacity,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=1,
        told=("generally not charged", "down"),
        turns=12,
    ),
    Situation(
        "a task that moderation refuses",
        SONG,
        service=down,
        record=flagged,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=2,
        told=("moderation", "generally not charged"),
        turns=24,
    ),
    Situation(
        "several songs, one fails",
        THREE_SONGS,
        service=fail_second,
        ends="gives, tells",
        paid=2,
        given=2,
        paid_calls=3,
        told=("generally not charged",),
        turns=16,
    ),
    Situation(
        "several songs, one fails, the others are saved",
        THREE_SONGS,
        service=fail_second,
        ends="gives, tells",
        paid=2,
        given=4,
        paid_calls=3,
        told=("generally not charged",),
        turns=16,
        wants_files=True,
    ),
    Situation(
        "several songs, one is stuck",
        THREE_SONGS,
        record=second_song_is_stuck,
        ends="asks",
        paid=3,
        given=2,
        told=("may still finish and be charged",),
        turns=400,
    ),
    Situation(
        "several songs, one never ends",
        THREE_SONGS,
        record=second_song_goes_on,
        ends="asks",
        paid=3,
        given=2,
        told=("may still finish and be charged",),
        turns=400,
    ),
    Situation(
        "several songs, all fail",
        THREE_SONGS,
        service=down,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=3,
        told=("generally not charged", "down"),
        turns=16,
    ),
    Situation("several songs", THREE_SONGS, paid=3, given=3, turns=24),
    Situation(
        "a look-up of an unknown task",
        (ask("Is it ready?", call("get_task", task_id=UNKNOWN_ID)),),
        ends="tells",
        paid=0,
        given=0,
        told=("no such task",),
        turns=2,
    ),
    Situation(
        "a wait for an unknown task",
        (ask("Is it ready?", call("wait_for_tasks", task_ids=[UNKNOWN_ID])),),
        ends="tells",
        paid=0,
        given=0,
        turns=2,
    ),
    Situation(
        "a batch with one unknown task",
        (ask("Make it. Are both ready?", GENERATE, call("get_tasks_batch", task_ids=[NEWEST_TASK, UNKNOWN_ID])),),
        ends="gives, tells",
        turns=14,
    ),
    Situation(
        "two unknown tasks",
        (ask("Ready?", call("get_tasks_batch", task_ids=[UNKNOWN_ID, UNKNOWN_ID[:-1] + "1"])),),
        ends="tells",
        paid=0,
        given=0,
        turns=2,
    ),
    Situation(
        "look-ups fail for a minute",
        SONG,
        service=no_look_ups,
        ends="tells",
        given=0,
        told=("internal error",),
        turns=5,
    ),
    Situation(
        "a preview is saved before its song is ready",
        (ask("Save it now.", GENERATE, call("download_results", task_id=NEWEST_TASK)),),
        wants_files=True,
        given=2,
        turns=14,
    ),
)
