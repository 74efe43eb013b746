"""``producer-doctor`` and `diagnose`: each fault of a setup is named, what is not known is said, nothing is spent."""

import asyncio
import io
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ProducerClient
from producer_tools.doctor import CheckResult, diagnose, diagnose_sync
from producer_tools.doctor import __main__ as program
from producer_tools.doctor.__main__ import main
from producer_tools.doctor.ledger import main as ledger_main
from producer_tools.http.transport import PublicAnswer, Transport
from producer_tools.sandbox import ProducerSandbox
from producer_tools.telemetry import logger
from tests.clocks import InstantClock
from tests.doctor.ledger_file import entry, write
from tests.raw_server import RESET, Reply, answering, http

TOKEN = "sk-client-4f9c1e7a55"
ERROR = {"code": "no_api", "message": "there is no such API"}
Printed = pytest.CaptureFixture[str]


async def found(client: ProducerClient, **options: Any) -> dict[str, CheckResult]:
    """The results by the names of their checks."""
    results = await diagnose(client, **options)
    return {each.check: each for each in results}


async def test_a_setup_that_works_is_good(client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path) -> None:
    ledger = await asyncio.to_thread(write, tmp_path / "songs.sqlite", [entry("order-1", answer={"task_id": "t1"})])
    checks = await found(client, ledger=ledger, directory=tmp_path / "songs")
    assert {each.state for each in checks.values()} == {"good"}
    assert set(checks) == {
        "producer-tools", "Python", "langchain-core", "langgraph", "aiohttp", "extras",
        "base URL", "token", "listed stage", "listed price", "ledger", "directory",
    }  # fmt: skip
    assert checks["listed stage"].text == "Production"
    assert '"generate": 0.8' in checks["listed price"].text
    assert sandbox.charges == ()
    assert not (tmp_path / "songs").exists()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (http({"error": ERROR}, "404 Not Found"), "has no Producer API"),
        (http(b"<html>", "404 Not Found", "text/html"), "HTML"),
        (http(b"<html>", content_type="text/html"), "HTML"),
        (http(b"<html>", "502 Bad Gateway", "text/html"), "HTML"),
        (http(b"", "301 Moved\r\nLocation: https://user:pw@example.com/api"), "redirects to https://example.com/api"),
        (http({"error": {"code": "api_error"}}, "500 Internal Server Error"), "fails (HTTP 500)"),
        (http({"hello": "world"}), "other JSON than the API"),
        (http({"hello": "world"}, "403 Forbidden"), "other JSON than the API"),
        (http(b" " * 5_000_000), "far more"),
        (RESET, "breaks the connection"),
    ],
)
async def test_a_base_url_that_is_not_the_service_gets_no_token(reply: Reply, message: str) -> None:
    """A typing error in the base URL must not hand the token to whoever answers there."""
    async with answering(reply) as server, ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
        checks = await found(client)
    assert checks["base URL"].state == "bad"
    assert message in checks["base URL"].text
    assert "pw" not in checks["base URL"].text
    assert checks["token"].state == "not known"
    assert checks["listed price"].state == "not known"
    assert not any(TOKEN.encode() in request for request in server.requests)


@pytest.mark.parametrize("program_main", [main, ledger_main])
def test_repeated_requests_do_not_fill_the_terminal(
    program_main: Any,
    sandbox: ProducerSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a log handler, Python prints each warning: ten lines on one service that does not answer."""
    place = write(tmp_path / "songs.sqlite", [entry("order-1")])
    post = Transport.post

    async def warning(self: Transport, *args: Any, **options: Any) -> Any:
        logger.warning("The request failed and is sent again.")
        return await post(self, *args, **options)

    monkeypatch.setattr(Transport, "post", warning)
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)
    program_main([place, "settle"] if program_main is ledger_main else ["--directory", str(tmp_path)])
    assert not [record for record in caplog.records if record.name == logger.name]
    logger.warning("The application's log goes on.")
    assert "The application's log goes on." in caplog.messages


async def test_a_base_url_that_nothing_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProducerClient(TOKEN, "http://127.0.0.1:9", clock=InstantClock()) as client:
        assert "accepts no connection" in (await found(client))["base URL"].text

    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    async with ProducerClient(TOKEN, "http://api.example", clock=InstantClock()) as client:
        assert "DNS knows no such host" in (await found(client))["base URL"].text


async def test_a_server_without_tls_under_https_is_told() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ProducerClient(TOKEN, base_url, clock=InstantClock()) as client:
        assert "TLS" in (await found(client))["base URL"].text


@pytest.mark.parametrize(
    ("code", "state", "message"),
    [
        ("invalid_token", "bad", "It is not accepted"),
        ("used_up", "bad", "It is accepted, but"),
        ("disabled", "bad", "It is accepted, but"),
        ("bad_request", "not known", "bad_request"),
        ("api_error", "not known", "api_error"),
    ],
)
async def test_what_the_service_says_to_the_token(code: str, state: str, message: str) -> None:
    """The first request has no token, and the second one has."""
    refused = http({"error": {"code": code, "message": f"refused: {TOKEN}"}}, "400 Bad Request")
    no_token = http({"error": {"code": "no_token", "message": "none"}}, "400 Bad Request")
    async with (
        answering(no_token, refused) as server,
        ProducerClient(TOKEN, server.base_url, platform_base_url="http://127.0.0.1:1", clock=InstantClock()) as client,
    ):
        token = (await found(client))["token"]
    assert token.state == state
    assert message in token.text
    assert TOKEN not in token.text
    assert TOKEN.encode() in server.requests[1]


async def test_a_wrong_token_and_none(sandbox: ProducerSandbox, tmp_path: Path) -> None:
    for given, message in (("another", "It is not accepted"), (None, "There is none")):
        async with ProducerClient(given, sandbox.base_url) as client:
            token = (await found(client, directory=tmp_path))["token"]
        assert token.state == "bad"
        assert message in token.text


@pytest.mark.parametrize(
    ("answer", "state", "message"),
    [
        ("other_shape", "good", "Credits: {"),
        ("empty", "not known", "/producer/audios: not listed"),
        ("no_api", "not known", "HTTP 404"),
    ],
)
async def test_a_price_of_another_shape_is_shown_and_a_missing_one_is_not_known(
    answer: Any, state: str, message: str, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    sandbox.price_list.answer = answer
    price = (await found(client))["listed price"]
    assert price.state == state
    assert message in price.text


async def found_with_list(items: object, sandbox: ProducerSandbox) -> dict[str, CheckResult]:
    """The results when the platform lists this."""
    async with (
        answering(http({"items": items})) as platform,
        ProducerClient(sandbox.api_token, sandbox.base_url, platform_base_url=platform.base_url) as client,
    ):
        return await found(client)


@pytest.mark.parametrize("items", [None, "x", [None, {"path": "/producer/audios"}], []])
async def test_a_strange_price_list_is_not_known(items: object, sandbox: ProducerSandbox) -> None:
    checks = await found_with_list(items, sandbox)
    assert {checks["listed price"].state, checks["listed stage"].state} == {"not known"}


async def test_a_price_is_bounded_and_cannot_command_the_terminal(sandbox: ProducerSandbox) -> None:
    item = {"path": "/producer/audios", "stage": "\x1b[2J", "cost": {"a\x1b": "x" * 100_000}}
    checks = await found_with_list([item], sandbox)
    for each in (checks["listed price"], checks["listed stage"]):
        assert "\x1b" not in each.text
        assert len(each.text) <= 300


async def test_the_ledger_and_the_directory(client: ProducerClient, tmp_path: Path) -> None:
    absent, text = tmp_path / "absent.sqlite", tmp_path / "text.sqlite"
    lost = tmp_path / "absent" / "ledger.sqlite"
    text.write_text("no database")
    unknown = await asyncio.to_thread(write, tmp_path / "unknown.sqlite", [entry("order-1")])
    for ledger, state, message in (
        (absent, "not known", "There is no file"),
        (lost, "bad", f"there is no directory {lost.parent}"),  # a paid call would end with a LedgerError
        (text, "bad", "is not a SQLite file"),
        (unknown, "bad", "1 request has an unknown outcome"),
    ):
        checks = await found(client, ledger=str(ledger), directory=text / "songs")
        assert checks["ledger"].state == state
        assert message in checks["ledger"].text
        assert checks["directory"].state == "bad"
    assert not absent.exists()


def test_the_sync_twin(sandbox: ProducerSandbox, tmp_path: Path) -> None:
    with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        results = diagnose_sync(client, directory=tmp_path)
    assert {each.state for each in results} == {"good"}


@pytest.fixture
def instant_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ProducerSandbox]:
    """The sandboxes that the program starts; their songs are finished at once, and silent."""
    made: list[ProducerSandbox] = []

    def sandbox() -> ProducerSandbox:
        made.append(ProducerSandbox(render_seconds=0, silent=True))
        return made[-1]

    monkeypatch.setattr(program, "ProducerSandbox", sandbox)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.usefixtures("instant_sandbox")
def test_the_program_says_what_it_checks_and_fits_a_terminal(capsys: Printed) -> None:
    assert main(["--sandbox"]) == 0
    printed = capsys.readouterr().out
    assert "the SANDBOX at http://127.0.0.1:" in printed
    assert "Bad: 0. Not known: 0." in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_json_without_the_token(sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    """The platform, which needs no token, quotes it."""
    listed = {"items": [{"path": "/producer/audios", "cost": f"for {sandbox.api_token}"}]}
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", sandbox.base_url)

    async def get_public(*_: object) -> PublicAnswer:
        return PublicAnswer(200, json.dumps(listed).encode())

    monkeypatch.setattr(Transport, "get_public", get_public)
    assert main(["--json", "--directory", "/"]) == 0
    printed = capsys.readouterr().out
    assert sandbox.api_token not in printed
    report = json.loads(printed)
    assert (report["sandbox"], report["base_url"]) == (False, sandbox.base_url)
    assert {"check": "listed price", "state": "good", "text": '"for [api token]"'} in report["checks"]


@pytest.mark.parametrize("variable", ["PRODUCER_REQUEST_TIMEOUT", "ACEDATACLOUD_API_BASE_URL"])
def test_a_wrong_variable_is_named(variable: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setenv(variable, "nonsense")
    assert main([]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "charges"), [("yes\n", 1), ("\n", 0), ("", 0)])
def test_a_song_is_made_only_after_a_typed_yes(
    typed: str,
    charges: int,
    instant_sandbox: list[ProducerSandbox],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Printed,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert main(["--sandbox", "--song"]) == 0
    printed = capsys.readouterr()
    assert "an estimated 0.08 USD" in printed.err
    assert len(instant_sandbox[0].charges) == charges
    assert ("is whole audio/wav" in printed.out) == bool(charges)
    assert ("you did not confirm" in " ".join(printed.out.split())) == (not charges)


def test_no_song_is_made_if_something_is_bad(
    instant_sandbox: list[ProducerSandbox], tmp_path: Path, capsys: Printed
) -> None:
    """It would be paid for, and then it could not be saved."""
    (tmp_path / "file").touch()
    assert main(["--sandbox", "--song", "--yes", "--directory", "file"]) == 1
    assert instant_sandbox[0].charges == ()
    assert "It was not made" in capsys.readouterr().out
