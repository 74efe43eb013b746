"""Makes one paid song, from the submit to a file that plays."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from producer_tools.client import ProducerClient
from producer_tools.doctor.opening import is_database, open_ledger
from producer_tools.doctor.playing import read_audio
from producer_tools.doctor.results import CheckResult
from producer_tools.errors import ProducerError
from producer_tools.files.downloads import Downloader
from producer_tools.http.safe_text import safe_text
from producer_tools.payment.ledger import Ledger
from producer_tools.payment.sqlite_ledger import SqliteLedger
from producer_tools.requests import GenerateMusic
from producer_tools.tasks.task import Task

REQUEST = GenerateMusic(prompt="a calm piano piece")
"""What is made."""

_WAIT_SECONDS = 900.0
_LONGEST_TEXT = 500
# A player rounds, and the service reports the length of what it made before it was encoded.
_SECONDS_OF_DIFFERENCE = 2.0


async def make_song(
    client: ProducerClient, directory: Path, ledger: str | None, say: Callable[[str], None]
) -> list[CheckResult]:
    """Make one song, which is paid for, wait for it, download it, and check that the file plays.

    Args:
        client: whose account pays.
        directory: where the files go.
        ledger: where the request is written down: a file or a database; ``None`` for the client's own ledger.
        say: called with each step, so that a person knows the task if the program is ended.

    Returns:
        What became of each step, up to the first one that failed.
    """
    results: list[CheckResult] = []
    step = "song"
    try:
        began = time.monotonic()
        async with _opened(ledger) as opened:
            task = await client.submit(REQUEST, ledger=opened)
        answered = time.monotonic()
        say(f"Submitted: the task is {task.task_id}. Waiting for it ...")
        if task.task_id is not None and not task.is_final:
            batch = await client.wait([task.task_id], _WAIT_SECONDS)
            task = batch.tasks[0] if batch.tasks else task
        seconds = time.monotonic() - began
        results.append(_made(task, answered - began, seconds))
        if task.state == "complete":
            step = "download"
            say("Downloading ...")
            results += await _downloaded(client, task, directory)
    except ProducerError as error:
        results.append(CheckResult(step, "bad", safe_text(str(error), _LONGEST_TEXT)))
    return results


@asynccontextmanager
async def _opened(place: str | None) -> AsyncIterator[Ledger | None]:
    if place is None:
        yield None
    elif not is_database(place) and not await asyncio.to_thread(os.path.lexists, place):
        yield SqliteLedger(place)  # a paid call makes the file, here as everywhere
    else:
        async with open_ledger(place) as ledger:
            yield ledger


def _made(task: Task, answered_after: float, made_after: float) -> CheckResult:
    if task.state == "complete":
        times = f"accepted after {answered_after:.1f} s, made after {made_after:.1f} s"
        return CheckResult("song", "good", f"The task {task.task_id} is complete: {times}.")
    if task.error is not None:
        reason = f"{task.error['code']}: {task.error['message']}"
        return CheckResult("song", "bad", safe_text(f"The task {task.task_id} failed. {reason}", _LONGEST_TEXT))
    text = f"The task {task.task_id} is still {task.state} after {made_after:.0f} s. It goes on, and may be charged."
    return CheckResult("song", "bad", text)


async def _downloaded(client: ProducerClient, task: Task, directory: Path) -> list[CheckResult]:
    began = time.monotonic()
    saved = await Downloader(client, directory).save(task)
    seconds = time.monotonic() - began
    results = [
        CheckResult("download", "bad", safe_text(f"The {each.kind} file: {each.error}", _LONGEST_TEXT))
        for each in saved.failed
    ]
    size = sum(each.bytes for each in saved.files)
    if saved.files:
        text = f"{len(saved.files)} files, {size:,} bytes, in {seconds:.1f} s."
        results.append(CheckResult("download", "good", text))
    songs = [each for each in saved.files if each.kind == "audio"]
    results += [await asyncio.to_thread(_plays, Path(each.path), each.duration_seconds) for each in songs]
    return results if songs else [*results, CheckResult("file", "bad", "There is no audio file.")]


def _plays(path: Path, reported: float | None) -> CheckResult:
    """Whether a file is whole audio, and as long as the service says."""
    try:
        found = read_audio(path)
    except OSError as fault:
        return CheckResult("file", "bad", f"{path.name} cannot be read: {fault.strerror}.")
    if found.content_type is None or not found.is_whole:
        what = "is not audio" if found.content_type is None else "is cut off"
        return CheckResult("file", "bad", f"{path.name} {what}, by its header.")
    lengths = f"{_seconds(found.seconds)} by its header, {_seconds(reported)} by the service"
    if found.seconds is not None and reported is not None and abs(found.seconds - reported) > _SECONDS_OF_DIFFERENCE:
        return CheckResult("file", "bad", f"{path.name} has another length than the service says: {lengths}.")
    return CheckResult("file", "good", f"{path.name} is whole {found.content_type}: {lengths}.")


def _seconds(value: float | None) -> str:
    return "a length not known" if value is None else f"{value:.1f} s"
