"""The ledger: one wish, one payment, whatever is called again."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from producer_tools import (
    BadRequestError,
    Ledger,
    MemoryLedger,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
    SubmissionConflictError,
    SubmissionUnknownError,
)
from producer_tools.http.transport import Transport
from producer_tools.requests import GenerateLyrics, GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock

SONG = GenerateMusic(prompt="a waltz")
Make = Callable[[], Ledger]


@pytest.fixture(params=["memory", "sqlite", "store"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the same ledger again and again, as a process that was started anew does."""
    memory, store = MemoryLedger(), InMemoryStore()
    makers: dict[str, Make] = {
        "memory": lambda: memory,
        "sqlite": lambda: SqliteLedger(tmp_path / "ledger.sqlite"),
        "store": lambda: StoreLedger(store),
    }
    return makers[request.param]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception, bool], None]:
    """Has the next paid request end in an error, after the service has done the work or before."""
    post = Transport.post
    faults: list[tuple[Exception, bool]] = []

    async def failing(self: Transport, endpoint: str, body: dict[str, Any], *, paid: bool) -> dict[str, Any]:
        fault, after_work = faults.pop() if faults and paid else (None, False)
        if fault is not None and not after_work:
            raise fault
        answer = await post(self, endpoint, body, paid=paid)
        if fault is not None:
            raise fault
        return answer

    monkeypatch.setattr(Transport, "post", failing)
    return lambda fault, after_work: faults.append((fault, after_work))


def client_on(sandbox: ProducerSandbox, ledger: Ledger) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, poll_interval=0, clock=InstantClock())


async def test_the_same_wish_again_is_the_same_task(make: Make, sandbox: ProducerSandbox) -> None:
    ids = []
    for _ in range(3):
        async with client_on(sandbox, make()) as client:
            ids.append((await client.submit(SONG, key="thread/call")).task_id)
    assert len(set(ids)) == len(sandbox.charges) == 1


async def test_lyrics_come_back_whole_without_being_paid_for_again(make: Make, sandbox: ProducerSandbox) -> None:
    results = []
    for _ in range(2):
        async with client_on(sandbox, make()) as client:
            results.append((await client.submit(GenerateLyrics(prompt="rain"), key="k")).results)
    assert results[0] == results[1]
    assert results[0][0]["lyrics"]
    assert len(sandbox.charges) == 1


async def test_an_unknown_outcome_stays_unknown_until_a_person_says_otherwise(
    make: Make, sandbox: ProducerSandbox, fails: Callable[[Exception, bool], None]
) -> None:
    fails(SubmissionUnknownError("timeout", "no answer"), True)
    async with client_on(sandbox, make()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
    for _ in range(2):
        async with client_on(sandbox, make()) as client:
            with pytest.raises(SubmissionUnknownError, match=r"unknown_outcome: .* under the key k"):
                await client.submit(SONG, key="k")
    assert len(sandbox.charges) == 1
    async with client_on(sandbox, make()) as client:
        await client.release("k")
        assert (await client.submit(SONG, key="k")).task_id
    assert len(sandbox.charges) == 2


async def test_a_refused_wish_may_be_made_again(
    make: Make, sandbox: ProducerSandbox, fails: Callable[[Exception, bool], None]
) -> None:
    fails(BadRequestError("bad_request", "no"), False)
    async with client_on(sandbox, make()) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG, key="k")
        assert (await client.submit(SONG, key="k")).task_id
    assert len(sandbox.charges) == 1


async def test_who_is_stopped_while_waiting_for_the_service_leaves_nothing_unknown(
    make: Make, sandbox: ProducerSandbox
) -> None:
    """A worker of a busy service is refused most of the time; if it is killed then, another can send its wish."""

    class KillingClock(InstantClock):
        async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - it does not come to that
            raise KeyboardInterrupt

    sandbox.fail_next("too_many_requests")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=make(), clock=KillingClock()) as client:
        with pytest.raises(KeyboardInterrupt):
            await client.submit(SONG, key="wish")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=make()) as client:
        task = await client.submit(SONG, key="wish")
    assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


async def test_a_cancelled_submit_is_not_sent_again(make: Make, sandbox: ProducerSandbox) -> None:
    """It was cut off between sending and answer: nobody knows, so nobody guesses."""
    sandbox.render_seconds = 60
    async with client_on(sandbox, make()) as client:
        held = asyncio.create_task(client.submit(GenerateMusic(prompt="x", async_=False), key="k"))
        while not sandbox.charges:
            await asyncio.sleep(0.001)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        with pytest.raises(SubmissionUnknownError):
            await client.submit(GenerateMusic(prompt="x", async_=False), key="k")
    assert len(sandbox.charges) == 1


async def test_other_arguments_under_the_same_key_are_an_error(make: Make, sandbox: ProducerSandbox) -> None:
    async with client_on(sandbox, make()) as client:
        await client.submit(SONG, key="k")
        with pytest.raises(SubmissionConflictError, match="key_reused: The key k belongs to an earlier call"):
            await client.submit(GenerateMusic(prompt="another"), key="k")
    assert len(sandbox.charges) == 1


async def test_two_at_once_are_one_and_both_get_its_task(make: Make, sandbox: ProducerSandbox) -> None:
    async with client_on(sandbox, make()) as client:
        tasks = await asyncio.gather(*(client.submit(SONG, key="k") for _ in range(8)))

        def elsewhere(_: int) -> str | None:
            return asyncio.run(client.submit(SONG, key="k")).task_id

        with ThreadPoolExecutor(4) as pool:
            loop = asyncio.get_running_loop()
            others = await asyncio.gather(*(loop.run_in_executor(pool, elsewhere, n) for n in range(4)))
    assert len({*(task.task_id for task in tasks), *others}) == 1
    assert len(sandbox.charges) == 1


async def test_what_was_never_sent_cannot_be_settled(make: Make, sandbox: ProducerSandbox) -> None:
    """A person who mistypes a key must not believe that it is done."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=make()) as client:
        with pytest.raises(KeyError):
            await client.release("another key")
        with pytest.raises(KeyError):
            await client.adopt("another key", "t1")


async def test_a_ledger_in_a_store_is_kept_for_ever_and_read_by_no_model() -> None:
    """A store may forget what is old, and have all texts embedded: a wish forgotten is paid for twice."""
    store = InMemoryStore(index={"dims": 1, "embed": lambda texts: pytest.fail(f"embedded: {texts}")})
    ledger = StoreLedger(store)
    assert await ledger.begin("key", "wish") is None
    await ledger.finish("key", {"task_id": "t1"})
    assert await StoreLedger(store).begin("key", "wish") == ("wish", {"task_id": "t1"})


async def test_a_sync_store_is_a_ledger_too(tmp_path: Path) -> None:
    with SqliteStore.from_conn_string(str(tmp_path / "store.sqlite")) as store:
        store.setup()
        ledger = StoreLedger(store)
        assert await ledger.begin("key", "wish") is None
        await ledger.finish("key", {"task_id": "t1"})
        assert await StoreLedger(store).begin("key", "wish") == ("wish", {"task_id": "t1"})
        await StoreLedger(store).forget("key")
        assert await StoreLedger(store).begin("key", "wish") is None


async def test_other_words_wait_for_the_answer_to_the_first(make: Make, sandbox: ProducerSandbox) -> None:
    """Two workers, two wordings of one wish, at one moment: the second learns which task the first has become."""
    first = make()
    assert await first.begin("wish", "in other words") is None

    class Answering(InstantClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            await first.finish("wish", {"task_id": "t1"})

    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, ledger=make() if first.is_shared else first, clock=Answering()
    ) as client:
        if not first.is_shared:
            return  # one process: it waits for itself elsewhere
        with pytest.raises(SubmissionConflictError) as conflict:
            await client.submit(SONG, key="wish")
    assert conflict.value.task_id == "t1"


async def test_at_most_one_begins(make: Make) -> None:
    """The decision is the ledger's, for two processes do not know of each other: never may both be told to send."""
    for n in range(20):
        begun = await asyncio.gather(*(make().begin(f"k{n}", "wish") for _ in range(4)))
        assert sum(entry is None for entry in begun) <= 1


async def test_what_cannot_be_written_is_not_sent(tmp_path: Path, sandbox: ProducerSandbox) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    async with client_on(sandbox, SqliteLedger(tmp_path / "ledger.sqlite")) as client:
        with pytest.raises(sqlite3.DatabaseError):
            await client.submit(SONG, key="k")
    assert sandbox.charges == ()


async def test_an_id_that_could_not_be_written_down_still_reaches_the_caller(
    sandbox: ProducerSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The song is paid for: an error in its place would lose it."""

    class Full(MemoryLedger):
        async def finish(self, key: str, answer: dict[str, Any]) -> None:  # noqa: ARG002 - the ledger's signature
            raise OSError("No space left on device")

    async with client_on(sandbox, Full()) as client:
        task = await client.submit(SONG, key="k")
        assert [charge.task_id for charge in sandbox.charges] == [task.task_id]
        assert f"Task {task.task_id} was submitted" in caplog.text
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")


async def test_memory_forgets_the_oldest_answers_and_nothing_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer_tools.payment.ledger._MOST_ENTRIES", 3)
    ledger = MemoryLedger()
    await ledger.begin("unknown", "w")
    for n in range(10):
        await ledger.begin(f"k{n}", "w")
        await ledger.finish(f"k{n}", {"task_id": str(n)})
    assert await ledger.begin("unknown", "w") is not None
    assert await ledger.begin("k9", "w") is not None
    assert await ledger.begin("k0", "w") is None


async def test_without_a_key_each_call_is_a_wish(sandbox: ProducerSandbox) -> None:
    async with client_on(sandbox, MemoryLedger()) as client:
        first, second = await client.submit(SONG), await client.submit(SONG)
    assert first.task_id != second.task_id


def graph(tool: Any, **settings: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "tools")
    return builder.compile(**settings)


def calling(call_id: str = "c1") -> dict[str, Any]:
    call = {"type": "tool_call", "id": call_id, "name": "producer_generate_music", "args": {"prompt": "a waltz"}}
    return {"messages": [AIMessage("", tool_calls=[call])]}


async def run(tool: Any, thread: str, call_id: str = "c1", **settings: Any) -> str:
    app = graph(tool, checkpointer=InMemorySaver(), **settings)
    state = await app.ainvoke(calling(call_id), {"configurable": {"thread_id": thread}})
    task_id: str = json.loads(state["messages"][-1].text)["task_id"]
    return task_id


async def test_a_tool_call_of_a_thread_is_a_wish(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """A model's call ids may repeat from thread to thread; within one they do not."""
    tool = ProducerGenerateMusic(client=client)
    one, again = await run(tool, "one"), await run(tool, "one")
    other, next_call = await run(tool, "two"), await run(tool, "one", "c2")
    assert one == again
    assert len({one, other, next_call}) == len(sandbox.charges) == 3


async def test_what_the_graph_fills_in_is_no_part_of_the_wish(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """The service would be sent what is LangGraph's, and the same wish would be another one outside of a graph."""
    await run(ProducerGenerateMusic(client=client), "one")
    await client.submit(SONG)
    first, second = (charge.request for charge in sandbox.charges)
    assert first == second
    assert "runtime" not in first


async def test_the_store_of_the_graph_is_the_ledger(sandbox: ProducerSandbox) -> None:
    """A worker that takes over after a crash has the store, and nothing else of its predecessor's."""
    store, ids = InMemoryStore(), []
    for _ in range(2):
        async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
            ids.append(await run(ProducerGenerateMusic(client=client), "one", store=store))
    assert len(set(ids)) == len(sandbox.charges) == 1


async def test_the_applications_key_works_without_a_graph_and_a_model_cannot_forge_it(
    client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    tool = ProducerGenerateMusic(client=client)
    for _ in range(2):
        await tool.ainvoke({"prompt": "x", "submission_key": "mine"})
    assert len(sandbox.charges) == 1
    forged = {"prompt": "x", "submission_key": "mine"}
    await tool.ainvoke({"type": "tool_call", "id": "c", "name": tool.name, "args": forged})
    assert len(sandbox.charges) == 2
