"""An agent whose model hears the songs that it has saved: in one call, and in no checkpoint."""

import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.langgraph.listening import ListenMiddleware
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from tests.langgraph.fake_model import FakeModel, calling
from tests.langgraph.runner import MODES
from tests.tools.songs_on_disk import played

THREAD: Any = {"configurable": {"thread_id": "a thread"}}


@pytest.fixture
def agent(client: ProducerClient, directory: Path) -> Callable[..., Any]:
    """Makes an agent that has the toolkit, the middleware, and a checkpointer."""

    def make(model: FakeModel, **options: Any) -> Any:
        tools = ProducerToolkit(client=client, download_dir=directory, listen=True).get_tools()
        middleware = [ListenMiddleware(directory, **options)]
        return create_agent(model, tools, middleware=middleware, checkpointer=InMemorySaver())

    return make


async def finished(client: ProducerClient) -> str:
    """The id of a finished task."""
    task_id = (await client.submit(GenerateMusic(prompt="a waltz"))).task_id
    assert task_id
    return task_id


def saving(task_id: str, **options: Any) -> FakeModel:
    """A model that saves a task, and then speaks."""
    answers: list[Any] = [lambda _: calling("download_results", task_id=task_id), lambda _: AIMessage("A waltz.")]
    return FakeModel(answers=answers, **options)


async def run(agent: Any, mode: str, text: str = "How is it?") -> dict[str, Any]:
    given = {"messages": [HumanMessage(text)]}
    return dict(await agent.ainvoke(given, THREAD) if mode == "ainvoke" else agent.invoke(given, THREAD))


@pytest.mark.parametrize("mode", MODES)
async def test_the_model_hears_a_song_once(mode: str, agent: Callable[..., Any], client: ProducerClient) -> None:
    """The model must hear the saved file in the call after the download, and not pay for it in every later one."""
    model = saving(await finished(client), profile={"audio_inputs": True})
    graph = agent(model)
    state = await run(graph, mode)
    (file,) = [file for file in state["messages"][2].artifact["files"] if file["kind"] == "audio"]
    await run(graph, mode, "Thanks.")
    first, second, later = model.calls
    assert played(second) == [Path(file["path"]).read_bytes()]
    assert played([*first, *later]) == []
    assert [message.type for message in second] == ["human", "ai", "tool", "human"]
    assert [message.type for message in later] == ["human", "ai", "tool", "ai", "human"]


@pytest.mark.parametrize("mode", MODES)
async def test_no_audio_gets_into_a_checkpoint(mode: str, agent: Callable[..., Any], client: ProducerClient) -> None:
    """A checkpointer writes each state anew: a song of two megabytes would be stored with every step."""
    model = saving(await finished(client), profile={"audio_inputs": True})
    graph = agent(model)
    state = await run(graph, mode)
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    (audio,) = [block["base64"] for block in model.calls[1][-1].content if block["type"] == "audio"]  # type: ignore[index]
    saver = graph.checkpointer
    written = pickle.dumps([list(saver.blobs.items()), list(saver.writes.items()), list(saver.list(THREAD))])
    assert b"A waltz." in written
    assert audio[1000:1100].encode() not in written
    assert played([message for step in graph.get_state_history(THREAD) for message in step.values["messages"]]) == []


async def test_nothing_of_the_audio_is_streamed(agent: Callable[..., Any], client: ProducerClient) -> None:
    """A chat page shows what is streamed; nobody there has sent a message with audio."""
    model = saving(await finished(client), profile={"audio_inputs": True})
    modes: Any = ["messages", "updates", "values", "custom"]
    events = [event async for event in agent(model).astream({"messages": [("user", "?")]}, THREAD, stream_mode=modes)]
    assert "A waltz." in str(events)
    assert len(played(model.calls[1])) == 1
    assert "base64" not in str(events)


@pytest.mark.parametrize("options", [{}, {"profile": {"audio_inputs": False}}], ids=["unknown", "text only"])
async def test_a_text_only_model_reads_the_result_only(
    options: dict[str, Any], agent: Callable[..., Any], client: ProducerClient
) -> None:
    """Its provider would refuse a message with audio, and the run would end."""
    model = saving(await finished(client), **options)
    state = await run(agent(model), "ainvoke")
    assert model.calls[1] == state["messages"][:3]


async def test_the_application_may_say_that_a_model_hears(agent: Callable[..., Any], client: ProducerClient) -> None:
    """LangChain has no profile of many models that take audio, such as gpt-audio."""
    model = saving(await finished(client))
    await run(agent(model, hears=True), "ainvoke")
    assert len(played(model.calls[1])) == 1


async def test_a_song_that_was_deleted_does_not_end_the_run(
    agent: Callable[..., Any], client: ProducerClient, directory: Path
) -> None:
    """A run may go on days later, when the files have been moved away."""
    model = saving(await finished(client), profile={"audio_inputs": True})
    graph = agent(model)
    given = {"messages": [HumanMessage("How is it?")]}
    await graph.ainvoke(given, THREAD, interrupt_after=["tools"])
    for path in directory.iterdir():
        path.unlink()
    state = await graph.ainvoke(None, THREAD)
    assert state["messages"][-1].text == "A waltz."
    assert "cannot be played: the file is no longer there" in model.calls[1][-1].text


@pytest.mark.parametrize("folder", [".", "another"])
async def test_the_sandbox_model_ends_after_it_has_heard_the_song(
    folder: str, client: ProducerClient, directory: Path, sandbox: ProducerSandbox
) -> None:
    """It must not take the message with the audio, or the one that says why there is none, for another wish."""
    tools = ProducerToolkit(client=client, download_dir=directory, listen=True).get_tools()
    middleware = [ListenMiddleware(directory / folder, hears=True)]
    agent: Any = create_agent(ScriptedChatModel(), tools, middleware=middleware)
    state = await agent.ainvoke({"messages": [HumanMessage("a waltz")]})
    assert state["messages"][-1].text.startswith("Saved")
    assert len(sandbox.charges) == 1


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """``No module named 'langchain'`` sends a user to the wrong package and version."""
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    monkeypatch.delitem(sys.modules, "producer_tools.langgraph.listening")
    with pytest.raises(ImportError, match=r'pip install "producer-tools\[agent\]"'):
        importlib.import_module("producer_tools.langgraph.listening")
