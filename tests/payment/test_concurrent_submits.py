"""The same requests from several threads, event loops, clients and processes at once: each is paid for once."""

import asyncio
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Ledger,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
)
from producer_tools.requests import GenerateMusic
from tests.crash.processes import quick_starts
from tests.payment.calls import Account
from tests.payment.ledgers import entry
from tests.payment.stores import StepwiseStore

REQUESTS = 10


def arguments(number: int) -> dict[str, Any]:
    """The arguments of one request, with its key."""
    return {"prompt": f"song {number}", "submission_key": f"key {number}"}


def assert_paid_once(account: Account, found: list[dict[str, str]], *, callers: int) -> None:
    """Check that each song was charged once, and that each caller got the task ids that were charged."""
    charges = account.new_charges()
    charged = {charge.request["prompt"]: charge.task_id for charge in charges}
    times = Counter(charge.request["prompt"] for charge in charges)
    assert times == {f"song {number}": 1 for number in range(REQUESTS)}
    assert found == [charged] * callers


def test_from_several_threads_and_loops(ledger: Ledger, account: Account) -> None:
    """Four threads use the sync bridge, four run their own event loops, all with one client and the same ten keys."""
    started = threading.Barrier(8)
    with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        tool = ProducerGenerateMusic(client=client)

        def in_thread() -> dict[str, str]:
            started.wait()
            return {
                f"song {number}": json.loads(tool.invoke(arguments(number)))["task_id"] for number in range(REQUESTS)
            }

        async def calls() -> dict[str, str]:
            contents = await asyncio.gather(*(tool.ainvoke(arguments(number)) for number in range(REQUESTS)))
            return {f"song {number}": json.loads(content)["task_id"] for number, content in enumerate(contents)}

        def in_loop() -> dict[str, str]:
            started.wait()
            return asyncio.run(calls())

        with ThreadPoolExecutor(8) as threads:
            futures = [threads.submit(in_thread if number % 2 else in_loop) for number in range(8)]
            assert_paid_once(account, [future.result() for future in futures], callers=8)


@pytest.mark.parametrize("ledger", ["sqlite", "store"], indirect=True)  # a memory ledger cannot be shared
async def test_from_several_clients(ledger: Ledger, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients do not know each other, so only the ledger decides which one sends."""
    # Not a faster clock: leases would lapse on a busy machine, since senders renew them by the machine's time.
    monkeypatch.setattr("producer_tools.payment.submit._RECHECK_SECONDS", 0.02)
    url, token = account.sandbox.base_url, account.sandbox.api_token
    clients = [ProducerClient(token, url, ledger=ledger) for _ in range(4)]

    async def submit(client: ProducerClient, number: int) -> str:
        task = await client.submit(GenerateMusic(prompt=f"song {number}"), key=f"key {number}")
        return str(task.task_id)

    async def submit_all(client: ProducerClient) -> dict[str, str]:
        found = await asyncio.gather(*(submit(client, number) for number in range(REQUESTS)))
        return {f"song {number}": task_id for number, task_id in enumerate(found)}

    try:
        assert_paid_once(account, await asyncio.gather(*map(submit_all, clients)), callers=4)
    finally:
        for client in clients:
            await client.aclose()


def in_process(url: str, token: str, path: Path, started: Any, found: Any) -> None:
    """Run by each process of the next test."""
    with ProducerClient(token, url, ledger=SqliteLedger(path)) as client:
        tool = ProducerGenerateMusic(client=client)
        started.wait()
        found.put(
            {f"song {number}": json.loads(tool.invoke(arguments(number)))["task_id"] for number in range(REQUESTS)}
        )


@pytest.mark.enable_socket  # processes are started over a Unix socket
def test_from_two_processes(account: Account, tmp_path: Path) -> None:
    """Both create the same ledger file. The second to begin an entry must wait for the first one's answer."""
    context = quick_starts()
    started, found = context.Barrier(2), context.SimpleQueue()
    args = (account.sandbox.base_url, account.sandbox.api_token, tmp_path / "ledger.sqlite", started, found)
    processes = [context.Process(target=in_process, args=args, daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert_paid_once(account, [found.get(), found.get()], callers=2)


async def test_forgetting_an_entry_keeps_the_claim_of_another_process() -> None:
    """A refused process forgets its entry while another begins: if it deleted that one's claim, a third would send."""
    store = InMemoryStore()
    stepwise = StepwiseStore(store)
    refused, other, third = StoreLedger(store), StoreLedger(stepwise), StoreLedger(store)
    own = entry(fingerprint="of the refused process")
    beginning = asyncio.create_task(other.begin(entry()))
    await stepwise.step()  # it finds no claim
    assert await refused.begin(own) is None
    await stepwise.step()  # it writes its own claim
    assert await refused.replace(own, None)
    await stepwise.step()  # it finds no other claim, so it will send
    assert await beginning is None
    assert await third.begin(entry()) is not None, "a third process would send as well"
