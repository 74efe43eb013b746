"""Ledgers: a request under one key is sent and paid for once, whatever is called again."""

import asyncio
import json
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
from pydantic import SecretStr

from producer_tools import (
    BadRequestError,
    Ledger,
    LedgerError,
    MemoryLedger,
    OutcomeKnownError,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
    SubmissionConflictError,
    SubmissionUnknownError,
)
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import Transport
from producer_tools.payment.entry import Entry
from producer_tools.requests import GenerateLyrics, GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.payment.ledgers import answer, answered, entry

SONG = GenerateMusic(prompt="a waltz")
OpenLedger = Callable[[], Ledger]


@pytest.fixture(params=["memory", "sqlite", "store"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLedger:
    """Opens the same ledger each time, as a restarted process does."""
    memory, store = MemoryLedger(), InMemoryStore()
    openers: dict[str, OpenLedger] = {
        "memory": lambda: memory,
        "sqlite": lambda: SqliteLedger(tmp_path / "ledger.sqlite"),
        "store": lambda: StoreLedger(store),
    }
    return openers[request.param]


@pytest.fixture
def fail_next(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception, bool], None]:
    """Makes the next paid request raise an error, before the service does the work, or after."""
    post = Transport.post
    faults: list[tuple[Exception, bool]] = []

    async def failing_post(self: Transport, endpoint: str, body: dict[str, Any], *, paid: bool) -> dict[str, Any]:
        fault, after_work = faults.pop() if faults and paid else (None, False)
        if fault is not None and not after_work:
            raise fault
        answer = await post(self, endpoint, body, paid=paid)
        if fault is not None:
            raise fault
        return answer

    monkeypatch.setattr(Transport, "post", failing_post)
    return lambda fault, after_work: faults.append((fault, after_work))


def client_on(sandbox: ProducerSandbox, ledger: Ledger) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger, poll_interval=0, clock=InstantClock())


async def test_the_same_request_again_is_the_same_task(open_ledger: OpenLedger, sandbox: ProducerSandbox) -> None:
    """After a restart, the same request would be paid for again."""
    ids = []
    for _ in range(3):
        async with client_on(sandbox, open_ledger()) as client:
            ids.append((await client.submit(SONG, key="thread/call")).task_id)
    assert len(set(ids)) == len(sandbox.charges) == 1


async def test_a_final_answer_is_returned_whole_the_second_time(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """Lyrics come with the submit's answer: without the ledger's copy they would be paid for again, or lost."""
    results = []
    for _ in range(2):
        async with client_on(sandbox, open_ledger()) as client:
            results.append((await client.submit(GenerateLyrics(prompt="rain"), key="k")).results)
    assert results[0] == results[1]
    assert results[0][0]["lyrics"]
    assert len(sandbox.charges) == 1


async def test_an_unknown_outcome_is_sent_again_only_after_release(
    open_ledger: OpenLedger, sandbox: ProducerSandbox, fail_next: Callable[[Exception, bool], None]
) -> None:
    """You may have been charged, so only a person may decide to send it again."""
    fail_next(SubmissionUnknownError("timeout", "no answer"), True)
    async with client_on(sandbox, open_ledger()) as client:
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
    for _ in range(2):
        async with client_on(sandbox, open_ledger()) as client:
            with pytest.raises(SubmissionUnknownError, match=r"unknown_outcome: .* Its key is 'k'"):
                await client.submit(SONG, key="k")
    assert len(sandbox.charges) == 1
    async with client_on(sandbox, open_ledger()) as client:
        await client.release("k")
        assert (await client.submit(SONG, key="k")).task_id
    assert len(sandbox.charges) == 2


async def test_a_refused_request_can_be_sent_again(
    open_ledger: OpenLedger, sandbox: ProducerSandbox, fail_next: Callable[[Exception, bool], None]
) -> None:
    """A refusal did no work: if the key stayed taken, the song could never be made."""
    fail_next(BadRequestError("bad_request", "no"), False)
    async with client_on(sandbox, open_ledger()) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG, key="k")
        assert (await client.submit(SONG, key="k")).task_id
    assert len(sandbox.charges) == 1


async def test_a_crash_while_waiting_to_retry_is_not_an_unknown_outcome(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """If a worker is killed while it waits for a busy service, another one must be able to send the request."""

    class CrashError(BaseException):
        pass

    class CrashingClock(InstantClock):
        async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the clock's signature
            raise CrashError

    sandbox.fail_next("too_many_requests")
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, ledger=open_ledger(), clock=CrashingClock()
    ) as client:
        with pytest.raises(CrashError):
            await client.submit(SONG, key="k")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=open_ledger()) as client:
        task = await client.submit(SONG, key="k")
    assert [charge.task_id for charge in sandbox.charges] == [task.task_id]


async def test_a_cancelled_submit_goes_on_and_the_next_call_gets_its_task(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """It was cancelled between sending and answer: the song is paid for, so its id must not be thrown away."""
    sandbox.render_seconds = 60
    song = GenerateMusic(prompt="x", async_=False)
    async with client_on(sandbox, open_ledger()) as client:
        submit = asyncio.create_task(client.submit(song, key="k"))
        while not sandbox.charges:
            await asyncio.sleep(0.001)
        submit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submit
        sandbox.finish_now()
        assert (await client.submit(song, key="k")).results
    assert len(sandbox.charges) == 1


async def test_other_arguments_under_the_same_key_are_an_error(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """The caller would get the song of another request."""
    async with client_on(sandbox, open_ledger()) as client:
        await client.submit(SONG, key="k")
        with pytest.raises(SubmissionConflictError, match="key_reused: The key k belongs to an earlier call"):
            await client.submit(GenerateMusic(prompt="another"), key="k")
    assert len(sandbox.charges) == 1


async def test_simultaneous_submits_get_the_same_task(open_ledger: OpenLedger, sandbox: ProducerSandbox) -> None:
    """Calls that race in several threads and event loops must be paid for once, and all must get the task."""
    async with client_on(sandbox, open_ledger()) as client:
        tasks = await asyncio.gather(*(client.submit(SONG, key="k") for _ in range(8)))

        def in_another_loop(_: int) -> str | None:
            return asyncio.run(client.submit(SONG, key="k")).task_id

        with ThreadPoolExecutor(4) as pool:
            loop = asyncio.get_running_loop()
            others = await asyncio.gather(*(loop.run_in_executor(pool, in_another_loop, n) for n in range(4)))
    assert len({*(task.task_id for task in tasks), *others}) == 1
    assert len(sandbox.charges) == 1


async def test_an_unknown_key_can_be_neither_released_nor_adopted(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """A person who mistypes a key would believe that the request is settled."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=open_ledger()) as client:
        with pytest.raises(KeyError):
            await client.release("another key")
        with pytest.raises(KeyError):
            await client.adopt("another key", "t1")


async def test_a_store_neither_expires_nor_embeds_the_entries() -> None:
    """A store may expire old items and embed all texts. A request whose entry expired would be paid for again."""
    lifetimes = []

    class RecordingStore(InMemoryStore):
        async def aput(self, *args: Any, ttl: Any = "the store's default", **options: Any) -> None:
            lifetimes.append(ttl)
            await super().aput(*args, **options)

    store = RecordingStore(index={"dims": 1, "embed": lambda texts: pytest.fail(f"embedded: {texts}")})
    ledger = StoreLedger(store)
    known = await answered(ledger)
    assert await StoreLedger(store).begin(entry()) == known
    assert lifetimes == [None, None]


async def test_a_sync_store_can_hold_the_ledger(tmp_path: Path) -> None:
    """SqliteStore has no async methods: a ledger that calls only those would fail."""
    with SqliteStore.from_conn_string(str(tmp_path / "store.sqlite")) as store:
        store.setup()
        ledger = StoreLedger(store)
        begun = entry()
        assert await ledger.begin(begun) is None
        assert await StoreLedger(store).replace(begun, None)
        known = await answered(StoreLedger(store))
        assert await StoreLedger(store).begin(entry()) == known


async def test_a_known_outcome_is_neither_released_nor_replaced(open_ledger: OpenLedger) -> None:
    """A released answer would be paid for again; another task in its place would lose the one that was paid for."""
    known = await answered(open_ledger())
    client = ProducerClient("t", "http://127.0.0.1:9", ledger=open_ledger())
    for change in (client.release("key"), client.adopt("key", "t2")):
        with pytest.raises(OutcomeKnownError) as caught:
            await change
        assert caught.value.task_id == "t1"
    assert await open_ledger().get("key") == known


@pytest.mark.parametrize("task_id", ["", " ", "t1\x1b"])
async def test_only_a_task_id_can_be_adopted(task_id: str) -> None:
    """A blank id would count as the answer, so the request could never be settled again and its task would be lost."""
    ledger, unknown = MemoryLedger(), entry()
    await ledger.begin(unknown)
    with pytest.raises(ValueError, match="is not a task id"):
        await ProducerClient("t", "http://127.0.0.1:9", ledger=ledger).adopt("key", task_id)
    assert await ledger.get("key") == unknown


async def test_a_conflict_names_the_task_of_the_first_request(
    open_ledger: OpenLedger, sandbox: ProducerSandbox
) -> None:
    """Two workers send one key in different words: the second waits for the first one's task, and learns its id."""
    first = open_ledger()
    begun = entry(f"{token_id(SecretStr(sandbox.api_token))}/k", "another fingerprint", lease_until=1_060.0)
    assert await first.begin(begun) is None

    class AnsweringClock(InstantClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if (await first.get(begun.key)) == begun:
                await answer(first, begun)

    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, ledger=open_ledger(), clock=AnsweringClock()
    ) as client:
        with pytest.raises(SubmissionConflictError) as conflict:
            await client.submit(SONG, key="k")
    assert conflict.value.task_id == "t1"


async def test_at_most_one_caller_begins_an_entry(open_ledger: OpenLedger) -> None:
    """Two processes do not know each other: if both could begin the entry, both would send the request."""
    for n in range(20):
        begun = await asyncio.gather(*(open_ledger().begin(entry(f"k{n}")) for _ in range(4)))
        assert sum(known is None for known in begun) <= 1


async def test_a_request_is_not_sent_if_the_ledger_fails(tmp_path: Path, sandbox: ProducerSandbox) -> None:
    """After a crash, nothing would show that it was sent."""
    (tmp_path / "ledger.sqlite").write_bytes(b"this is not a database" * 100)
    async with client_on(sandbox, SqliteLedger(tmp_path / "ledger.sqlite")) as client:
        with pytest.raises(LedgerError, match=r"file is not a database.* Nothing was sent"):
            await client.submit(SONG, key="k")
    assert sandbox.charges == ()


async def test_a_task_that_could_not_be_recorded_is_still_returned(
    sandbox: ProducerSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The song is paid for: if an error were raised instead, its id would be lost."""

    class FullLedger(MemoryLedger):
        async def replace(self, old: Entry, new: Entry | None) -> bool:
            if new is None or new.answer is not None:
                raise OSError("No space left on device")
            return await super().replace(old, new)

    async with client_on(sandbox, FullLedger()) as client:
        task = await client.submit(SONG, key="k")
        assert [charge.task_id for charge in sandbox.charges] == [task.task_id]
        assert f"Task {task.task_id} was submitted" in caplog.text
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")


async def test_memory_forgets_nothing() -> None:
    """A request whose entry was dropped would be paid for again."""
    ledger = MemoryLedger()
    for n in range(10_001):
        await ledger.begin(entry(f"k{n}"))
    assert await ledger.begin(entry("k0")) is not None


async def test_without_a_key_each_call_is_a_new_request(sandbox: ProducerSandbox) -> None:
    """Someone who asks for two takes of the same prompt would get one of them twice."""
    async with client_on(sandbox, MemoryLedger()) as client:
        first, second = await client.submit(SONG), await client.submit(SONG)
    assert first.task_id != second.task_id


def tool_graph(tool: Any, **options: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.add_edge(START, "tools")
    return builder.compile(**options)


def calling(call_id: str = "c1") -> dict[str, Any]:
    call = {"type": "tool_call", "id": call_id, "name": "producer_generate_music", "args": {"prompt": "a waltz"}}
    return {"messages": [AIMessage("", id="m", tool_calls=[call])]}


async def task_id_of_call(tool: Any, thread: str, call_id: str = "c1", **options: Any) -> str:
    graph = tool_graph(tool, checkpointer=InMemorySaver(), **options)
    state = await graph.ainvoke(calling(call_id), {"configurable": {"thread_id": thread}})
    task_id: str = json.loads(state["messages"][-1].text)["task_id"]
    return task_id


async def test_a_tool_call_is_identified_by_its_thread_and_id(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """A model's call ids may repeat in another thread, whose user would then get this one's song."""
    tool = ProducerGenerateMusic(client=client)
    one, again = await task_id_of_call(tool, "one"), await task_id_of_call(tool, "one")
    other, next_call = await task_id_of_call(tool, "two"), await task_id_of_call(tool, "one", "c2")
    assert one == again
    assert len({one, other, next_call}) == len(sandbox.charges) == 3


async def test_arguments_from_the_graph_are_not_sent(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """LangGraph's objects would reach the service, and the request would have another fingerprint outside a graph."""
    await task_id_of_call(ProducerGenerateMusic(client=client), "one")
    await client.submit(SONG)
    first, second = (charge.request for charge in sandbox.charges)
    assert first == second
    assert "runtime" not in first


async def test_the_store_of_the_graph_is_the_ledger(sandbox: ProducerSandbox) -> None:
    """A worker that takes over after a crash has only the store of the worker before it."""
    store, ids = InMemoryStore(), []
    for _ in range(2):
        async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
            ids.append(await task_id_of_call(ProducerGenerateMusic(client=client), "one", store=store))
    assert len(set(ids)) == len(sandbox.charges) == 1


async def test_an_application_can_set_the_key_and_a_model_cannot(
    client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A model that could set the key would get the song of another request."""
    tool = ProducerGenerateMusic(client=client)
    for _ in range(2):
        await tool.ainvoke({"prompt": "x", "submission_key": "mine"})
    assert len(sandbox.charges) == 1
    forged = {"prompt": "x", "submission_key": "mine"}
    await tool.ainvoke({"type": "tool_call", "id": "c", "name": tool.name, "args": forged})
    assert len(sandbox.charges) == 2
