"""What a terminal, a list and a debugger show of a task, a batch, files and a statement."""

from decimal import Decimal
from typing import Any, cast

import pytest

from producer_tools import Downloads, FailedFile, PaidCall, ProducerClient, SavedFile, Statement
from producer_tools.errors import DownloadError
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tasks.results import Result
from producer_tools.tasks.task import Task, TaskBatch

SONG: Result = {"audio_id": "a1", "title": "First Day", "audio_url": "https://cdn.example/a", "duration_seconds": 125.9}
PREVIEW = "https://cdn.example/preview.m4a"
LINE_BREAKERS = "a\nb\r\x1b[2J\u2028\x85\x00\u202e\ud83d"


def song(title: str, seconds: float) -> Result:
    return {**SONG, "title": title, "duration_seconds": seconds}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (Task("1a6a", "complete", (SONG,)), "Task('1a6a', complete, 1 song: 'First Day' 2:05)"),
        (
            Task("1a6a", "complete", tuple(song(title, 59.99) for title in "ABCD")),
            "Task('1a6a', complete, 4 songs: 'A' 0:59, 'B' 0:59, 'C' 0:59, …)",
        ),
        (Task("1a6a", "complete", ({"stems_url": PREVIEW},)), "Task('1a6a', complete, 1 result)"),
        (Task("1a6a", "complete", ({"title": "Words", "lyrics": "la\n" * 99},)),
         "Task('1a6a', complete, 1 result: 'Words')"),
        (Task(None, "pending"), "Task(None, pending)"),
        (Task("1a6a", "processing", preview_urls=(PREVIEW, PREVIEW), progress=40.4),
         "Task('1a6a', processing 40 %, 2 previews)"),
        (
            Task("1a6a", "failed", partial_results=(SONG,), error={"code": "c", "message": "why", "trace_id": None}),
            "Task('1a6a', failed, 'c: why', 1 partial song: 'First Day' 2:05)",
        ),
        (
            TaskBatch((Task("1", "complete"), Task("2", "failed"), Task("3", "complete")), ("4",)),
            "TaskBatch(3 tasks: 2 complete, 1 failed; 1 not found)",
        ),
        (TaskBatch(), "TaskBatch(0 tasks)"),
        (
            SavedFile("audio", "/songs/a.m4a", 2_163_400, "audio/mp4", PREVIEW, duration_seconds=135.9),
            "SavedFile(audio, '/songs/a.m4a', 2,163 kB, 2:15)",
        ),
        (FailedFile("cover", PREVIEW, DownloadError("disk_full", "Full.")), "FailedFile(cover, 'disk_full: Full.')"),
        (Statement(), "Statement(0 calls, estimated 0.000 USD)"),
    ],
)  # fmt: skip
def test_a_value_is_one_line(value: object, line: str) -> None:
    """A list of ten tasks would fill the terminal, and the user could not find the one that failed."""
    assert repr(value) == line


def test_downloads_are_one_line() -> None:
    """The task and the files would be printed whole."""
    file = SavedFile("audio", "/songs/a.m4a", 9, "audio/mp4", PREVIEW)
    failed = FailedFile("cover", PREVIEW, DownloadError("disk_full", "Full."))
    line = "Downloads('1a6a', complete, 1 file, 1 not saved)"
    assert repr(Downloads(Task("1a6a", "complete", (SONG,)), (file,), (failed,))) == line


def test_a_statement_and_its_calls_are_one_line_each() -> None:
    """A debugger would show every call of a month for one variable."""
    call = PaidCall(
        key="k", account="0a" * 32, scopes=(), thread="", begun_at=0, endpoint="/producer/audios", action="generate",
        model="FUZZ-2.0", title="x\ny", task_id="1a6a", usd=Decimal("0.08"), credits=Decimal("0.5"), outcome="complete",
    )  # fmt: skip
    assert repr(Statement((call,) * 99)) == "Statement(99 calls, estimated 7.920 USD)"
    assert repr(call).startswith("PaidCall(1970-01-01 00:00:00 UTC, generate FUZZ-2.0 'x\\ny', task 1a6a")
    assert len(repr(call).splitlines()) == 1


def test_texts_of_the_service_cannot_break_the_line() -> None:
    """A title could clear the terminal, or pretend to be other output."""
    error = cast("Any", {"code": LINE_BREAKERS, "message": LINE_BREAKERS * 100, "trace_id": None})
    result = cast("Result", {**SONG, "title": LINE_BREAKERS * 100})
    for value in (
        Task(LINE_BREAKERS, "failed", partial_results=(result,), error=error),
        Downloads(Task(LINE_BREAKERS, "complete"), ()),
        SavedFile("audio", LINE_BREAKERS, 1, "audio/mp4", PREVIEW, title=LINE_BREAKERS),
        FailedFile("cover", LINE_BREAKERS, DownloadError(LINE_BREAKERS, LINE_BREAKERS)),
    ):
        assert repr(value).isprintable()
        assert len(repr(value)) < 600


async def test_a_token_that_the_service_quotes_is_not_shown(sandbox: ProducerSandbox, client: ProducerClient) -> None:
    """A list of tasks in a notebook would publish the token."""
    task = await client.submit(GenerateMusic(prompt=f"a song about {sandbox.api_token}"))
    for value in (task, await client.wait([str(task.task_id)], timeout=60)):
        assert sandbox.api_token not in repr(value)
