"""Sessions, loops and threads: each way of running the tools works, ends, and leaves nothing open.

Each script runs in a process of its own, where whatever is left open is a warning, and every warning an error: nothing
may stand on its standard error.
"""

import pickle
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from producer_tools import ConfigurationError, ProducerClient, ProducerGetTask, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox
from tests.concurrency.warm_python import WarmPython, warm_python
from tests.raw_server import answering, http

PREAMBLE = """
import asyncio, copy, json, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from producer_tools import *
toolkit = ProducerToolkit(client=ProducerClient(poll_interval=0))
tool = {tool.name: tool for tool in toolkit.get_tools()}["producer_generate_music"]
song = {"prompt": "a song", "async": False}
def check(content): assert json.loads(content)["state"] == "complete", content
async def one(): check(await tool.ainvoke(song))
"""

SCRIPTS = {
    "one loop": "asyncio.run(one())",
    "one loop, closed by hand": """
        async def main():
            async with toolkit:
                await one()
            await one()  # a later call opens a new session
        asyncio.run(main())
    """,
    "several loops one after another": "for _ in range(3): asyncio.run(one())",
    "several loops at once in threads": """
        threads = [threading.Thread(target=lambda: asyncio.run(one())) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    "sync calls from 32 threads": """
        with ThreadPoolExecutor(32) as pool:
            for content in pool.map(lambda _: tool.invoke(song), range(64)): check(content)
    """,
    "a sync call, closed by hand": """
        with toolkit: check(tool.invoke(song))
        check(tool.invoke(song))
    """,
    "a sync call inside a running loop": """
        async def notebook():
            check(tool.invoke(song))
            await one()
            toolkit.close()
        asyncio.run(notebook())
    """,
    "sync and async mixed": "asyncio.run(one()); check(tool.invoke(song)); asyncio.run(one())",
    "a cancelled call": """
        async def main():
            slow = asyncio.create_task(tool.ainvoke(song))
            while not toolkit.client.paid_in_flight: await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            slow.cancel()
            try: await slow
            except asyncio.CancelledError: pass
            assert toolkit.client.paid_in_flight == 0
            await one()
        asyncio.run(main())
    """,
    "copies share the client": """
        for copied in (copy.deepcopy(tool), tool.model_copy(), tool.model_copy(deep=True), copy.copy(tool)):
            assert copied.client is tool.client
            check(copied.invoke(song))
        assert copy.deepcopy(toolkit).client is toolkit.client
    """,
    "a call under way when the process ends": """
        tool.client._transport._base_url = os.environ["SILENT_URL"]
        def call():
            try: tool.invoke(song)
            except BaseException: pass
        threading.Thread(target=call, daemon=True).start()
        while not tool.client.paid_in_flight: time.sleep(0.01)
    """,
    "a forked child": """
        import multiprocessing
        check(tool.invoke(song))
        child = multiprocessing.get_context("fork").Process(target=lambda: check(tool.invoke(song)))
        child.start()
        child.join()
        assert child.exitcode == 0
        check(tool.invoke(song))
    """,
    "downloads in several loops": """
        import tempfile
        task_id = json.loads(tool.invoke(song))["task_id"]
        def save(way, directory):
            saver = ProducerDownloadResults(client=tool.client, directory=directory)
            content = way(saver, {"task_id": task_id})
            assert json.loads(content)["success"], content
        with tempfile.TemporaryDirectory() as directory:
            save(lambda saver, call: saver.invoke(call), directory + "/1")
            save(lambda saver, call: asyncio.run(saver.ainvoke(call)), directory + "/2")
            toolkit.close()
            save(lambda saver, call: asyncio.run(saver.ainvoke(call)), directory + "/3")
            save(lambda saver, call: saver.invoke(call), directory + "/4")
    """,
    "a loop that is never closed in order": """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(one())
        loop.run_until_complete(toolkit.aclose())
        loop.close()
    """,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ProducerSandbox]:
    with ProducerSandbox(render_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def python() -> Iterator[WarmPython]:
    with warm_python() as started:
        yield started


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_works_and_leaves_nothing_open(
    script: str, server: ProducerSandbox, python: WarmPython, tmp_path: Path
) -> None:
    if "fork" in script and sys.version_info >= (3, 12):
        script = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + textwrap.dedent(script)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "ACEDATACLOUD_API_TOKEN": server.api_token,
            "ACEDATACLOUD_API_BASE_URL": server.base_url,
            "SILENT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        ended = python.run(PREAMBLE + textwrap.dedent(script), environment, tmp_path)
    assert ended == (0, "")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("raise SystemExit(3)", ""),
        ("loop = asyncio.new_event_loop(); loop.run_until_complete(one())", "unclosed"),
    ],
)
def test_what_is_left_open_is_told(
    script: str, told: str, server: ProducerSandbox, python: WarmPython, tmp_path: Path
) -> None:
    """If this fails, the scripts above could leave anything open, and nobody would know."""
    environment = {"ACEDATACLOUD_API_TOKEN": server.api_token, "ACEDATACLOUD_API_BASE_URL": server.base_url}
    ended = python.run(PREAMBLE + script, environment, tmp_path)
    assert ended != (0, "")
    assert told in ended.stderr


async def test_a_borrowed_session_is_used_and_never_closed() -> None:
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as mine:
        async with answering(http({"id": "t1", "state": "pending"})) as server:
            async with ProducerClient("t", server.base_url, session=mine) as client:
                await client.get_task("t1")
            assert b"X-Mine: 1" in server.requests[0]
        assert not mine.closed


async def test_a_borrowed_session_in_another_loop_is_a_clear_error(sandbox: ProducerSandbox) -> None:
    async with aiohttp.ClientSession() as mine:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, session=mine)
        with pytest.raises(ConfigurationError, match="in the event loop it was made in"):
            ProducerGetTask(client=client).invoke({"task_id": "t"})
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(client)


async def test_one_session_for_all_tools_of_a_loop(toolkit: ProducerToolkit) -> None:
    """A session per tool or per call would open a connection for each, and leave them to the collector."""
    made: list[aiohttp.ClientSession] = []
    init = aiohttp.ClientSession.__init__

    def counted(self: aiohttp.ClientSession, *args: object, **kwargs: object) -> None:
        made.append(self)
        init(self, *args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", counted)
        tools = {tool.name: tool for tool in toolkit.get_tools()}
        await tools["producer_generate_music"].ainvoke({"prompt": "x"})
        await tools["producer_generate_lyrics"].ainvoke({"prompt": "x"})
        await tools["producer_get_task"].ainvoke({"task_id": "x"})
    assert len(made) == 1


def test_a_pickled_client_takes_its_settings_along_and_leaves_the_token_behind() -> None:
    client = ProducerClient("token-to-hide", "http://127.0.0.1:1", request_timeout=7, poll_interval=3)
    pickled = pickle.dumps(client)
    assert b"token-to-hide" not in pickled
    same = pickle.loads(pickled)  # noqa: S301
    assert (same.base_url, same.request_timeout, same.poll_interval) == ("http://127.0.0.1:1", 7, 3)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"base_url": "api.example"}, "base_url must be an http"),
        ({"request_timeout": 0}, "request_timeout must be seconds above 0"),
        ({"poll_interval": -1}, "poll_interval must be seconds, 0 or more"),
        ({"max_paid_in_flight": 0}, "max_paid_in_flight must be 1 or more"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ProducerClient("t", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["soon", "0", "-1", "inf", "nan"])
def test_a_timeout_in_the_environment_that_makes_no_sense(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_REQUEST_TIMEOUT", value)
    with pytest.raises(ConfigurationError, match="PRODUCER_REQUEST_TIMEOUT must be seconds above 0"):
        ProducerClient("t")


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ProducerClient().base_url, ProducerClient().request_timeout) == ("https://api.acedata.cloud", 1800)
    monkeypatch.setenv("PRODUCER_REQUEST_TIMEOUT", "30")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", "http://127.0.0.1:1/")
    assert (ProducerClient().base_url, ProducerClient().request_timeout) == ("http://127.0.0.1:1", 30)
