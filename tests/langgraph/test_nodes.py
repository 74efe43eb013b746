"""SubmitNode, WaitNode and DownloadNode, inside and outside of graphs."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from producer_tools import ProducerClient
from producer_tools.langgraph import DownloadNode, SubmitNode, WaitNode
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock, ManualClock
from tests.langgraph.runner import (
    MODES,
    SQLITE_MODES,
    Builder,
    Runner,
    every_checkpointer,
    fast_client,
    is_json,
    open_runner,
    paid_task_ids,
    request,
    sync_and_async,
)
from tests.langgraph.song_graphs import Order, build_checked_graph, order
from tests.payment.calls import recorded_session
from tests.raw_server import answering, http
from tests.saved_files import saved_files


@every_checkpointer
async def test_a_song_from_a_request_to_a_file(
    run: Runner, graph: Builder, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The user's own keys must survive, and a checkpointer must restore the same JSON state."""
    state = await run(graph, order())
    assert state["thanks"] == "Ann, your song is complete"
    assert (state["error"], state["task"]["success"]) == (None, True)
    assert {saved["path"] for saved in state["files"]} == {str(path) for path in saved_files(directory)}
    assert paid_task_ids(sandbox) == [state["task"]["task_id"]]
    assert is_json(state)
    assert await run.state(graph) == state


@pytest.mark.parametrize("mode", SQLITE_MODES)
async def test_another_process_reads_the_same_state(mode: str, graph: Builder, tmp_path: Path) -> None:
    """After a crash, the file of checkpoints is all that is left."""
    async with open_runner(mode, tmp_path) as run:
        state = await run(graph, order())
    async with open_runner(mode, tmp_path) as run:
        assert await run.state(graph) == state


@pytest.mark.parametrize("tool", ["extend_music", "cover_music", "variation_music", "generate_wav"])
async def test_each_tool_name_leads_to_its_endpoint(
    tool: str, run: Runner, graph: Builder, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A name that leads to another tool would pay for something else."""
    first = await client.submit(GenerateMusic(prompt="x"))
    finished = await client.get_task(str(first.task_id))
    audio_id = finished.results[0]["audio_id"]
    more: dict[str, Any] = {"continue_at": 5} if tool == "extend_music" else {}
    state = await run(graph, order(request(tool, audio_id=audio_id, **more)))
    assert state["error"] is None
    assert state["files"]
    charge = sandbox.charges[-1]
    assert (charge.task_id, charge.request["audio_id"]) == (state["task"]["task_id"], audio_id)
    assert tool == ("generate_wav" if charge.endpoint == "/producer/wav" else f"{charge.action}_music")


async def test_a_task_that_is_final_at_once_is_not_waited_for(sandbox: ProducerSandbox, directory: Path) -> None:
    """Waiting for finished lyrics would cost a needless look-up."""
    async with recorded_session() as (session, paths):
        client = ProducerClient(sandbox.api_token, sandbox.base_url, session=session)
        graph: Builder = StateGraph(Order)
        graph.add_sequence([("submit", SubmitNode(client)), ("wait", WaitNode(client))])
        graph.add_edge(START, "submit")
        state = await graph.compile().ainvoke(order(request("generate_lyrics", prompt="rain")))
        saved = await DownloadNode(client, directory).ainvoke(state)
    assert state["error"] is None
    assert state["task"]["results"][0]["lyrics"].startswith("[Verse]")
    assert paths[0] == "/producer/lyrics"
    assert paths[1:] == ["/producer/tasks"], "only the download looks the task up"
    assert saved["error"]["code"] == "no_files"


@sync_and_async
async def test_progress_is_streamed_while_the_song_is_made(run: Runner, directory: Path) -> None:
    """Without it, an application shows nothing for a minute."""
    clock, steps, progress = ManualClock(), [], []
    with ProducerSandbox(render_seconds=60, clock=clock, silent=True) as sandbox:
        async with fast_client(sandbox) as client:
            graph, modes = build_checked_graph(client, directory), ["custom", "updates"]
            async for mode, event in run.events(graph, order(), stream_mode=modes):
                steps.append(mode if mode == "custom" else next(iter(event)))
                if mode == "custom":
                    progress.append(event)
                    clock.advance(25)
    assert steps == ["submit", *["custom"] * 4, "wait", "download", "thank"]
    assert {(event["type"], event["task_id"]) for event in progress} == {("producer_progress", progress[0]["task_id"])}
    assert [event["state"] for event in progress] == ["pending", "processing", "processing", "complete"]
    assert [event["percent"] for event in progress] == [None, 41, 83, 100]


@sync_and_async
async def test_a_timeout_loses_nothing(run: Runner, directory: Path) -> None:
    """The task must stay in the state, and the previews of an unfinished song must not be saved as the song."""
    clock = ManualClock()
    with ProducerSandbox(render_seconds=60, clock=clock, silent=True) as sandbox:
        async with fast_client(sandbox, clock=InstantClock()) as client:
            graph = build_checked_graph(client, directory)
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

            assert (await run(graph, order(key="the waltz")))["error"]["code"] == "not_finished"
            clock.advance(60)
            done = await run(graph, order(key="the waltz"))
    assert done["error"] is None
    assert done["files"]
    assert not any("preview" in saved["url"] for saved in done["files"])


@pytest.mark.parametrize("mode", MODES)
async def test_nodes_outside_a_graph(
    mode: str, client: ProducerClient, sandbox: ProducerSandbox, directory: Path
) -> None:
    """A node called as a function must pay once for a key, and each time without a key."""

    async def step(node: Any, state: Any) -> Any:
        return {**state, **(node.invoke(state) if mode == "invoke" else await node.ainvoke(state))}

    submit = SubmitNode(client)
    same = [await step(submit, order(key="order-4711")) for _ in range(2)]
    new = [await step(submit, order()) for _ in range(2)]
    ids = [state["task"]["task_id"] for state in same + new]
    assert ids[0] == ids[1]
    assert paid_task_ids(sandbox) == ids[1:]
    state = await step(DownloadNode(client, directory), await step(WaitNode(client), new[0]))
    assert state["error"] is None
    assert state["files"]


async def test_files_of_a_result_without_a_task_id(directory: Path) -> None:
    """A video or WAV file may come without a task id to look it up by; it was paid for, so it must be saved."""
    async with answering(b"") as server:
        url = f"{server.base_url}/a.wav"
        server.replies[:] = [
            http({"success": True, "data": [{"file_url": url}]}),
            http(b"RIFF\0\0\0\0WAVEdata\0\0\0\0", content_type="audio/wav"),
        ]
        async with ProducerClient("a token", server.base_url, clock=InstantClock()) as client:
            state = await SubmitNode(client).ainvoke(order(request("generate_wav", audio_id="a")))
            assert state["task"]["task_id"] is None
            assert (await WaitNode(client).ainvoke(state))["error"] is None
            saved = await DownloadNode(client, directory).ainvoke(state)
    assert saved["error"] is None
    assert [file["url"] for file in saved["files"]] == [url]
