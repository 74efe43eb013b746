"""A process that ends while submits are under way: what was sent is written down, and nothing more is begun."""

import asyncio
import textwrap
import time
from pathlib import Path

import pytest

from producer_tools import MemoryLedger, ProducerClient, ProducerError, SqliteLedger
from producer_tools.concurrency import sync
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.concurrency.warm_python import WarmPython

CALLS = 8
"""Submits of a process; three of them wait until one of the five that may be in flight has ended."""

PREAMBLE = """
import asyncio, os, signal, sys, threading, time
from producer_tools import *
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic
ledger = SqliteLedger("LEDGER")
client = ProducerClient(ledger=ledger)
def submit(number): return client.submit(GenerateMusic(prompt=f"song {number}"), key=f"key {number}")
def submit_sync(number): client.submit_sync(GenerateMusic(prompt=f"song {number}"), key=f"key {number}")
async def begun():
    while not await ledger.entries(): await asyncio.sleep(0.002)
sent, post = threading.Event(), Transport.post
def noticed(*args, **options):
    sent.set()
    return post(*args, **options)
Transport.post = noticed
def in_daemon_threads(call):
    for number in range(CALLS): threading.Thread(target=quietly, args=(call, number), daemon=True).start()
    asyncio.run(begun())
def quietly(call, number):
    try: call(number)
    except BaseException: pass
def end_at_sigterm():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=lambda: (sent.wait(), os.kill(os.getpid(), signal.SIGTERM))).start()
"""

# A call in the background goes on once it was begun; one in a loop that ends is withdrawn until it is sent.
SCRIPTS = {
    "an exception ends the event loop": """
        async def main():
            calls = [asyncio.create_task(submit(number)) for number in range(CALLS)]
            while not sent.is_set(): await asyncio.sleep(0.002)
            raise LookupError
        try: asyncio.run(main())
        except LookupError: pass
    """,
    "sync calls in daemon threads": "in_daemon_threads(submit_sync)",
    "event loops in daemon threads": "in_daemon_threads(lambda number: asyncio.run(submit(number)))",
    "SIGTERM during a sync call": """
        end_at_sigterm()
        submit_sync(0)
    """,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
async def test_the_next_process_has_the_task_of_each_request_that_was_sent(
    script: str, sandbox: ProducerSandbox, python: WarmPython, tmp_path: Path
) -> None:
    """Songs would be paid for whose ids nobody knows, or an entry would stand for a request that was never sent."""
    for _ in range(CALLS):
        sandbox.fail_next(Fault.SLOW, endpoint=AUDIOS)
    environment = {"ACEDATACLOUD_API_TOKEN": sandbox.api_token, "ACEDATACLOUD_API_BASE_URL": sandbox.base_url}
    path = tmp_path / "ledger.sqlite"
    code = PREAMBLE.replace("LEDGER", str(path)) + textwrap.dedent(script)
    ended = python.run(code.replace("CALLS", str(CALLS)), environment, tmp_path)
    assert ended.returncode == 0, ended.stderr
    charges = {charge.request["prompt"]: charge.task_id for charge in sandbox.charges}
    assert 1 <= len(charges) == len(sandbox.charges) <= CALLS
    sandbox.listing.answer = "forbidden"  # else a task that was not written down would be found
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger(path)) as client:
        entries = await SqliteLedger(path).entries()
        assert sorted(each.request["prompt"] for each in entries) == sorted(charges)
        for prompt, task_id in charges.items():
            task = await client.submit(GenerateMusic(prompt=prompt), key=prompt.replace("song", "key"))
            assert task.task_id == task_id
    assert len(sandbox.charges) == len(charges)


async def test_a_process_that_is_ending_begins_no_submit(
    sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads may go on for a moment, but the ledger can no longer be written: the song would be lost."""
    ledger = MemoryLedger()
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        monkeypatch.setattr(sync, "_process_is_ending", True)
        with pytest.raises(ProducerError, match=r"process_ending: .* was not sent and nothing was charged"):
            await client.submit(GenerateMusic(prompt="a waltz"), key="k")
    assert (await ledger.entries(), sandbox.charges) == ([], ())


def test_work_in_a_loop_that_stands_still_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that leaves its event loop without closing it would take 30 seconds to end."""
    monkeypatch.setattr(sync, "_process_is_ending", False)  # and false again after the test
    monkeypatch.setattr(sync, "SECONDS_TO_FINISH", 50)

    async def work() -> None:
        with sync.unfinished_work():
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    left = loop.create_task(work())
    loop.run_until_complete(asyncio.sleep(0))
    began = time.monotonic()
    sync._wait_for_unfinished_work()  # noqa: SLF001 - Python calls it at the end of the process
    assert time.monotonic() - began < 40
    left.cancel()
    loop.run_until_complete(asyncio.wait([left]))
    loop.close()
