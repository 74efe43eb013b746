"""Starting and stopping: in a thread, in an event loop, as a program; nothing stays open."""

import asyncio
import gc
import http.client
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from producer_tools.sandbox import ProducerSandbox
from producer_tools.sandbox.__main__ import main
from tests.clocks import ManualClock
from tests.sandbox.calls import Api, send, serving


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Each test must leave no thread and no open file. What an earlier test has left may end meanwhile."""
    threads, files = running_threads(), open_files()
    yield
    assert running_threads() - threads == set()
    assert open_files() - files == set()


@pytest.fixture(autouse=True, scope="module")
def _no_unclosed_resources() -> Iterator[None]:
    """Collecting an unclosed resource gives a warning, which pytest turns into an error."""
    yield
    gc.collect()


def running_threads() -> set[threading.Thread]:
    """All threads but those for blocking calls, which start when first needed and stay for the whole process."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("producer-tools_")}


def open_files() -> set[tuple[str, str]]:
    """The number of each file descriptor, and what it belongs to."""
    folder, files = Path("/proc/self/fd"), set()
    for descriptor in folder.iterdir() if folder.exists() else ():
        with suppress(FileNotFoundError):  # that of the folder, and what another thread has just closed
            if (target := str(descriptor.readlink())) != str(folder.resolve()):
                files.add((descriptor.name, target))
    return files


def answers(sandbox: ProducerSandbox) -> bool:
    return Api(sandbox, ManualClock()).post("/producer/lyrics", {"prompt": "rain"}).status == 200


def refuses_connections(sandbox: ProducerSandbox) -> bool:
    """Whether the sandbox no longer listens. Another program may have got its port, but does not know its token."""
    try:
        return send(f"{sandbox.base_url}/producer/lyrics", b"{}", authorization(sandbox)).status == 401
    except (OSError, http.client.HTTPException) as error:
        return not isinstance(getattr(error, "reason", error), TimeoutError)


def authorization(sandbox: ProducerSandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.api_token}"}


def test_with_starts_and_stops_it() -> None:
    with ProducerSandbox() as sandbox:
        assert answers(sandbox)
    assert refuses_connections(sandbox)


def test_async_with_starts_and_stops_it_and_a_client_may_block_the_loop() -> None:
    async def main() -> None:
        async with ProducerSandbox() as sandbox:
            assert answers(sandbox), "a synchronous call inside the running loop"
            headers = authorization(sandbox)
            async with aiohttp.ClientSession() as session:
                url = f"{sandbox.base_url}/producer/lyrics"
                async with session.post(url, json={"prompt": "rain"}, headers=headers) as response:
                    assert response.status == 200
        assert refuses_connections(sandbox)

    asyncio.run(main())


def test_starting_and_stopping_do_not_block_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        sandbox, loop_went_on = ProducerSandbox(), threading.Event()
        for name in ("start", "close"):
            real = getattr(sandbox, name)
            monkeypatch.setattr(sandbox, name, lambda real=real: loop_went_on.wait(50) and real())
        for step in (sandbox.__aenter__, lambda: sandbox.__aexit__(None, None, None)):
            loop_went_on.clear()
            asyncio.get_running_loop().call_later(0.01, loop_went_on.set)
            await step()
            assert loop_went_on.is_set()

    asyncio.run(main())


def test_a_cancelled_start_leaves_nothing_running() -> None:
    async def main() -> None:
        sandbox = ProducerSandbox()
        starting = asyncio.create_task(sandbox.__aenter__())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert repr(sandbox).endswith("not running>")

    asyncio.run(main())


def test_start_and_close_without_a_context() -> None:
    sandbox = ProducerSandbox()
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = sandbox.base_url
    sandbox.start()
    try:
        with pytest.raises(RuntimeError, match="running already"):
            sandbox.start()
        assert answers(sandbox)
    finally:
        sandbox.close()
        sandbox.close()
    assert refuses_connections(sandbox)


def test_a_restarted_sandbox_still_has_its_tasks() -> None:
    sandbox = ProducerSandbox(render_seconds=0)
    api = Api(sandbox, ManualClock())
    with sandbox:
        task_id = api.submit("generate", prompt="rain")
    with sandbox:
        url = api.look_up(task_id)["response"]["data"][0]["image_url"]
        assert send(url).status == 200


def test_it_stops_while_a_client_keeps_its_connection_open() -> None:
    with ProducerSandbox() as sandbox:
        client = http.client.HTTPConnection(urlsplit(sandbox.base_url).netloc)
        client.request("GET", "/")
        client.getresponse().read()
    assert refuses_connections(sandbox)
    client.close()


def test_it_stops_while_a_submit_waits_and_cuts_it_off() -> None:
    with serving() as api, closing(raw_submit(api)) as client:
        api.clock.wait_for_sleepers(1)
        api.sandbox.close()
        assert client.recv(1000) == b""


def raw_submit(api: Api) -> socket.socket:
    """Send a synchronous submit; returns the connection, from which nothing has been read."""
    body = b'{"action": "generate", "prompt": "rain"}'
    client = socket.create_connection(("127.0.0.1", urlsplit(api.sandbox.base_url).port or 0), timeout=10)
    head = f"POST /producer/audios HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.sandbox.api_token}\r\n"
    client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return client


def test_it_stops_while_a_callback_waits() -> None:
    with serving() as api:
        body = {"action": "generate", "prompt": "rain", "callback_url": "http://127.0.0.1:9/"}
        assert api.post("/producer/audios", body).status == 200
        api.clock.wait_for_sleepers(1)


def test_a_port_in_use_is_named_in_the_error() -> None:
    with ProducerSandbox() as first:
        port = urlsplit(first.base_url).port
        second = ProducerSandbox(port=port or 0)
        with pytest.raises(OSError, match=f"cannot listen on port {port} of 127.0.0.1: Address already in use"):
            second.start()
        assert answers(first)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("render_seconds", -1),
        ("render_seconds", float("nan")),
        ("vocabulary", "words"),
        ("api_token", " "),
        ("balance", -1),
        ("max_unfinished", 0),
        ("port", 70000),
    ],
)
def test_an_argument_out_of_range_is_named(argument: str, value: object) -> None:
    options: dict[str, Any] = {argument: value}
    with pytest.raises(ValueError, match=argument):
        ProducerSandbox(**options)


def test_it_logs_once_what_it_is_without_its_token(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "producer_tools.sandbox")
    with ProducerSandbox() as sandbox:
        answers(sandbox)
        assert "not the service" in repr(sandbox)
        assert sandbox.base_url in repr(sandbox)
        assert sandbox.api_token not in repr(sandbox)
    (line,) = [record.message for record in caplog.records if record.name == "producer_tools.sandbox"]
    assert "not the service" in line
    assert sandbox.api_token not in line
    assert capsys.readouterr() == ("", "")


class TestProgram:
    @pytest.mark.parametrize(
        ("variable", "options", "expected"),
        [("of-variable", [], "of-variable"), ("of-variable", ["--api-token", "given"], "given"), ("", [], None)],
    )
    def test_its_token_can_come_from_the_environment(
        self,
        variable: str,
        options: list[str],
        expected: str | None,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Every user of the machine can see a command line, and a token on it. The help does not show it either."""
        monkeypatch.setenv("PRODUCER_SANDBOX_API_TOKEN", variable)
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        stopped_at_once = SimpleNamespace(set=lambda: None, wait=lambda: True)
        monkeypatch.setattr("producer_tools.sandbox.__main__.threading", SimpleNamespace(Event=lambda: stopped_at_once))
        main(["--port", "0", *options])
        token = capsys.readouterr().out.rpartition("- token ")[2].strip()
        assert token == expected or (expected is None and len(token) > 10)
        with pytest.raises(SystemExit):
            main(["--help"])
        shown = capsys.readouterr().out
        assert "PRODUCER_SANDBOX_API_TOKEN" in shown
        assert "of-variable" not in shown

    def test_it_stops_at_ctrl_c(self, monkeypatch: pytest.MonkeyPatch) -> None:
        handlers: dict[int, Callable[[int, object], None]] = {}
        monkeypatch.setattr(signal, "signal", handlers.__setitem__)
        program = threading.Thread(target=main, args=(["--port", "0"],))
        program.start()
        while signal.SIGINT not in handlers:
            time.sleep(0.001)
        handlers[signal.SIGINT](signal.SIGINT, None)
        program.join(50)
        assert not program.is_alive()

    def test_it_prints_its_address_serves_and_stops_at_a_signal(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "producer_tools.sandbox", "--port", "0", "--balance", "1"]
        command += ["--api-token", "chosen", "--vocabulary", "state", "--render-seconds", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            try:
                assert program.stdout is not None
                line = program.stdout.readline()
                assert line.startswith("ProducerSandbox (a local stand-in, not the service) on http://127.0.0.1:")
                assert line.endswith("- token chosen\n")
                url, headers = f"{line.split()[8]}/producer/audios", {"Authorization": "Bearer chosen"}
                body = b'{"action": "generate", "prompt": "rain"}'
                assert send(url, body, headers).json["success"] is True
                assert send(url, body, headers).refusal == (403, "used_up")
                program.send_signal(signal.SIGTERM)
                assert program.communicate(timeout=50) == ("", "")
                assert program.returncode == 0
            finally:
                program.kill()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--port", "USED"], "cannot listen on port"),
            (["--balance", "-1"], "balance must be zero or more"),
            (["--audio-format", "m4a"], "audio_format='m4a' needs the extra sound: pip install"),
        ],
    )
    def test_a_failed_start_is_one_line_on_stderr_and_exit_code_1(
        self, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
    ) -> None:
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        monkeypatch.setitem(sys.modules, "av", None)  # the extra is not installed
        with ProducerSandbox() as sandbox:
            port = str(urlsplit(sandbox.base_url).port)
            with pytest.raises(SystemExit) as stopped:
                main([port if option == "USED" else option for option in options])
        assert isinstance(stopped.value.code, str), "printed on stderr, with exit code 1"
        assert stopped.value.code.startswith(f"producer-sandbox: {message}")
        assert "\n" not in stopped.value.code
