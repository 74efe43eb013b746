"""Faults on purpose as an HTTP client sees them: what it reads, what is charged, and which request is affected."""

import asyncio
import http.client
import json
import select
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from producer_tools.sandbox import Fault, ProducerSandbox, fault_responses
from producer_tools.sandbox.__main__ import main
from tests.sandbox.calls import SONG_SECONDS, serving

LYRICS = "/producer/lyrics"
RAIN = {"prompt": "rain"}
RESETS = {Fault.RESET_BEFORE_WORK, Fault.RESET_AFTER_WORK, Fault.RESET_IN_ANSWER}
SILENCES = {Fault.SILENCE_BEFORE_WORK, Fault.SILENCE_AFTER_WORK}


@pytest.fixture
def sandbox() -> Iterator[ProducerSandbox]:
    with ProducerSandbox(render_seconds=0) as running:
        yield running


def ask(sandbox: ProducerSandbox, path: str = LYRICS, body: object = None) -> tuple[int, bytes]:
    """Send one request on a new connection; returns the status and the body of the answer.

    Raises:
        TimeoutError: A fault is carried out whose silence has begun.
    """
    silences, charges = silences_of(sandbox), len(sandbox.charges)
    with closing(connected(sandbox)) as connection:
        send(connection, sandbox, path, body)
        while not is_readable(connection):
            if len(new := silences_of(sandbox)[len(silences) :]) and len(sandbox.charges) - charges == new[0].does_work:
                raise TimeoutError
        with connection.getresponse() as response:
            assert response.headers["X-Producer-Sandbox"] == "not-the-service"
            return response.status, response.read()


def silences_of(sandbox: ProducerSandbox) -> list[Fault]:
    return [fault for fault in sandbox.faults if fault in SILENCES]


def is_readable(connection: http.client.HTTPConnection, timeout: float = 0.02) -> bool:
    return bool(select.select([connection.sock], [], [], timeout)[0])


def connected(sandbox: ProducerSandbox) -> http.client.HTTPConnection:
    address = urlsplit(sandbox.base_url)
    return http.client.HTTPConnection(str(address.hostname), address.port, timeout=50)


def send(
    connection: http.client.HTTPConnection, sandbox: ProducerSandbox, path: str = LYRICS, body: object = None
) -> None:
    connection.request("POST", path, json.dumps(body or RAIN), {"Authorization": f"Bearer {sandbox.api_token}"})


def post(connection: http.client.HTTPConnection, sandbox: ProducerSandbox) -> http.client.HTTPResponse:
    send(connection, sandbox)
    return connection.getresponse()


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.BACKWARDS], ids=lambda f: f.name)
def test_a_fault_charges_what_it_says_and_affects_one_request(fault: Fault, sandbox: ProducerSandbox) -> None:
    """Tests of clients rely on `charges` and `does_work`: they must agree, and the next request must succeed."""
    sandbox.fail_next(fault)
    try:
        ask(sandbox)
    except OSError:
        assert fault in RESETS | SILENCES
    assert len(sandbox.charges) == fault.does_work
    assert sandbox.faults == (fault,)
    assert json.loads(ask(sandbox)[1])["success"] is True
    assert [charge.request for charge in sandbox.charges] == [RAIN] * (fault.does_work + 1)


@pytest.mark.parametrize("fault", RESETS, ids=lambda fault: fault.name)
def test_a_reset_fault_resets_the_connection(fault: Fault, sandbox: ProducerSandbox) -> None:
    """A client could take a normal end of the connection for the end of the answer."""
    sandbox.fail_next(fault)
    with pytest.raises(ConnectionResetError):
        ask(sandbox)


@pytest.mark.parametrize("fault", SILENCES, ids=lambda fault: fault.name)
def test_a_silent_fault_lasts_until_the_client_times_out(fault: Fault, sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(fault)
    with closing(connected(sandbox)) as connection:
        send(connection, sandbox)
        while not sandbox.faults:
            time.sleep(0.001)
        assert not is_readable(connection, 0.1)


STATUSES = [
    (Fault.RATE_LIMITED, 429, "too_many_requests"),
    (Fault.ERROR_BEFORE_WORK, 500, "api_error"),
    (Fault.ERROR_AFTER_WORK, 500, "api_error"),
    (Fault.TIMEOUT_AFTER_WORK, 504, "timeout"),
]


@pytest.mark.parametrize(("fault", "status", "code"), STATUSES)
def test_error_faults_have_the_apis_form(fault: Fault, status: int, code: str, sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(fault)
    answered, body = ask(sandbox)
    assert (answered, json.loads(body)["error"]["code"]) == (status, code)


def test_each_faulty_body_is_what_its_name_says(sandbox: ProducerSandbox) -> None:
    """A client can handle one kind of faulty body and fail on another."""
    read: dict[Fault, tuple[int, bytes]] = {}
    for fault in (Fault.GATEWAY_AFTER_WORK, Fault.HTML, Fault.EMPTY, Fault.LIST, Fault.OTHER_OBJECT, Fault.CUT_OFF):
        sandbox.fail_next(fault)
        read[fault] = ask(sandbox)
    assert [status for status, _ in read.values()] == [502, 200, 200, 200, 200, 200]
    bodies = {fault: body for fault, (_, body) in read.items()}
    assert bodies[Fault.GATEWAY_AFTER_WORK].startswith(b"<html>")
    assert bodies[Fault.HTML].startswith(b"<html>")
    assert bodies[Fault.EMPTY] == b""
    assert json.loads(bodies[Fault.LIST])[0]["task_id"]
    assert "task_id" not in json.loads(bodies[Fault.OTHER_OBJECT])
    assert bodies[Fault.CUT_OFF].startswith(b"{")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(bodies[Fault.CUT_OFF])


def test_the_huge_fault_sends_fifty_mebibytes(sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(Fault.HUGE)
    _, body = ask(sandbox)
    assert len(body) > 50 * 2**20 - 100
    assert body.startswith(b'["xxx')


def test_a_slow_answer_is_correct_and_arrives_in_parts(
    sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_read = threading.Event()

    async def pause(seconds: float) -> None:
        assert seconds > 0
        while not is_read.is_set():
            await asyncio.sleep(0.001)

    monkeypatch.setattr(fault_responses, "asyncio", SimpleNamespace(sleep=pause))
    sandbox.fail_next(Fault.SLOW)
    with closing(connected(sandbox)) as connection, post(connection, sandbox) as response:
        first = response.read1()
        is_read.set()
        rest = response.read()
    assert first
    assert rest
    assert json.loads(first + rest)["task_id"] == sandbox.charges[0].task_id


def test_a_backwards_fault_shows_a_finished_task_as_unfinished_once() -> None:
    with serving() as api:
        task_id = api.submit("generate", prompt="a song")
        api.clock.advance(SONG_SECONDS)
        finished = api.look_up(task_id)
        api.sandbox.fail_next(Fault.BACKWARDS)
        assert api.submit("generate", prompt="another"), "only a look-up can have this fault"
        earlier = api.look_up(task_id)
        assert (earlier["finished_at"], earlier["response"]["data"][0]["state"]) == (None, "processing")
        assert api.look_up(task_id) == finished


def test_a_fault_for_an_endpoint_waits_for_a_request_to_it(sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(Fault.EMPTY, endpoint="/producer/upload")
    sandbox.fail_next("forbidden", endpoint="/producer/upload")
    assert ask(sandbox)[1]
    upload = {"audio_url": "https://audio.example/a.mp3"}
    assert ask(sandbox, "/producer/upload", upload) == (200, b"")
    assert ask(sandbox, "/producer/upload", upload)[0] == 403
    assert ask(sandbox, "/producer/upload", upload)[0] == 200


def test_an_invalid_request_is_refused_in_spite_of_a_fault(sandbox: ProducerSandbox) -> None:
    """A fault must not turn an invalid request into a charge."""
    sandbox.fail_next(Fault.EMPTY)
    assert ask(sandbox, body={"prompt": 7})[0] == 400
    assert sandbox.charges == ()


def faults_and_charges(seed: int | None, requests: int = 30) -> tuple[tuple[Fault, ...], list[str]]:
    with ProducerSandbox(render_seconds=0, fault_rate=0.5, seed=seed) as sandbox:
        for _ in range(requests):
            with suppress(OSError):
                ask(sandbox)
        return sandbox.faults, [charge.task_id for charge in sandbox.charges]


def test_the_seed_decides_the_random_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a run that found a bug could not be repeated."""
    monkeypatch.setattr(fault_responses, "_SLOW_PAUSE_SECONDS", 0.001)
    first, second = faults_and_charges(7), faults_and_charges(7)
    assert first == second
    assert faults_and_charges(8) != first
    assert 7 <= len(first[0]) <= 23
    assert Fault.BACKWARDS not in first[0], "no look-up was sent"


def test_without_a_fault_rate_no_request_fails(sandbox: ProducerSandbox) -> None:
    assert [ask(sandbox)[0] for _ in range(20)] == [200] * 20
    assert sandbox.faults == ()


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_fault_rate_outside_0_to_1_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="fault_rate must be between 0 and 1"):
        ProducerSandbox(fault_rate=rate)


def test_a_fault_for_an_unknown_endpoint_is_refused() -> None:
    """A fault for a misspelt path would never happen, and the test that planned it would prove nothing."""
    with pytest.raises(ValueError, match="endpoint must be one of /producer/audios"):
        ProducerSandbox().fail_next(Fault.HTML, endpoint="/producer/audio")


def test_the_program_has_options_for_the_fault_rate_and_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise clients in other languages could not be tested with faults."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=r"fault_rate must be between 0 and 1, not 2\.0"):
        main(["--port", "0", "--seed", "7", "--fault-rate", "2"])


def test_closing_the_sandbox_ends_a_silent_fault() -> None:
    """Otherwise a test that fails during the silence would hang at its end."""
    sandbox = ProducerSandbox()
    sandbox.start()
    sandbox.fail_next(Fault.SILENCE_AFTER_WORK)
    with closing(connected(sandbox)) as connection, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(post, connection, sandbox)
        while not sandbox.charges:
            time.sleep(0.01)
        sandbox.close()
        with pytest.raises(ConnectionError):
            answer.result()


def test_the_text_of_a_fault_says_whether_the_work_is_done() -> None:
    """The text is the documentation of the fault, so it must agree with `does_work`."""
    texts: dict[Fault, Any] = {fault: fault.value for fault in Fault if fault is not Fault.BACKWARDS}
    assert {fault: text.endswith("the work is done") for fault, text in texts.items()} == {
        fault: fault.does_work for fault in texts
    }
    assert {fault: text.endswith("no work") for fault, text in texts.items()} == {
        fault: not fault.does_work for fault in texts
    }
