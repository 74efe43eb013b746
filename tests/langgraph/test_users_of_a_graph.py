"""One graph serves many users: a function tells the client whose token a run uses."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from producer_tools import ProducerClient, ProducerGenerateMusic, ProducerToolkit
from producer_tools.langgraph import album_graph
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import FastClock
from tests.test_secrets import RecordingTracer

TOKENS = {"ada": "sk-ada-4f9c1e7a55", "bob": "sk-bob-b82d06c3d1"}


async def token_of_user(config: RunnableConfig) -> str:
    """As an application would ask its vault."""
    await asyncio.sleep(0)
    return TOKENS[config["configurable"]["user"]]


@pytest.fixture
def sandbox() -> Any:
    with ProducerSandbox(render_seconds=0, api_token=TOKENS["ada"], silent=True) as running:
        running.add_user(TOKENS["bob"])
        yield running


@pytest.fixture
async def client(sandbox: ProducerSandbox) -> AsyncIterator[ProducerClient]:
    async with ProducerClient(token_of_user, sandbox.base_url, clock=FastClock(20)) as made:
        yield made


def payers(sandbox: ProducerSandbox) -> list[tuple[str, str]]:
    """What was charged, and to whom."""
    users = dict(zip((user.user_id for user in sandbox.users), TOKENS, strict=True))
    return sorted((users[charge.user_id], charge.request["prompt"]) for charge in sandbox.charges)


@pytest.mark.parametrize("run", ["ainvoke", "invoke"])
async def test_albums_of_several_users(
    run: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """With one token for all, one user would pay for the others' albums, and see their tasks."""
    saver = InMemorySaver()
    graph: Any = album_graph(client, download_dir=tmp_path).compile(checkpointer=saver, store=InMemoryStore())
    tracer = RecordingTracer()

    async def album(user: str) -> Any:
        config = {"configurable": {"thread_id": user, "user": user}, "callbacks": [tracer]}
        wishes = {"wishes": [f"first of {user}", f"second of {user}"]}
        if run == "ainvoke":
            return await graph.ainvoke(wishes, config)
        return await asyncio.to_thread(graph.invoke, wishes, config)

    states = await asyncio.gather(*map(album, TOKENS))
    assert payers(sandbox) == [(user, f"{n} of {user}") for user in TOKENS for n in ("first", "second")]
    assert all(song["files"] and not song["error"] for state in states for song in state["songs"])
    stored = f"{saver.storage} {saver.blobs} {saver.writes} {tracer.runs} {states}"
    assert "first of ada" in stored
    assert not [token for token in TOKENS.values() if token in stored]


@pytest.mark.parametrize("run", ["ainvoke", "invoke"])
async def test_agents_of_several_users(
    run: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    """The tools submit, wait and save as the user for whom the agent runs."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode(ProducerToolkit(client=client, download_dir=tmp_path).get_tools()))
    builder.add_edge(START, "tools")
    graph: Any = builder.compile(checkpointer=InMemorySaver())

    async def call(user: str, name: str, **arguments: Any) -> dict[str, Any]:
        message = AIMessage(
            "", tool_calls=[{"type": "tool_call", "id": f"call {name}", "name": name, "args": arguments}]
        )
        config = {"configurable": {"thread_id": user, "user": user}}
        if run == "ainvoke":
            state = await graph.ainvoke({"messages": [message]}, config)
        else:
            state = await asyncio.to_thread(graph.invoke, {"messages": [message]}, config)
        content: dict[str, Any] = json.loads(state["messages"][-1].text)
        return content

    async def song(user: str) -> list[Any]:
        task_id = (await call(user, "producer_generate_music", prompt=f"song of {user}"))["task_id"]
        await call(user, "producer_wait_for_tasks", task_ids=[task_id])
        return list((await call(user, "producer_download_results", task_id=task_id))["files"])

    assert all(await asyncio.gather(*map(song, TOKENS)))
    assert payers(sandbox) == [(user, f"song of {user}") for user in TOKENS]


async def test_a_function_may_ask_the_user_to_log_in(sandbox: ProducerSandbox) -> None:
    """The interrupt would become an error, and the user would never be asked."""

    def token_after_login(_: RunnableConfig) -> str:
        return TOKENS[interrupt("Log in, please")]

    call = {"name": "producer_generate_music", "args": {"prompt": "a waltz"}, "id": "c", "type": "tool_call"}
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    async with ProducerClient(token_after_login, sandbox.base_url) as client:
        builder: Any = StateGraph(MessagesState).add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
        graph = builder.add_edge(START, "tools").compile(checkpointer=InMemorySaver())
        asked = await graph.ainvoke({"messages": [AIMessage("", tool_calls=[call])]}, config)
        assert asked["__interrupt__"][0].value == "Log in, please"
        assert not sandbox.charges
        await graph.ainvoke(Command(resume="bob"), config)
    assert payers(sandbox) == [("bob", "a waltz")]
