"""SubmitNode, WaitNode and DownloadNode in graphs of a user's own."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy, Send
from typing_extensions import TypedDict

import producer_tools
from producer_tools import (
    Budget,
    Ledger,
    MemoryLedger,
    MissingTokenError,
    ProducerClient,
    RateLimitError,
    ServiceUnreachableError,
    SqliteLedger,
    StoreLedger,
    Task,
)
from producer_tools.langgraph import DownloadNode, SongRequest, SongState, SubmitNode, WaitNode
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox, files
from tests.clocks import FastClock, InstantClock, ManualClock
from tests.langgraph.runs import (
    AUDIOS,
    ON_DISK,
    WAYS,
    Builder,
    Runs,
    both_ways,
    client_of,
    everywhere,
    gone,
    is_plain,
    paid,
    request,
    running,
)
from tests.payment.calls import counting
from tests.raw_server import answering, http

WALTZ = request("generate_music", prompt="a waltz")


class Order(SongState, total=False):
    """A user's state: a song, and what is no business of the nodes."""

    customer: str
    thanks: str


def thank(state: Order) -> dict[str, str]:
    return {"thanks": f"{state['customer']}, your song is {state['task']['state']}"}


def song_graph(client: ProducerClient, directory: Path, **submitting: Any) -> Builder:
    """From a request to files, as a user would draw it."""
    graph: Builder = StateGraph(Order)
    graph.add_node("submit", SubmitNode(client), **submitting)
    graph.add_node("wait", WaitNode(client))
    graph.add_node("download", DownloadNode(client, directory))
    graph.add_node("thank", thank)
    graph.add_edge(START, "submit")
    for step, following in [("submit", "wait"), ("wait", "download"), ("download", "thank")]:
        graph.add_conditional_edges(step, _unless_error(following), [following, END])
    return graph


def _unless_error(step: str) -> Callable[[Order], str]:
    return lambda state: END if state.get("error") else step


def order(what: SongRequest = WALTZ, **more: Any) -> dict[str, Any]:
    return {"customer": "Ann", "request": what, **more}


@pytest.fixture
def graph(client: ProducerClient, directory: Path) -> Builder:
    return song_graph(client, directory)


@everywhere
async def test_a_song_from_a_request_to_a_file(
    runs: Runs, graph: Builder, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The state is the user's own, plain, and the same when a checkpointer brings it back."""
    state = await runs(graph, order())
    assert state["thanks"] == "Ann, your song is complete"
    assert (state["error"], state["task"]["success"]) == (None, True)
    assert {saved["path"] for saved in state["files"]} == {str(path) for path in directory.iterdir()}
    assert paid(sandbox) == [state["task"]["task_id"]]
    assert is_plain(state)
    assert await runs.state(graph) == state


@pytest.mark.parametrize("way", ON_DISK)
async def test_another_process_reads_the_same_state(way: str, graph: Builder, tmp_path: Path) -> None:
    """What is in the file is all that is left after the end of a process."""
    async with running(way, tmp_path) as runs:
        state = await runs(graph, order())
    async with running(way, tmp_path) as runs:
        assert await runs.state(graph) == state


@pytest.mark.parametrize("tool", ["extend_music", "cover_music", "variation_music", "generate_wav"])
async def test_each_song_tool_goes_by_its_name(
    tool: str, runs: Runs, graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A name that leads to another tool would pay for something else."""
    first = await client.submit(GenerateMusic(prompt="x"))
    finished = await client.get_task(str(first.task_id))
    audio_id = finished.results[0]["audio_id"]
    more: dict[str, Any] = {"continue_at": 5} if tool == "extend_music" else {}
    state = await runs(graph, order(request(tool, audio_id=audio_id, **more)))
    assert state["error"] is None
    assert state["files"]
    charge = sandbox.charges[-1]
    assert (charge.task_id, charge.request["audio_id"]) == (state["task"]["task_id"], audio_id)
    assert tool == ("generate_wav" if charge.endpoint == "/producer/wav" else f"{charge.action}_music")


async def test_lyrics_are_there_at_once(sandbox: ProducerSandbox, directory: Path) -> None:
    """What is final already is not waited for: not a single look is sent."""
    async with counting() as (session, sent):
        client = ProducerClient(sandbox.api_token, sandbox.base_url, session=session)
        graph: Builder = StateGraph(Order)
        graph.add_sequence([("submit", SubmitNode(client)), ("wait", WaitNode(client))])
        graph.add_edge(START, "submit")
        state = await graph.compile().ainvoke(order(request("generate_lyrics", prompt="rain")))
        saved = await DownloadNode(client, directory).ainvoke(state)
    assert state["error"] is None
    assert state["task"]["results"][0]["lyrics"].startswith("[Verse]")
    assert sent[0] == "/producer/lyrics"
    assert sent[1:] == ["/producer/tasks"], "the node that downloads has looked, and no other"
    assert saved["error"]["code"] == "no_files"


@both_ways
async def test_progress_comes_while_the_song_is_made(runs: Runs, directory: Path) -> None:
    """Without it an application shows nothing for a minute."""
    clock, steps, told = ManualClock(), [], []
    with ProducerSandbox(render_seconds=60, clock=clock) as sandbox:
        async with client_of(sandbox) as client:
            graph, modes = song_graph(client, directory), ["custom", "updates"]
            async for mode, event in runs.events(graph, order(), stream_mode=modes):
                steps.append(mode if mode == "custom" else next(iter(event)))
                if mode == "custom":
                    told.append(event)
                    clock.advance(25)
    assert steps == ["submit", *["custom"] * 4, "wait", "download", "thank"]
    assert {(event["type"], event["task_id"]) for event in told} == {("producer_progress", told[0]["task_id"])}
    assert [event["state"] for event in told] == ["pending", "processing", "processing", "complete"]
    assert [event["percent"] for event in told] == [None, 41, 83, 100]


BAD = {
    "an unknown tool": request("compose_opera", prompt="x"),
    "a tool that costs nothing": request("get_task", task_id="x"),
    "an argument missing": request("generate_music"),
    "an argument too many": request("generate_music", prompt="x", loudness=11),
    "an argument out of range": request("generate_music", prompt="x", weirdness=2),
    "no text": request("generate_music", prompt=" "),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_bad_request_is_an_error_and_sends_nothing(
    bad: SongRequest, runs: Runs, graph: Builder, sandbox: ProducerSandbox
) -> None:
    state = await runs(graph, order(bad))
    assert state["error"]["code"] == "bad_request"
    assert "Nothing was sent" in state["error"]["message"]
    assert state["task"] == {}
    assert paid(sandbox) == []
    assert (await runs(graph, order()))["error"] is None, "an error must not stay when all is well again"


@pytest.mark.parametrize("code", ["forbidden", "used_up"])
async def test_what_was_refused_may_be_run_again(
    code: str, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A refusal did no work, so its key is free; struck out wrongly, or not at all, the song is paid twice or never."""
    sandbox.fail_next(code, endpoint=AUDIOS)
    async with client_of(sandbox, clock=InstantClock()) as client:
        graph = song_graph(client, directory)
        refused = await runs(graph, order(key="the waltz"))
        assert refused["error"]["code"] == code
        assert "Nothing was charged" in refused["error"]["message"]
        assert paid(sandbox) == []
        again = await runs(graph, order(key="the waltz"))
    assert paid(sandbox) == [again["task"]["task_id"]]


async def test_a_busy_service_ends_the_run_which_then_goes_on(
    runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Were it written into the state as the song's error, a song that only had to wait would be given up."""
    for _ in range(40):
        sandbox.fail_next("too_many_requests", endpoint=AUDIOS)
    async with client_of(sandbox, clock=InstantClock()) as client:
        graph, state = song_graph(client, directory), None
        while state is None:
            with suppress(RateLimitError):
                state = await runs(graph, order(key="the waltz"))
    assert paid(sandbox) == [state["task"]["task_id"]]


async def test_a_service_out_of_reach_ends_the_run(runs: Runs, directory: Path) -> None:
    async with answering(b"") as server:
        gone = server.base_url
    async with ProducerClient("a token", gone, clock=InstantClock()) as client:
        with pytest.raises(ServiceUnreachableError, match="Nothing was sent and nothing was charged"):
            await runs(song_graph(client, directory), order())


@pytest.fixture(params=["memory", "sqlite", "store"])
async def books(request: pytest.FixtureRequest, sandbox: ProducerSandbox, tmp_path: Path) -> Any:
    """A client with its ledger, the store that the graph has, and the ledger that a person must name, if any."""
    store = InMemoryStore() if request.param == "store" else None
    own: dict[str, Ledger] = {"memory": MemoryLedger(), "sqlite": SqliteLedger(tmp_path / "ledger.sqlite")}
    async with client_of(sandbox, ledger=own.get(request.param)) as client:
        yield client, store, StoreLedger(store) if store else None


@both_ways
async def test_an_unknown_outcome_is_told_and_never_sent_again(
    runs: Runs, books: Any, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The money may be gone: only a person may say that it shall be spent once more, by the key that the error has."""
    client, store, ledger = books
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    graph = song_graph(client, directory)
    first = await runs(graph, order(key="the waltz"), store=store)
    second = await runs(graph, order(key="the waltz"), store=store)
    for state in (first, second):
        assert state["error"]["code"] == "unknown_outcome"
        assert "unknown: it may have been carried out and charged" in state["error"]["message"]
        assert is_plain(state)
    assert len(paid(sandbox)) == 1

    assert first["error"]["key"] == second["error"]["key"]
    await client.release(first["error"]["key"], ledger=ledger)
    third = await runs(graph, order(key="the waltz"), store=store)
    assert third["error"] is None
    assert paid(sandbox)[1:] == [third["task"]["task_id"]]


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE_WORK, Fault.TIMEOUT_AFTER_WORK, Fault.RESET_IN_ANSWER, Fault.HTML]
)
async def test_an_unknown_outcome_goes_by_one_code(
    fault: Fault, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A graph goes by the code: by the service's own one it would take it for a failure that costs nothing."""
    sandbox.fail_next(fault, endpoint=AUDIOS)
    state = await SubmitNode(client).ainvoke(order(key="the waltz"))
    assert (state["error"]["code"], state["error"]["key"]) == ("unknown_outcome", "the waltz")


async def test_an_unknown_outcome_becomes_the_task_that_a_person_names(
    runs: Runs, books: Any, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A song that is in the account, and paid for, need not be paid for again."""
    client, store, ledger = books
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    graph = song_graph(client, directory)
    lost = await runs(graph, order(key="the waltz"), store=store)
    (charge,) = sandbox.charges
    await client.adopt(lost["error"]["key"], charge.task_id, ledger=ledger)
    found = await runs(graph, order(key="the waltz"), store=store)
    assert (found["error"], found["task"]["task_id"]) == (None, charge.task_id)
    assert found["files"]
    assert len(paid(sandbox)) == 1


async def test_what_was_never_sent_cannot_become_a_task(books: Any) -> None:
    """A mistyped key would else be written down, and found by nobody."""
    client, _, ledger = books
    with pytest.raises(KeyError, match="no such key"):
        await client.adopt("no such key", "a task", ledger=ledger)


async def test_a_step_without_a_key_of_its_own_tells_its_key(
    runs: Runs, graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Without it nobody could let that very wish go on."""
    sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint=AUDIOS)
    lost = await runs(graph, order())
    await client.adopt(lost["error"]["key"], sandbox.charges[0].task_id)
    task = await client.submit(GenerateMusic(prompt="a waltz"), key=lost["error"]["key"])
    assert task.task_id == sandbox.charges[0].task_id
    assert len(paid(sandbox)) == 1


async def test_a_key_that_stands_for_another_wish(runs: Runs, graph: Builder, sandbox: ProducerSandbox) -> None:
    """One of them would get the other's song."""
    await runs(graph, order(key="mine"))
    state = await runs(graph, order(request("generate_music", prompt="a tango"), key="mine"))
    assert state["error"]["code"] == "key_reused"
    assert len(paid(sandbox)) == 1


async def test_a_task_that_failed_is_an_error(
    runs: Runs, graph: Builder, sandbox: ProducerSandbox, directory: Path
) -> None:
    """In the service's words; what it made in part is not passed off as the song."""
    sandbox.spoil_next("api_error", "the singer has a cold")
    state = await runs(graph, order())
    assert state["error"] == {"code": "api_error", "message": "the singer has a cold"}
    assert (state["task"]["success"], state["task"]["results"]) == (False, [])
    assert state["files"] == []
    assert not directory.exists()
    assert paid(sandbox) == []


@both_ways
async def test_a_deadline_loses_nothing(runs: Runs, directory: Path) -> None:
    """Nor are the previews of an unfinished song taken for the song."""
    clock = ManualClock()
    with ProducerSandbox(render_seconds=60, clock=clock) as sandbox:
        async with client_of(sandbox, clock=InstantClock()) as client:
            graph = song_graph(client, directory)
            state = await SubmitNode(client).ainvoke(order(key="the waltz"))
            clock.advance(30)
            late = await WaitNode(client, timeout_seconds=5).ainvoke(state)
            assert late["error"]["code"] == "not_finished"
            assert "processing after 5 seconds" in late["error"]["message"]
            assert "Do not submit again" in late["error"]["message"]
            assert late["task"]["preview_urls"]
            assert late["task"]["results"] == late["task"]["partial_results"] == []

            too_soon = await DownloadNode(client, directory).ainvoke(late)
            assert too_soon["error"]["code"] == "not_finished"
            assert not too_soon.get("files")
            assert not directory.exists()

            assert (await runs(graph, order(key="the waltz")))["error"]["code"] == "not_finished"
            clock.advance(60)
            done = await runs(graph, order(key="the waltz"))
    assert done["error"] is None
    assert done["files"]
    assert not any("preview" in saved["url"] for saved in done["files"])


@pytest.mark.parametrize("way", WAYS)
async def test_a_task_that_nobody_knows(way: str, client: ProducerClient, directory: Path) -> None:
    """It is no unfinished one: waiting for it would never end."""
    state = {"task": {"task_id": "no-such-task", "success": None}}
    for node in (WaitNode(client), DownloadNode(client, directory)):
        update = node.invoke(state) if way == "invoke" else await node.ainvoke(state)
        assert update["error"]["code"] == "not_found"
        assert "no-such-task" in update["error"]["message"]


async def test_a_look_that_is_refused_can_be_repeated(runs: Runs, graph: Builder, sandbox: ProducerSandbox) -> None:
    """The song goes on whatever becomes of the look: it must be neither lost nor paid again."""
    sandbox.fail_next("token_expired", endpoint="/producer/tasks")
    refused = await runs(graph, order(key="the waltz"))
    assert refused["error"]["code"] == "token_expired"
    done = await runs(graph, order(key="the waltz"))
    assert done["error"] is None
    assert len(paid(sandbox)) == 1


async def test_only_the_download_is_repeated(
    runs: Runs, graph: Builder, sandbox: ProducerSandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes broken is no reason to pay, and what was saved beside it stays."""
    with monkeypatch.context() as patch:
        patch.setitem(files._RENDERERS, ".wav", gone)
        broken = await runs(graph, order(key="the waltz"))
    assert broken["error"]["code"] == "download_failed"
    assert broken["error"]["message"].startswith("audio: The file is not there")
    assert [saved["kind"] for saved in broken["files"]] == ["cover"]
    (cover,) = directory.iterdir()
    saved_at = cover.stat().st_mtime_ns
    whole = await runs(graph, order(key="the waltz"))
    assert whole["error"] is None
    assert [saved["kind"] for saved in whole["files"]] == ["audio", "cover"]
    assert cover.stat().st_mtime_ns == saved_at
    assert len(paid(sandbox)) == 1


@both_ways
@pytest.mark.parametrize("where", ["the client's", "the run's"])
async def test_a_budget_holds(where: str, runs: Runs, sandbox: ProducerSandbox, directory: Path) -> None:
    """Across threads and loops: sync graphs run their nodes in other ones."""
    own = Budget(max_calls=1) if where == "the client's" else None
    async with client_of(sandbox, budget=own) as client:
        graph = song_graph(client, directory)
        with producer_tools.budget(max_calls=2 if own else 1):
            states = [await runs(graph, order()), await runs(graph, order())]
    assert [state["error"] and state["error"]["code"] for state in states] == [None, "budget_exceeded"]
    assert len(paid(sandbox)) == 1


@both_ways
async def test_without_a_token_the_run_ends_and_can_go_on(
    runs: Runs, sandbox: ProducerSandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No state can mend the application; once it is mended, the same run goes on."""
    async with ProducerClient(base_url=sandbox.base_url, poll_interval=0, clock=FastClock()) as client:
        graph = song_graph(client, directory)
        with pytest.raises(MissingTokenError):
            await runs(graph, order())
        assert paid(sandbox) == []
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", sandbox.api_token)
        state = await runs(graph, None)
    assert state["thanks"] == "Ann, your song is complete"
    assert len(paid(sandbox)) == 1


class Dropping(ProducerClient):
    """Submits, and then fails twice with what LangGraph retries; a third failure would end the run."""

    failures = 2

    async def submit(self, *args: Any, **kwargs: Any) -> Task:
        task = await super().submit(*args, **kwargs)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("lost after it was paid for")
        return task


@both_ways
@pytest.mark.parametrize(
    ("thread", "more"), [(None, {}), ("a thread", {}), ("a thread", {"key": "the waltz"})], ids=str
)
async def test_a_retry_policy_does_not_pay_twice(
    thread: str | None, more: Any, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """LangGraph runs the node three times; the ledger knows the second time that it is the same wish."""
    async with client_of(sandbox, Dropping) as client:
        graph = song_graph(client, directory, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
        state = await runs(graph, order(**more), thread=thread)
    assert paid(sandbox) == [state["task"]["task_id"]]


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
async def test_what_is_one_wish_and_what_are_two(
    threads: list[str | None], more: Any, songs: int, runs: Runs, graph: Builder
) -> None:
    """A key names a wish within its thread; without one, or without a thread, each run is a wish of its own."""
    made = [await runs(graph, order(**more), thread=thread) for thread in threads]
    assert len({state["task"]["task_id"] for state in made}) == songs


@both_ways
async def test_two_equal_wishes_of_one_step_are_two_songs(
    runs: Runs, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Who asks for the same twice at once is given two songs, not one of them twice."""

    def collect(tasks: list[Any], task: Any) -> list[Any]:
        return [*tasks, task]

    class Twins(TypedDict):
        request: SongRequest
        task: Annotated[list[Any], collect]
        error: Annotated[list[Any], collect]

    graph: Builder = StateGraph(Twins)
    graph.add_node("submit", SubmitNode(client))
    graph.add_conditional_edges(START, lambda state: [Send("submit", state), Send("submit", state)], ["submit"])
    state = await runs(graph, {"request": WALTZ})
    assert state["error"] == [None, None]
    assert {task["task_id"] for task in state["task"]} == set(paid(sandbox))
    assert len(paid(sandbox)) == 2


@pytest.mark.parametrize("way", WAYS)
async def test_outside_of_a_graph(way: str, client: ProducerClient, sandbox: ProducerSandbox, directory: Path) -> None:
    """A node is a function of a state: with a key it pays once, without one each time."""

    async def step(node: Any, state: Any) -> Any:
        return {**state, **(node.invoke(state) if way == "invoke" else await node.ainvoke(state))}

    submit = SubmitNode(client)
    same = [await step(submit, order(key="order-4711")) for _ in range(2)]
    new = [await step(submit, order()) for _ in range(2)]
    ids = [state["task"]["task_id"] for state in same + new]
    assert ids[0] == ids[1]
    assert paid(sandbox) == ids[1:]
    state = await step(DownloadNode(client, directory), await step(WaitNode(client), new[0]))
    assert state["error"] is None
    assert state["files"]


@pytest.mark.parametrize("own", [False, True])
async def test_the_ledger_is_the_clients_or_else_the_graphs_store(
    own: bool, runs: Runs, sandbox: ProducerSandbox, directory: Path
) -> None:
    """What a fleet shares is its store; a wish written down elsewhere is paid again by the next worker."""
    store = InMemoryStore()
    ledger = MemoryLedger() if own else None
    for _ in range(2):
        async with client_of(sandbox, ledger=ledger) as client:
            state = await runs(song_graph(client, directory), order(key="the waltz"), store=store)
    assert state["error"] is None
    assert len(paid(sandbox)) == 1
    written = [entry.value["answer"]["task_id"] for entry in store.search(("producer_tools", "submissions"))]
    assert written == ([] if own else [state["task"]["task_id"]])


async def test_files_of_an_answer_that_has_no_task_id(directory: Path) -> None:
    """A video or a WAV file is there at once, and nothing says that an answer brings an id: it was paid for."""
    async with answering(b"") as server:
        url = f"{server.base_url}/a.wav"
        server.replies[:] = [
            http({"success": True, "data": [{"file_url": url}]}),
            http(b"RIFF\0\0\0\0WAVE", content_type="audio/wav"),
        ]
        async with ProducerClient("a token", server.base_url, clock=InstantClock()) as client:
            state = await SubmitNode(client).ainvoke(order(request("generate_wav", audio_id="a")))
            assert state["task"]["task_id"] is None
            assert (await WaitNode(client).ainvoke(state))["error"] is None
            saved = await DownloadNode(client, directory).ainvoke(state)
    assert saved["error"] is None
    assert [file["url"] for file in saved["files"]] == [url]
