"""What an operator reads in the log, and what must never be there."""

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_tools import (
    BadRequestError,
    Downloader,
    MemoryLedger,
    ProducerClient,
    RateLimitError,
    ServiceUnreachableError,
    SubmissionUnknownError,
    telemetry,
)
from producer_tools.langgraph import album_graph
from producer_tools.requests import GenerateCustomMusic, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock, ManualClock
from tests.raw_server import answering, http

SONG = GenerateMusic(prompt="a slow waltz")
TOKEN = "sk-marked-token-7c1d"
PROMPT, LYRIC, TITLE = "markedprompt", "markedlyric", "markedtitle"


class Records(logging.Handler):
    """Keeps every record, as a file or a collector of logs would get it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.all: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record)

    def texts(self, level: int) -> list[str]:
        """The messages of this package at exactly this level."""
        return [
            record.getMessage() for record in self.all if record.name == "producer_tools" and record.levelno == level
        ]

    def whole(self, least: int = logging.DEBUG, name: str = "") -> str:
        """Everything in the records of this level or higher: messages, arguments and tracebacks."""
        formatter = logging.Formatter("%(message)s")
        kept = [each for each in self.all if each.levelno >= least and each.name.startswith(name)]
        return "\n".join(f"{formatter.format(each)} {each.args!r}" for each in kept)


@pytest.fixture
def records() -> Iterator[Records]:
    handler, loggers = Records(), [logging.getLogger(), logging.getLogger("producer_tools")]
    before = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield handler
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


async def test_a_song_is_logged_from_the_submit_to_the_file(records: Records, tmp_path: Path) -> None:
    """Without these four records, an operator sees neither what was paid for nor where it went."""
    with ProducerSandbox(render_seconds=0, silent=True) as sandbox:
        async with ProducerClient(
            sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=MemoryLedger()
        ) as client:
            task = await client.submit(SONG, key="order-4711")
            await client.submit(SONG, key="order-4711")
            await client.wait([str(task.task_id)], 50)
            saved = await Downloader(client, tmp_path).save(str(task.task_id))
    submitted, reused, finished, *files = records.texts(logging.INFO)
    assert submitted == f"Submitted generate: task {task.task_id}, key 'order-4711', estimated 0.08 US dollars."
    assert reused == f"Reused from the ledger, nothing was sent: generate, task {task.task_id}, key 'order-4711'."
    assert finished.startswith(f"Task {task.task_id} is complete after a wait of ")
    assert len(files) == len(saved.files)
    for file in saved.files:
        (text,) = [text for text in files if f"({file.bytes} bytes) of task {task.task_id}" in text]
        pattern = text.removeprefix("Saved ").partition(" (")[0]
        assert Path(file.path) in list(tmp_path.glob(Path(pattern).name)), "the pattern finds the file"
    assert records.texts(logging.WARNING) == []


async def test_each_request_is_logged_for_debugging(records: Records) -> None:
    """With the service's trace id, its support can find the request."""
    refused = {"error": {"code": "bad_request", "message": "no"}, "trace_id": "trace-1"}
    async with answering(http(refused, "400 Bad Request")) as server, ProducerClient("t", server.base_url) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG)
    (text,) = records.texts(logging.DEBUG)
    assert text.startswith("POST /producer/audios: HTTP 400, ")
    assert text.endswith(" ms, trace id trace-1")


async def test_a_retry_is_logged_before_its_pause(records: Records) -> None:
    """Logged afterwards, a call that hangs in its retries looks like one that does nothing."""
    clock = ManualClock()
    refusing = http({"error": {"code": "rate_limited", "message": "slower"}}, "429 Too Many Requests")
    async with answering(refusing) as server, ProducerClient("token", server.base_url, clock=clock) as client:
        submitting = asyncio.ensure_future(client.submit(SONG))
        await asyncio.to_thread(clock.wait_for_sleepers, 1)
        (text,) = records.texts(logging.WARNING)
        assert re.fullmatch(r"/producer/audios failed and is sent again in [12]\.\d s: rate_limited: slower", text)
        submitting.cancel()
        await asyncio.wait([submitting])


async def test_a_long_wait_for_a_place_is_logged_while_it_lasts(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose places are all taken would seem to hang without a reason."""
    monkeypatch.setattr(telemetry, "SECONDS_OF_A_LONG_WAIT", 0.01)
    may_answer = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        writer.write(http({"task_id": "t1"}))

    async with answering(late) as server, ProducerClient("t", server.base_url, max_paid_in_flight=1) as client:
        first = asyncio.ensure_future(client.submit(SONG, key="first"))
        while not server.requests:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(client.submit(SONG, key="second"))
        while not records.texts(logging.WARNING):
            await asyncio.sleep(0.001)
        assert not second.done()
        (text,) = records.texts(logging.WARNING)
        assert text.startswith("generate under the key 'second' has waited")
        assert "1 paid requests" in text
        may_answer.set()
        await asyncio.gather(first, second)


async def test_an_unknown_outcome_is_logged_with_its_key_and_what_to_call(records: Records) -> None:
    """You may have been charged: whoever reads the log must be able to settle it."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        sandbox.listing.answer = "forbidden"
        sandbox.fail_next(Fault.RESET_AFTER_WORK)
        async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=InstantClock()) as client:
            with pytest.raises(SubmissionUnknownError) as caught:
                await client.submit(SONG, key="order-4711")
    (text,) = [text for text in records.texts(logging.WARNING) if "unknown" in text]
    for part in (
        "order-4711",
        "client.settle()",
        "client.adopt('order-4711', task_id)",
        "client.release('order-4711')",
    ):
        assert part in text
        assert part in str(caught.value)
    assert caught.value.key == "order-4711"
    assert "client." not in caught.value.args[0], "a model is only told to stop"
    assert "Do not repeat it" in caught.value.args[0]


async def test_nothing_secret_and_no_words_of_a_song_are_logged(records: Records, tmp_path: Path) -> None:
    """Logs are read by many, and kept for long: no token at any level, and no prompt, lyrics or title from INFO on."""
    request = GenerateCustomMusic(prompt=PROMPT, lyric=LYRIC, title=TITLE)
    with ProducerSandbox(render_seconds=0, silent=True, api_token=TOKEN) as sandbox:
        async with ProducerClient(
            TOKEN, sandbox.base_url, poll_interval=0, ledger=MemoryLedger(), clock=InstantClock()
        ) as client:
            for fault in (Fault.RATE_LIMITED, None):
                if fault:
                    sandbox.fail_next(fault)
                task = await client.submit(request, key=str(fault))
                await client.submit(request, key=str(fault))
            sandbox.fail_next(Fault.ERROR_BEFORE_WORK, endpoint="/producer/tasks")
            await client.get_task(str(task.task_id))
            async with ProducerClient(TOKEN, sandbox.base_url, poll_interval=0) as patient:
                await patient.wait([str(task.task_id)], 50)
                await Downloader(patient, tmp_path).save(str(task.task_id))
            sandbox.listing.answer = "forbidden"
            sandbox.fail_next(Fault.ERROR_AFTER_WORK)
            with pytest.raises(SubmissionUnknownError):
                await client.submit(request, key="lost")
            graph: Any = album_graph(client, download_dir=tmp_path).compile()
            await graph.ainvoke({"wishes": [PROMPT]})
    assert any(TITLE in path.name for path in tmp_path.iterdir()), "the mark is in a file's name"
    assert len(records.texts(logging.INFO)) > 5
    assert len(records.texts(logging.WARNING)) >= 3
    assert len(records.texts(logging.DEBUG)) > 10
    assert TOKEN not in records.whole()
    shown = records.whole(logging.INFO, "producer_tools")
    for mark in (PROMPT, LYRIC, TITLE):
        assert mark not in shown


async def test_a_dead_host_is_logged_at_each_retry(records: Records) -> None:
    """A person who waits for the end of the retries can see what is wrong meanwhile."""
    async with ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()) as client:
        with pytest.raises(ServiceUnreachableError):
            await client.submit(SONG)
    assert len(records.texts(logging.WARNING)) >= 2
    assert all("127.0.0.1" in text for text in records.texts(logging.WARNING))


def test_an_unused_log_costs_microseconds() -> None:
    """Every request runs this code, also if nobody reads the log."""

    def seconds_of_a_request() -> float:
        began = time.thread_time()  # not the wall clock: other processes may take the machine
        for _ in range(200):
            with telemetry.operation("submit", action="generate", key="k"):
                with telemetry.request("POST", "http://x.example/producer/audios", "/producer/audios") as facts:
                    facts.status = 200
            telemetry.finished("t", "complete", 1.0)
        return (time.thread_time() - began) / 200

    assert min(seconds_of_a_request() for _ in range(5)) < 200e-6


async def test_a_log_that_fails_does_not_lose_what_was_paid_for(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    sandbox: ProducerSandbox,
) -> None:
    """The song is charged when it is logged: a full disk under the log would lose its task id."""

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(f"no space for {record.levelname}")

    log = logging.getLogger("producer_tools")
    monkeypatch.setattr(log, "handlers", [Full()])
    caplog.set_level(logging.DEBUG, "producer_tools")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
        task = await client.submit(SONG)
        assert (await client.wait(task, 50)).tasks[0].state == "complete"
    assert len(sandbox.charges) == 1
    assert "no space for INFO" in capsys.readouterr().err, "the operator sees that the log fails"


async def test_a_record_is_one_line_and_names_where_it_was_made(records: Records) -> None:
    """Whoever chooses a key, or the service that names a code, could add lines to the log that look true."""
    refused = {"error": {"code": "rate_limited\nPAID", "message": "slower\nPAID"}, "trace_id": "t\nPAID"}
    async with answering(http(refused, "429 Too Many Requests")) as server:
        async with ProducerClient("token", server.base_url, clock=InstantClock()) as client:
            with pytest.raises(RateLimitError) as caught:
                await client.submit(SONG, key="order\nPAID")
    assert "\n" not in str(caught.value)
    assert records.texts(logging.WARNING)
    assert all("\n" not in record.getMessage() for record in records.all if record.name == "producer_tools")
    assert {record.filename for record in records.all if record.name == "producer_tools"} == {"telemetry.py"}


@pytest.mark.parametrize("log", [telemetry.logger.warning, telemetry.logger.exception])
def test_a_record_names_the_line_that_logs(log: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Every record would seem to come from one line of the package."""
    log("something")
    (record,) = [record for record in caplog.records if record.getMessage() == "something"]
    assert record.pathname == __file__
