"""Faults on purpose, as any HTTP client meets them: what it reads, whether it is charged, and which request it is."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from producer_tools.sandbox import Fault, ProducerSandbox
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


def ask(sandbox: ProducerSandbox, path: str = LYRICS, body: object = None, timeout: float = 10) -> tuple[int, bytes]:
    """The status and the body of one answer, on a connection of its own."""
    address = urlsplit(sandbox.base_url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=timeout)) as connection:
        headers = {"Authorization": f"Bearer {sandbox.api_token}"}
        connection.request("POST", path, json.dumps(body or RAIN), headers)
        with connection.getresponse() as response:
            assert response.headers["X-Producer-Sandbox"] == "not-the-service"
            return response.status, response.read()


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.BACKWARDS], ids=lambda f: f.name)
def test_the_truth_about_the_work_is_kept(fault: Fault, sandbox: ProducerSandbox) -> None:
    """A test of a client believes `charges`, and `does_work`: they must agree, and the next request must be whole."""
    sandbox.fail_next(fault)
    try:
        ask(sandbox, timeout=0.2 if fault in SILENCES else 10)
    except OSError:
        assert fault in RESETS | SILENCES
    assert len(sandbox.charges) == fault.does_work
    assert sandbox.faults == (fault,)
    assert json.loads(ask(sandbox)[1])["success"] is True
    assert [charge.request for charge in sandbox.charges] == [RAIN] * (fault.does_work + 1)


@pytest.mark.parametrize("fault", RESETS, ids=lambda fault: fault.name)
def test_a_reset_is_one(fault: Fault, sandbox: ProducerSandbox) -> None:
    """Not an orderly end of the connection, which a client may take for the end of the answer."""
    sandbox.fail_next(fault)
    with pytest.raises(ConnectionResetError):
        ask(sandbox)


@pytest.mark.parametrize("fault", SILENCES, ids=lambda fault: fault.name)
def test_silence_lasts_until_somebody_gives_up(fault: Fault, sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(fault)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(sandbox, timeout=0.3)
    assert time.monotonic() - began >= 0.3


STATUSES = [
    (Fault.RATE_LIMITED, 429, "too_many_requests"),
    (Fault.ERROR_BEFORE_WORK, 500, "api_error"),
    (Fault.ERROR_AFTER_WORK, 500, "api_error"),
    (Fault.TIMEOUT_AFTER_WORK, 504, "timeout"),
]


@pytest.mark.parametrize(("fault", "status", "code"), STATUSES)
def test_refusals_have_the_apis_form(fault: Fault, status: int, code: str, sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(fault)
    answered, body = ask(sandbox)
    assert (answered, json.loads(body)["error"]["code"]) == (status, code)


def test_foreign_bodies(sandbox: ProducerSandbox) -> None:
    """Each is what its name says: a client that is proof against the one may yet fall for another."""
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


def test_fifty_megabytes(sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(Fault.HUGE)
    _, body = ask(sandbox)
    assert len(body) > 50 * 2**20 - 100
    assert body.startswith(b'["xxx')


def test_a_slow_answer_is_the_true_one(sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(Fault.SLOW)
    began = time.monotonic()
    _, body = ask(sandbox)
    assert time.monotonic() - began > 0.15
    assert json.loads(body)["task_id"] == sandbox.charges[0].task_id


def test_a_record_goes_backwards_and_is_complete_again() -> None:
    with serving() as api:
        task_id = api.submit("generate", prompt="a song")
        api.clock.advance(SONG_SECONDS)
        finished = api.look_up(task_id)
        api.sandbox.fail_next(Fault.BACKWARDS)
        assert api.submit("generate", prompt="another"), "only a look-up goes backwards"
        earlier = api.look_up(task_id)
        assert (earlier["finished_at"], earlier["response"]["data"][0]["state"]) == (None, "processing")
        assert api.look_up(task_id) == finished


def test_a_fault_waits_for_its_endpoint(sandbox: ProducerSandbox) -> None:
    sandbox.fail_next(Fault.EMPTY, endpoint="/producer/upload")
    sandbox.fail_next("forbidden", endpoint="/producer/upload")
    assert ask(sandbox)[1]
    upload = {"audio_url": "https://audio.example/a.mp3"}
    assert ask(sandbox, "/producer/upload", upload) == (200, b"")
    assert ask(sandbox, "/producer/upload", upload)[0] == 403
    assert ask(sandbox, "/producer/upload", upload)[0] == 200


def test_a_wrong_request_is_refused_as_ever(sandbox: ProducerSandbox) -> None:
    """A fault does not turn what is refused into work."""
    sandbox.fail_next(Fault.EMPTY)
    assert ask(sandbox, body={"prompt": 7})[0] == 400
    assert sandbox.charges == ()


def met(seed: int | None, requests: int = 60) -> tuple[tuple[Fault, ...], list[str]]:
    with ProducerSandbox(render_seconds=0, fault_rate=0.5, seed=seed) as sandbox:
        for _ in range(requests):
            with suppress(OSError):
                ask(sandbox, timeout=0.05)
        return sandbox.faults, [charge.task_id for charge in sandbox.charges]


def test_faults_by_chance_are_those_of_the_seed() -> None:
    """Else a run that has found something cannot be run again."""
    first, second = met(7), met(7)
    assert first == second
    assert met(8) != first
    assert 15 <= len(first[0]) <= 45
    assert Fault.BACKWARDS not in first[0], "no look-up was made"


def test_without_a_rate_nothing_goes_wrong(sandbox: ProducerSandbox) -> None:
    assert [ask(sandbox)[0] for _ in range(20)] == [200] * 20
    assert sandbox.faults == ()


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_share(rate: float) -> None:
    with pytest.raises(ValueError, match="fault_rate must be between 0 and 1"):
        ProducerSandbox(fault_rate=rate)


def test_an_endpoint_that_the_api_has_not() -> None:
    """A misspelt path would be a fault that never comes, and a test that shows nothing."""
    with pytest.raises(ValueError, match="endpoint must be one of /producer/audios"):
        ProducerSandbox().fail_next(Fault.HTML, endpoint="/producer/audio")


def test_the_program_takes_the_rate_and_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the faults are there for tests in Python only."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=r"fault_rate must be between 0 and 1, not 2\.0"):
        main(["--port", "0", "--seed", "7", "--fault-rate", "2"])


def test_a_sandbox_that_closes_ends_the_silence() -> None:
    """Or a test that has failed would hang at its end."""
    sandbox = ProducerSandbox()
    sandbox.start()
    sandbox.fail_next(Fault.SILENCE_AFTER_WORK)
    address = urlsplit(sandbox.base_url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)) as connection:
        connection.request("POST", LYRICS, json.dumps(RAIN), {"Authorization": f"Bearer {sandbox.api_token}"})
        while not sandbox.faults:
            time.sleep(0.01)
        began = time.monotonic()
        sandbox.close()
        assert time.monotonic() - began < 5


def test_a_fault_says_what_it_does() -> None:
    """Its text is its documentation: it must agree with `does_work`."""
    texts: dict[Fault, Any] = {fault: fault.value for fault in Fault if fault is not Fault.BACKWARDS}
    assert {fault: text.endswith("the work is done") for fault, text in texts.items()} == {
        fault: fault.does_work for fault in texts
    }
    assert {fault: text.endswith("no work") for fault, text in texts.items()} == {
        fault: not fault.does_work for fault in texts
    }
