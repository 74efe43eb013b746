"""Blocking calls in threads, and what becomes of them when their task is cancelled."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from anyio import CancelScope

from producer_tools import Downloader, ProducerClient
from producer_tools.concurrency.threads import in_thread
from producer_tools.concurrency.to_the_end import to_the_end
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts what it is asked to do in its next turn."""

    turns = 0

    def call_soon(  # type: ignore[override]  # it takes any callback with any arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self.turns += 1
        return super().call_soon(callback, *args, context=context)


async def test_a_cancelled_call_ends_after_its_thread() -> None:
    """A write that is repeated could be overtaken by the first one: an entry would stand for what was never sent."""
    began, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def blocking() -> None:
        began.set()
        assert may_end.wait(50)
        has_ended.set()

    work = asyncio.create_task(in_thread(blocking))
    while not began.is_set():
        await asyncio.sleep(0)
    for _ in range(2):  # by its caller, and by the end of the event loop
        work.cancel()
        await asyncio.wait([work], timeout=0.01)
        assert not work.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert has_ended.is_set()


async def test_the_error_of_a_cancelled_call_is_not_reported_as_lost() -> None:
    """Each interrupted write to a full disk would print a traceback that nobody can act on."""
    began = threading.Event()

    def blocking() -> None:
        began.set()
        raise LookupError

    work = asyncio.create_task(in_thread(blocking))
    while not began.is_set():
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises((asyncio.CancelledError, LookupError)):
        await work


@pytest.mark.parametrize("wait", [in_thread, lambda call: to_the_end(lambda: in_thread(call))])
def test_a_cancel_scope_of_anyio_lets_the_work_end(wait: Callable[[Callable[[], object]], Awaitable[object]]) -> None:
    """MCP servers and Starlette have them.

    One cancels its task in each turn of the loop: the loop did nothing else, and might not see that the work had ended.
    """
    may_end, ended = threading.Event(), threading.Event()
    loop = CountingLoop()

    async def cancelled() -> None:
        with CancelScope() as scope:
            scope.cancel()
            asyncio.get_running_loop().call_later(0.2, may_end.set)
            try:
                await wait(lambda: may_end.wait(50))
            finally:
                ended.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(cancelled(),), daemon=True)
    thread.start()
    thread.join(50)
    assert not thread.is_alive()
    assert ended.is_set()
    loop.close()
    assert loop.turns < 200, "thousands if it goes on all the time"


@pytest.mark.usefixtures("silent_files")
async def test_sync_calls_in_all_threads_of_a_loop_do_not_stop_its_async_calls(
    sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """LangGraph runs sync nodes there: they and the async nodes would wait for one another, and no song would end."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    ledger = tmp_path / "ledger.sqlite"
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, ledger=ledger, max_paid_in_flight=1, poll_interval=0
    ) as client:

        async def make_and_save(number: int) -> int:
            task = await client.submit(GenerateMusic(prompt=f"async {number}"))
            [finished] = (await client.wait(task, 60)).tasks
            return len((await Downloader(client, tmp_path).save(finished)).files)

        works = [asyncio.ensure_future(make_and_save(number)) for number in range(3)]
        requests = [GenerateMusic(prompt=f"sync {number}") for number in range(6)]
        in_threads = [asyncio.to_thread(client.submit_sync, request) for request in requests]
        await asyncio.wait_for(asyncio.gather(*works, *in_threads), 50)
    assert len(sandbox.charges) == 9
