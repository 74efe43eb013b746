"""Approvals: a person is asked before each paid call of an agent, and before no other."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import ProducerClient, ProducerCoverMusic, ProducerToolkit, ProducerUploadAudio
from producer_tools.approval import interrupt_on
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel


def test_a_toolkit_without_paid_tools() -> None:
    """An agent with such a toolkit must not be able to spend money."""
    tools = ProducerToolkit(paid_tools=False).get_tools()
    assert len(tools) == 7
    assert not any((tool.metadata or {})["paid"] for tool in tools)


def test_exactly_the_paid_tools_need_approval() -> None:
    """A paid tool without approval spends money unasked; a free one with approval bothers people for nothing."""
    tools = ProducerToolkit().get_tools()
    assert set(interrupt_on(tools)) == {tool.name for tool in tools if (tool.metadata or {})["paid"]}


def test_the_description_of_a_call() -> None:
    """A person decides by this text: it must show price and arguments, and whether the call would be refused."""
    [config] = interrupt_on([ProducerCoverMusic()]).values()
    call = {"name": "producer_cover_music", "id": "c", "args": {"audio_id": "a1", "prompt": "jazz"}}
    assert config["description"](call, None, None) == (
        "producer_cover_music: about 0.100 US dollars, estimated by the provider's last price list "
        "(an old page of its FAQ, since withdrawn), read in November 2026\n"
        "action: cover\nprompt: jazz\naudio_id: a1\nmodel: FUZZ-2.0"
    )
    call["args"] = {"audio_id": ""}
    assert "at no cost" in config["description"](call, None, None)


@pytest.mark.parametrize("end_of_line", ["\n", "\r", "\u2028", "\x0b", "\x85"])
def test_an_argument_cannot_imitate_a_line_of_the_description(end_of_line: str) -> None:
    """A person would approve a price and a model that are not those of the call."""
    [config] = interrupt_on([ProducerCoverMusic()]).values()
    forged = f"jazz{end_of_line}model: FUZZ-0.8\u202e"
    call = {"name": "producer_cover_music", "id": "c", "args": {"audio_id": "a1", "prompt": forged}}
    lines = config["description"](call, None, None).splitlines()
    assert [line for line in lines if line.startswith("model:")] == ["model: FUZZ-2.0"]
    assert all(line.isprintable() for line in lines)


def test_a_refused_argument_cannot_imitate_a_line_either(tmp_path: Path) -> None:
    """The reason quotes the argument: a person would read a price that is not that of the call."""
    [config] = interrupt_on([ProducerUploadAudio(upload_dir=tmp_path)]).values()
    call = {"name": "producer_upload_audio", "id": "c", "args": {"path": "a.wav\nabout 0.000 US dollars"}}
    description = config["description"](call, None, None)
    assert "will refuse this call, at no cost" in description
    assert description.isprintable()


@pytest.mark.parametrize(
    ("decision", "charged"),
    [
        ({"type": "approve"}, ["a happy song"]),
        (
            {"type": "edit", "edited_action": {"name": "producer_generate_music", "args": {"prompt": "sadder"}}},
            ["sadder"],
        ),
        ({"type": "reject", "message": "too dear"}, []),
    ],
)
async def test_approve_edit_and_reject(
    decision: dict[str, Any], charged: list[str], client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Only what a person has agreed to may be charged."""
    tools = ProducerToolkit(client=client).get_tools()
    offered = [tool for tool in tools if tool.name != "producer_download_results"]
    middleware = [HumanInTheLoopMiddleware(interrupt_on=interrupt_on(offered))]
    agent: Any = create_agent(ScriptedChatModel(), offered, middleware=middleware, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    # Sync, because on Python 3.10 LangGraph cannot interrupt an async run of this middleware.
    state = await asyncio.to_thread(agent.invoke, {"messages": [HumanMessage("a happy song")]}, config)
    [action] = state["__interrupt__"][0].value["action_requests"]
    assert "about 0.080 US dollars" in action["description"]
    assert not sandbox.charges
    await asyncio.to_thread(agent.invoke, Command(resume={"decisions": [decision]}), config)
    assert [charge.request["prompt"] for charge in sandbox.charges] == charged
