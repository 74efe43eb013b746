"""Many short event loops, clients and tokens leave no more in memory than a few."""

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import aiohttp
import pytest

import producer_tools
from producer_tools import CallbackReceiver, ProducerClient, TaskNotFoundError
from producer_tools.concurrency.sync import run_sync
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tasks.watcher import Watcher
from tests.clocks import InstantClock, ManualClock

pytestmark = pytest.mark.usefixtures("older_objects_left_out")
COUNTED = (asyncio.AbstractEventLoop, aiohttp.ClientSession, ProducerClient, Watcher)


@pytest.fixture
def older_objects_left_out() -> Iterator[None]:
    """Keep the garbage collector from visiting, at each count, the million objects that are older than the test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive() -> Counter[str]:
    """How many objects of each counted kind there are."""
    gc.collect()
    run_sync(lambda: asyncio.sleep(0.01))  # the background loop closes the sessions that were collected
    gc.collect()
    # Other objects may be proxies, which must not be asked for their class.
    kinds = [kind for each in gc.get_objects() for kind in COUNTED if issubclass(type(each), kind)]
    return Counter(kind.__name__ for kind in kinds)


def more_than(before: Counter[str]) -> Counter[str]:
    """What there is more of than before. A thread or the background loop may need a moment to let go of something."""
    until = time.monotonic() + 30
    while (more := alive() - before) and time.monotonic() < until:
        time.sleep(0.01)
    return more


async def use(client: ProducerClient) -> None:
    """Submit, wait, be woken, and look up: every part of a client that may remember its event loop."""
    task_id = str((await client.submit(GenerateMusic(prompt="x"), key=str(id(asyncio.get_running_loop())))).task_id)
    client.wake(task_id)
    await client.wait([task_id], 60)
    await client.get_task(task_id)


def in_own_loops(client: ProducerClient, _: CallbackReceiver) -> None:
    asyncio.run(use(client))


def in_a_loop_of_a_thread(client: ProducerClient, _: CallbackReceiver) -> None:
    thread = threading.Thread(target=lambda: asyncio.run(use(client)))
    thread.start()
    thread.join()


def with_a_client_of_its_own(client: ProducerClient, receiver: CallbackReceiver) -> None:
    async def use_new_one() -> None:
        async with ProducerClient(
            base_url=client.base_url, callbacks=receiver, clock=InstantClock(), poll_interval=0
        ) as own:
            await use(own)

    asyncio.run(use_new_one())


def with_a_client_that_is_not_closed(client: ProducerClient, receiver: CallbackReceiver) -> None:
    own = ProducerClient(base_url=client.base_url, callbacks=receiver, clock=InstantClock(), poll_interval=0)
    asyncio.run(use(own))


@pytest.mark.parametrize(
    "run",
    [
        in_own_loops,
        in_a_loop_of_a_thread,
        with_a_client_of_its_own,
        with_a_client_that_is_not_closed,
    ],
)
def test_many_runs_leave_what_a_few_leave(
    run: Callable[[ProducerClient, CallbackReceiver], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that calls ``asyncio.run`` for each request would grow until it is killed."""
    receiver = CallbackReceiver("http://127.0.0.1:9")
    with ProducerSandbox(render_seconds=0) as sandbox:
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
        client = ProducerClient(base_url=sandbox.base_url, clock=InstantClock(), poll_interval=0)
        run(client, receiver)
        few = alive()
        for _ in range(6):
            run(client, receiver)
        assert not more_than(few)


def test_a_loop_is_forgotten_when_it_ends() -> None:
    """What the last run leaves would stay as long as the client lives, with its sockets."""
    with ProducerSandbox(render_seconds=0) as sandbox:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, clock=InstantClock(), poll_interval=0)
        before = alive()
        with pytest.raises(TaskNotFoundError):
            asyncio.run(client.get_task("t"))
        assert not more_than(before)


async def stopped_wait(client: ProducerClient, number: int) -> None:
    """Submit with a token of its own, wait until the wait sleeps, and stop it."""
    with producer_tools.api_token(f"token of user {number}"):
        task = await client.submit(GenerateMusic(prompt="x"))
        waiting = asyncio.create_task(client.wait([str(task.task_id)], 60))
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await settle()


async def settle() -> None:
    """Let every task of the loop go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_stopped_waits_leave_neither_loops_nor_watchers() -> None:
    """A wait that a user stops is the usual end of a request to a server."""
    client = ProducerClient(base_url="http://127.0.0.1:9", clock=ManualClock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "post", answer_with_a_task)
        before = alive()
        for number in range(10):
            asyncio.run(stopped_wait(client, number))
        assert not more_than(before)


def test_many_tokens_leave_no_watcher() -> None:
    """A server has one client and one loop, and every user has a token."""
    client = ProducerClient(base_url="http://127.0.0.1:9", clock=ManualClock())

    async def main() -> None:
        before = alive()
        for number in range(10):
            await stopped_wait(client, number)
        assert not more_than(before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "post", answer_with_a_task)
        asyncio.run(main())


async def answer_with_a_task(*_: object, **__: object) -> dict[str, str]:
    return {"task_id": "t1"}
