"""One wish from many sides at once: threads, event loops, clients, processes. One of them pays."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from producer_tools import (
    Ledger,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
)
from producer_tools.requests import GenerateMusic
from tests.crash.processes import quick_starts
from tests.payment.calls import Account

WISHES = 10


@pytest.fixture(params=["memory", "sqlite", "store"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    made: dict[str, Callable[[], Ledger]] = {
        "memory": MemoryLedger,
        "sqlite": lambda: SqliteLedger(tmp_path / "ledger.sqlite"),
        "store": lambda: StoreLedger(InMemoryStore()),
    }
    return made[request.param]()


def wish(number: int) -> dict[str, Any]:
    return {"prompt": f"song {number}", "submission_key": f"key {number}"}


def check(account: Account, found: list[dict[str, str]], *, callers: int) -> None:
    """Each song was charged once, and each caller was given that song's task."""
    charges = account.new_charges()
    charged = {charge.request["prompt"]: charge.task_id for charge in charges}
    assert Counter(charge.request["prompt"] for charge in charges) == {f"song {number}": 1 for number in range(WISHES)}
    assert found == [charged] * callers


def test_from_threads_and_loops_at_once(ledger: Ledger, account: Account) -> None:
    """Four threads through the sync bridge and four loops of their own, all with the same ten keys in one client."""
    started = threading.Barrier(8)
    with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) as client:
        tool = ProducerGenerateMusic(client=client)

        def in_thread() -> dict[str, str]:
            started.wait()
            return {f"song {number}": json.loads(tool.invoke(wish(number)))["task_id"] for number in range(WISHES)}

        async def calls() -> dict[str, str]:
            contents = await asyncio.gather(*(tool.ainvoke(wish(number)) for number in range(WISHES)))
            return {f"song {number}": json.loads(content)["task_id"] for number, content in enumerate(contents)}

        def in_loop() -> dict[str, str]:
            started.wait()
            return asyncio.run(calls())

        with ThreadPoolExecutor(8) as threads:
            futures = [threads.submit(in_thread if number % 2 else in_loop) for number in range(8)]
            check(account, [future.result() for future in futures], callers=8)


@pytest.mark.parametrize("ledger", ["sqlite", "store"], indirect=True)  # memory is one client's own
async def test_from_several_clients_at_once(ledger: Ledger, account: Account) -> None:
    """Clients know nothing of each other: here the ledger alone decides who sends."""
    clients = [ProducerClient(account.sandbox.api_token, account.sandbox.base_url, ledger=ledger) for _ in range(4)]

    async def ask(client: ProducerClient, number: int) -> str:
        task = await client.submit(GenerateMusic(prompt=f"song {number}"), key=f"key {number}")
        return str(task.task_id)

    async def ask_all(client: ProducerClient) -> dict[str, str]:
        found = await asyncio.gather(*(ask(client, number) for number in range(WISHES)))
        return {f"song {number}": task_id for number, task_id in enumerate(found)}

    try:
        check(account, await asyncio.gather(*map(ask_all, clients)), callers=4)
    finally:
        for client in clients:
            await client.aclose()


def in_process(url: str, token: str, path: Path, started: Any, found: Any) -> None:
    """What each process of the next test does."""
    with ProducerClient(token, url, ledger=SqliteLedger(path)) as client:
        tool = ProducerGenerateMusic(client=client)
        started.wait()
        found.put({f"song {number}": json.loads(tool.invoke(wish(number)))["task_id"] for number in range(WISHES)})


@pytest.mark.enable_socket  # processes are started over a Unix socket
def test_from_two_processes_at_once(account: Account, tmp_path: Path) -> None:
    """A file ledger, not made yet, serves both: whoever comes second waits for the first one's answer."""
    context = quick_starts()
    started, found = context.Barrier(2), context.SimpleQueue()
    given = (account.sandbox.base_url, account.sandbox.api_token, tmp_path / "ledger.sqlite", started, found)
    processes = [context.Process(target=in_process, args=given, daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(50)
    assert [process.exitcode for process in processes] == [0, 0]
    check(account, [found.get(), found.get()], callers=2)


class Stepwise:
    """A way to a store on which each operation waits until the test lets it through."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._allowed = asyncio.Semaphore(0)

    async def step(self) -> None:
        self._allowed.release()
        for _ in range(10):
            await asyncio.sleep(0)

    def __getattr__(self, operation: str) -> Any:
        async def later(*args: Any, **options: Any) -> Any:
            await self._allowed.acquire()
            return await getattr(self._store, operation)(*args, **options)

        return later


async def test_a_wish_is_given_up_without_striking_out_what_another_process_has_begun() -> None:
    """One process is refused and forgets its wish just as another begins: without a claim, that one pays twice."""
    store = InMemoryStore()
    way = Stepwise(store)
    refused, other, third = StoreLedger(store), StoreLedger(way), StoreLedger(store)
    beginning = asyncio.create_task(other.begin("key", "wish"))
    await way.step()  # it finds nothing
    assert await refused.begin("key", "wish") is None
    await way.step()  # it puts down its claim
    await refused.forget("key")
    await way.step()  # it finds no other claim, and will send
    assert await beginning is None
    assert await third.begin("key", "wish") is not None, "and a third would send as well"
