"""Each way of running the tools works, the process ends, and no session, loop or thread is left open.

Each script runs in a process of its own in which every warning is an error, so whatever is left open is reported on
standard error, which must stay empty.
"""

import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.concurrency.warm_python import WarmPython

PREAMBLE = """
import asyncio, copy, json, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from producer_tools import *
toolkit = ProducerToolkit(client=ProducerClient(poll_interval=0))
tool = {tool.name: tool for tool in toolkit.get_tools()}["producer_generate_music"]
song = {"prompt": "a song", "async": False}
def check(content): assert json.loads(content)["state"] == "complete", content
async def make_song(): check(await tool.ainvoke(song))
def impatient():
    from producer_tools.concurrency import sync, to_the_end
    from producer_tools.http import transport
    from producer_tools.payment import outcomes, sending, submit
    sending.GRACE_SECONDS = outcomes.GRACE_SECONDS = 0.1
    sync.SECONDS_TO_FINISH = submit.SECONDS_TO_FINISH = to_the_end.SECONDS_TO_FINISH = transport.SECONDS_TO_FINISH = 0.1
    sending._LEASE_SECONDS = 0.2
    import logging
    logging.disable(logging.WARNING)  # a submit that goes on without its caller and fails is logged
"""

SCRIPTS = {
    "one loop": "asyncio.run(make_song())",
    "one loop, closed explicitly": """
        async def main():
            async with toolkit:
                await make_song()
            await make_song()  # a later call opens a new session
        asyncio.run(main())
    """,
    "several loops one after another": "for _ in range(3): asyncio.run(make_song())",
    "several loops at once in threads": """
        threads = [threading.Thread(target=lambda: asyncio.run(make_song())) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    "sync calls from 32 threads": """
        with ThreadPoolExecutor(32) as pool:
            for content in pool.map(lambda _: tool.invoke(song), range(64)): check(content)
    """,
    "a sync call, closed explicitly": """
        with toolkit: check(tool.invoke(song))
        check(tool.invoke(song))
    """,
    "a sync call inside a running loop": """
        async def notebook():
            check(tool.invoke(song))
            await make_song()
            toolkit.close()
        asyncio.run(notebook())
    """,
    "sync and async mixed": "asyncio.run(make_song()); check(tool.invoke(song)); asyncio.run(make_song())",
    "a hook that exits": """
        async def leave(): sys.exit("enough")
        careful = type(tool)(client=toolkit.client, before_submit=leave)
        try: careful.invoke(song)
        except SystemExit as exit: assert exit.code == "enough", exit.code
        else: raise AssertionError("the exit was lost")
        check(tool.invoke(song))
    """,
    "a task that ends the background loop": """
        from producer_tools.concurrency.sync import run_sync
        async def leave(): sys.exit("enough")
        try: run_sync(lambda: asyncio.create_task(leave()))
        except BaseException: pass
        for thread in threading.enumerate():
            if thread.daemon: thread.join()
        check(tool.invoke(song))
    """,
    "a cancelled call": """
        async def main():
            call = asyncio.create_task(tool.ainvoke(song))
            while not toolkit.client.paid_in_flight: await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            call.cancel()
            try: await call
            except asyncio.CancelledError: pass
            await make_song()
            while toolkit.client.paid_in_flight: await asyncio.sleep(0)  # the cancelled one has gone on
        asyncio.run(main())
    """,
    "copies share the client": """
        for copied in (copy.deepcopy(tool), tool.model_copy(), tool.model_copy(deep=True), copy.copy(tool)):
            assert copied.client is tool.client
            check(copied.invoke(song))
        assert copy.deepcopy(toolkit).client is toolkit.client
    """,
    "a call in progress when the process ends": """
        impatient()
        check(tool.invoke(song))  # a process's first call imports modules, which must not meet the end of the process
        import socket
        silent = socket.create_server(("127.0.0.1", 0))
        tool = ProducerGenerateMusic(client=ProducerClient(base_url="http://127.0.0.1:%d" % silent.getsockname()[1]))
        def call():
            try: tool.invoke(song)
            except BaseException: pass
        threading.Thread(target=call, daemon=True).start()
        connection, _ = silent.accept()
        connection.recv(1)  # the request is sent
        connection.detach(), silent.detach()  # the system closes them with the process
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
    "a child that is forked during calls": """
        impatient()
        import multiprocessing
        from producer_tools.requests import GenerateMusic
        ledger = MemoryLedger()
        client = ProducerClient(base_url=os.environ["SILENT_URL"], lookup_timeout=0.1, ledger=ledger)
        request = GenerateMusic(prompt="a song")
        def call(number):
            try: client.submit_sync(request, key="key 0" if number < 2 else None)
            except BaseException: pass
        def start(numbers):
            for number in numbers: threading.Thread(target=call, args=(number,), daemon=True).start()
        start(range(2))
        while not asyncio.run(ledger.entries()): time.sleep(0.01)  # the child must know that the parent has key 0
        start(range(2, 12))
        while client.paid_in_flight < 5: time.sleep(0.01)
        async def send_in_child():
            try: await client.submit(request, key="key 0")
            except SubmissionUnknownError: pass  # the parent has sent it
            calls = [asyncio.create_task(client.submit(request)) for _ in range(5)]
            while client.paid_in_flight < 5: await asyncio.sleep(0.01)
            for each in calls: each.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await client.aclose()
        def in_child():
            assert client.paid_in_flight == 0
            asyncio.run(asyncio.wait_for(send_in_child(), 40))
        child = multiprocessing.get_context("fork").Process(target=in_child)
        child.start()
        child.join(50)
        assert child.exitcode == 0, child.exitcode
    """,
    "children that are forked while a file's ledger is written": """
        import multiprocessing, tempfile
        from producer_tools.requests import GenerateMusic
        with tempfile.TemporaryDirectory() as directory:
            client = ProducerClient(ledger=directory + "/songs.sqlite")
            def submit(): client.submit_sync(GenerateMusic(prompt="a song"))
            submit()
            threads = [threading.Thread(target=submit) for _ in range(8)]
            for thread in threads: thread.start()
            children = [multiprocessing.get_context("fork").Process(target=submit) for _ in range(4)]
            for child in children: child.start()
            for each in threads + children: each.join(50)
            codes = [child.exitcode for child in children]
            for child in children: child.kill()
            assert codes == [0, 0, 0, 0], codes
            client.close()
    """,
    "downloads in several loops": """
        import tempfile
        task_id = json.loads(tool.invoke(song))["task_id"]
        def save(invoke, directory):
            download = ProducerDownloadResults(client=tool.client, directory=directory)
            content = invoke(download, {"task_id": task_id})
            assert json.loads(content)["success"], content
        def sync(tool, arguments): return tool.invoke(arguments)
        def own_loop(tool, arguments): return asyncio.run(tool.ainvoke(arguments))
        with tempfile.TemporaryDirectory() as directory:
            save(sync, directory + "/1")
            save(own_loop, directory + "/2")
            toolkit.close()
            save(own_loop, directory + "/3")
            save(sync, directory + "/4")
    """,
    "a loop that does not shut down its async generators": """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(make_song())
        loop.run_until_complete(toolkit.aclose())
        loop.close()
    """,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ProducerSandbox]:
    with ProducerSandbox(render_seconds=0, silent=True) as sandbox:
        yield sandbox


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
    ("script", "complaint"),
    [
        ("raise SystemExit(3)", ""),
        ("loop = asyncio.new_event_loop(); loop.run_until_complete(make_song())", "unclosed"),
    ],
)
def test_a_failure_or_an_open_session_is_reported(
    script: str, complaint: str, server: ProducerSandbox, python: WarmPython, tmp_path: Path
) -> None:
    """Without it, the scripts above would pass whatever they leave open."""
    environment = {"ACEDATACLOUD_API_TOKEN": server.api_token, "ACEDATACLOUD_API_BASE_URL": server.base_url}
    ended = python.run(PREAMBLE + script, environment, tmp_path)
    assert ended != (0, "")
    assert complaint in ended.stderr
