"""What the album and the fleet rest on: the account's verdict, the queue, and a ledger that many processes share."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from producer_tools import MemoryLedger, ProducerClient, StoreLedger, Task
from producer_tools.langgraph import Song, album_graph
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import FastClock
from tests.torture.processes import quick_starts

# Processes are started over a Unix socket.
pytestmark = [pytest.mark.usefixtures("silent_files"), pytest.mark.enable_socket]

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _examples_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A PostgreSQL for these tests; without one on this machine they are skipped."""
    sys.path.insert(0, str(EXAMPLES))
    postgres = import_module("fleet.postgres")
    try:
        with postgres.temporary_cluster() as running:
            yield running
    except postgres.NoPostgreSQLError as error:
        pytest.skip(str(error))
    finally:
        sys.path.remove(str(EXAMPLES))


@asynccontextmanager
async def opened_store(database: str) -> AsyncIterator[Any]:
    aio = import_module("langgraph.store.postgres")
    async with aio.AsyncPostgresStore.from_conn_string(database, pool_config={"min_size": 1, "max_size": 4}) as store:
        await store.setup()
        yield store


async def made(client: ProducerClient, directory: Path) -> list[Song]:
    graph = album_graph(client, download_dir=directory).compile()
    state = await graph.ainvoke({"wishes": ["a waltz"]}, {"configurable": {"thread_id": "one"}})
    songs: list[Song] = state["songs"]
    return songs


@pytest.mark.parametrize(
    ("fault", "decision"),
    [
        (Fault.RESET_AFTER_WORK, "charged, and its task adopted"),
        (Fault.RESET_BEFORE_WORK, "not charged, and allowed again"),
    ],
)
async def test_what_is_unknown_is_settled_by_the_account(
    sandbox: ProducerSandbox, tmp_path: Path, fault: Fault, decision: str
) -> None:
    """An album whose submit was lost is complete after a look into the account, and each song was charged once."""
    account, ledger = import_module("account"), MemoryLedger()
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=ledger, clock=FastClock()
    ) as client:
        sandbox.fail_next(fault, endpoint="/producer/audios")
        songs = await made(client, tmp_path)
        assert account.differences(songs, sandbox.charges)
        assert await account.settle(client, songs, sandbox.charges, ledger) == [f"a waltz: {decision}"]
        songs = await made(client, tmp_path)
        assert account.differences(songs, sandbox.charges) == []
        assert await account.settle(client, songs, sandbox.charges, ledger) == []
    assert len(sandbox.charges) == 1


async def test_the_verdict_tells_what_is_wrong(
    client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """A demonstration that cannot fail would show nothing."""
    differences = import_module("account").differences
    songs = await made(client, tmp_path)
    [charge] = sandbox.charges
    assert differences(songs, [charge]) == []
    assert "charged 2 times" in differences(songs, [charge, charge])[0]
    assert "nobody has it" in differences([], [charge])[0]
    assert "not charged" in differences(songs, [])[0]
    assert "not saved" in differences([{**songs[0], "files": []}], [charge])[0]


def test_the_album_survives_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make album`: its process is really killed, and in the end each take was charged once."""
    album = import_module("album")
    monkeypatch.setattr(album, "ProducerSandbox", lambda **_: ProducerSandbox(render_seconds=0.1))
    monkeypatch.setattr(album, "WISHES", album.WISHES[:2])
    monkeypatch.setattr(album, "multiprocessing", SimpleNamespace(get_context=lambda _: quick_starts()))
    album.main(tmp_path)
    told = capsys.readouterr().out
    assert "KILLED in the middle" in told
    assert "each take was charged once, and none is lost" in told
    assert len(list((tmp_path / "songs").glob("*-audio*.wav"))) == 2


def hold(database: str, has_it: Any) -> None:
    """Take a job, and be killed with it."""

    async def take() -> None:
        async with import_module("fleet.jobs").Jobs(database).take() as taken:
            has_it.put(taken[0].thread_id)
            await asyncio.sleep(60)

    sys.path.insert(0, str(EXAMPLES))
    asyncio.run(take())


async def test_a_job_is_one_workers_until_it_dies(database: str) -> None:
    """Two workers never make the same album; and an album whose worker was killed is taken by another at once."""
    jobs = import_module("fleet.jobs").Jobs(database)
    await jobs.setup({"a": ["one"], "b": ["two"]})
    context = quick_starts()
    has_it = context.SimpleQueue()
    process = context.Process(target=hold, args=(database, has_it), daemon=True)
    process.start()
    assert await asyncio.to_thread(has_it.get) == "a"
    async with jobs.take() as taken:
        assert taken is not None
        assert taken[0].thread_id == "b"
        async with jobs.take() as nothing:
            assert nothing is None
        process.kill()
        process.join()
        async with jobs.take() as inherited:
            assert inherited is not None
            assert inherited[0].thread_id == "a"
        await jobs.done(taken[0], [], 3, taken[1])
    assert await jobs.left() == 1
    assert [(job.thread_id, worker) for job, worker in await jobs.finished()] == [("b", 3)]


async def test_a_wish_of_a_whole_fleet_is_paid_for_once(database: str, sandbox: ProducerSandbox) -> None:
    """Ten clients with stores of their own submit a wish at the same moment: one sends it, and all get its song."""

    async def submit(wish: int) -> Task:
        async with (
            opened_store(database) as store,
            ProducerClient(sandbox.api_token, sandbox.base_url, clock=FastClock(10)) as client,
        ):
            request = GenerateMusic(prompt=f"wish {wish}")
            return await client.submit(request, key=f"wish {wish}", ledger=StoreLedger(store))

    async with opened_store(database):
        pass  # the tables, before all want to make them
    for wish in range(3):
        outcomes = await asyncio.gather(*(submit(wish) for _ in range(10)))
        paid = [charge.task_id for charge in sandbox.charges if charge.request["prompt"] == f"wish {wish}"]
        assert len(paid) == 1
        assert {outcome.task_id for outcome in outcomes} == set(paid)
