"""Keys and ledgers of SubmitNode: what counts as the same request, and what happens after an unknown outcome."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy, Send
from typing_extensions import TypedDict

from producer_tools import Ledger, MemoryLedger, ProducerClient, SqliteLedger, StoreLedger, Task
from producer_tools.langgraph import SongRequest, SongState, SubmitNode
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.langgraph.runner import AUDIOS, Builder, Runner, fast_client, is_json, paid_task_ids, request, sync_and_async
from tests.langgraph.song_graphs import WALTZ, build_checked_graph, order


@pytest.fixture(params=["memory", "sqlite", "store"])
async def recording(request: pytest.FixtureRequest, sandbox: ProducerSandbox, tmp_path: Path) -> Any:
    """A client, the graph's store if that holds the ledger, and the ``ledger`` argument of `release` and `adopt`."""
    store = InMemoryStore() if request.param == "store" else None
    own: dict[str, Ledger] = {"memory": MemoryLedger(), "sqlite": SqliteLedger(tmp_path / "ledger.sqlite")}
    async with fast_client(sandbox, ledger=own.get(request.param)) as client:
        yield client, store, StoreLedger(store) if store else None


@sync_and_async
async def test_an_unknown_outcome_is_sent_again_only_after_release(
    run: Runner, recording: Any, sandbox: ProducerSandbox, directory: Path
) -> None:
    """You may have been charged: only a person may let it be sent again, by the key in the error."""
    client, store, ledger = recording
    sandbox.listing.answer = "forbidden"  # else the task would be found
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    graph = build_checked_graph(client, directory)
    first = await run(graph, order(key="the waltz"), store=store)
    second = await run(graph, order(key="the waltz"), store=store)
    for state in (first, second):
        assert state["error"]["code"] == "unknown_outcome"
        assert "unknown: it may have been carried out and charged" in state["error"]["message"]
        assert is_json(state)
    assert len(paid_task_ids(sandbox)) == 1

    assert first["error"]["key"] == second["error"]["key"]
    await client.release(first["error"]["key"], ledger=ledger)
    third = await run(graph, order(key="the waltz"), store=store)
    assert third["error"] is None
    assert paid_task_ids(sandbox)[1:] == [third["task"]["task_id"]]


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE_WORK, Fault.TIMEOUT_AFTER_WORK, Fault.RESET_IN_ANSWER, Fault.HTML]
)
async def test_each_unknown_outcome_has_the_same_code(
    fault: Fault, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """With the service's own code, a graph would treat it as a failure that costs nothing."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for
    sandbox.fail_next(fault, endpoint=AUDIOS)
    state = await SubmitNode(client).ainvoke(order(key="the waltz"))
    assert (state["error"]["code"], state["error"]["key"]) == ("unknown_outcome", "the waltz")


async def test_an_unknown_outcome_becomes_the_adopted_task(
    run: Runner, recording: Any, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Otherwise a song that is already in the account would be paid for again."""
    client, store, ledger = recording
    sandbox.listing.answer = "forbidden"  # else the task would be found
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    graph = build_checked_graph(client, directory)
    lost = await run(graph, order(key="the waltz"), store=store)
    (charge,) = sandbox.charges
    await client.adopt(lost["error"]["key"], charge.task_id, ledger=ledger)
    found = await run(graph, order(key="the waltz"), store=store)
    assert (found["error"], found["task"]["task_id"]) == (None, charge.task_id)
    assert found["files"]
    assert len(paid_task_ids(sandbox)) == 1


async def test_an_unknown_key_cannot_be_adopted(recording: Any) -> None:
    """A person who mistypes a key would believe that the request is settled."""
    client, _, ledger = recording
    with pytest.raises(KeyError, match="no such key"):
        await client.adopt("no such key", "a task", ledger=ledger)


async def test_the_error_names_the_key_of_a_step_without_one(
    run: Runner, graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Without it, nobody could adopt or release that request."""
    sandbox.listing.answer = "forbidden"  # else the task would be found
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    lost = await run(graph, order())
    await client.adopt(lost["error"]["key"], sandbox.charges[0].task_id)
    task = await client.submit(GenerateMusic(prompt="a waltz"), key=lost["error"]["key"])
    assert task.task_id == sandbox.charges[0].task_id
    assert len(paid_task_ids(sandbox)) == 1


async def test_a_key_of_another_request_is_an_error(run: Runner, graph: Builder, sandbox: ProducerSandbox) -> None:
    """One of the two requests would get the other's song."""
    await run(graph, order(key="mine"))
    state = await run(graph, order(request("generate_music", prompt="a tango"), key="mine"))
    assert state["error"]["code"] == "key_reused"
    assert len(paid_task_ids(sandbox)) == 1


class DroppingClient(ProducerClient):
    """Submits, and then fails twice with an error that LangGraph retries. A third failure would end the run."""

    failures = 2

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        task = await super().submit(*args, **kwargs)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("lost after it was paid for")
        return task


@sync_and_async
@pytest.mark.parametrize(
    ("thread", "more"), [(None, {}), ("a thread", {}), ("a thread", {"key": "the waltz"})], ids=str
)
async def test_a_retry_policy_does_not_pay_twice(
    thread: str | None, more: Any, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """LangGraph runs the node three times: the ledger must recognise the request."""
    async with fast_client(sandbox, DroppingClient) as client:
        graph = build_checked_graph(client, directory, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
        state = await run(graph, order(**more), thread=thread)
    assert paid_task_ids(sandbox) == [state["task"]["task_id"]]


@pytest.mark.parametrize(
    ("threads", "more", "songs"),
    [
        (["one", "one"], {"key": "the waltz"}, 1),
        (["one", "one"], {}, 2),
        (["one", "two"], {"key": "the waltz"}, 2),
        ([None, None], {"key": "the waltz"}, 2),
        ([None, None], {}, 2),
    ],
    ids=str,
)
async def test_what_counts_as_the_same_request(
    threads: list[str | None], more: Any, songs: int, run: Runner, graph: Builder
) -> None:
    """A key names a request within its thread. Without a key or without a thread, each run is a new request."""
    made = [await run(graph, order(**more), thread=thread) for thread in threads]
    assert len({state["task"]["task_id"] for state in made}) == songs


@sync_and_async
async def test_two_equal_requests_in_one_step_are_two_songs(
    run: Runner, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Someone who asks for the same song twice at once would be given one song twice."""

    def collect(tasks: list[Any], task: Any) -> list[Any]:
        return [*tasks, task]

    class Twins(TypedDict):
        request: SongRequest
        task: Annotated[list[Any], collect]
        error: Annotated[list[Any], collect]

    graph: Builder = StateGraph(Twins)
    graph.add_node("submit", SubmitNode(client))
    graph.add_conditional_edges(START, lambda state: [Send("submit", state), Send("submit", state)], ["submit"])
    state = await run(graph, {"request": WALTZ})
    assert state["error"] == [None, None]
    assert {task["task_id"] for task in state["task"]} == set(paid_task_ids(sandbox))
    assert len(paid_task_ids(sandbox)) == 2


@pytest.mark.parametrize("own", [False, True])
async def test_the_ledger_is_the_clients_or_else_the_graphs_store(
    own: bool, run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A fleet shares the store: a request recorded elsewhere would be paid for again by the next worker."""
    store = InMemoryStore()
    ledger = MemoryLedger() if own else None
    for _ in range(2):
        async with fast_client(sandbox, ledger=ledger) as client:
            state = await run(build_checked_graph(client, directory), order(key="the waltz"), store=store)
    assert state["error"] is None
    assert len(paid_task_ids(sandbox)) == 1
    recorded = [entry.answer and entry.answer["task_id"] for entry in await StoreLedger(store).entries()]
    assert recorded == ([] if own else [state["task"]["task_id"]])


@sync_and_async
async def test_a_retried_subgraph_does_not_pay_again(
    run: Runner, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A user's retry policy around the whole subgraph runs the submit again after a later step failed."""
    errors = [ConnectionError("temporary")]

    def fail_once(_: SongState) -> None:
        if errors:
            raise errors.pop()

    inner: Builder = StateGraph(SongState)
    inner.add_sequence([("submit", SubmitNode(client)), ("fail once", fail_once)])
    inner.add_edge(START, "submit")
    outer: Builder = StateGraph(SongState)
    outer.add_node("song", inner.compile(), retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    outer.add_edge(START, "song")
    for thread in ("a thread", None):
        state = await run(outer, {"request": WALTZ}, thread=thread)
        assert state["task"]["task_id"] == paid_task_ids(sandbox)[-1]
    assert len(paid_task_ids(sandbox)) == 2, "once with a thread, once without"


@pytest.mark.parametrize(("key", "songs"), [("the waltz", 1), (None, 2)])
async def test_time_travel_makes_a_new_request_unless_there_is_a_key(
    key: str | None, songs: int, run: Runner, plain_graph: Builder, sandbox: ProducerSandbox
) -> None:
    """Someone who goes back to an old checkpoint may want another song or the same one; only a key can say which."""
    await run(plain_graph, {"request": WALTZ, "key": key})
    graph, config = run.compiled(plain_graph)
    before = [state async for state in graph.aget_state_history(config) if state.next == ("submit",)]
    again = await graph.ainvoke(None, before[0].config)
    assert len(paid_task_ids(sandbox)) == songs
    assert again["task"]["task_id"] == paid_task_ids(sandbox)[-1]
