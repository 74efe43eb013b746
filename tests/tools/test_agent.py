"""The tools inside LangGraph: an agent that makes a song, a tool node, a person's approval."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from producer_tools import ProducerClient, ProducerGenerateMusic, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from producer_tools.tools.output import Output
from tests.clocks import InstantClock

pytestmark = pytest.mark.usefixtures("silent_files")


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_agent_makes_a_song(way: str, toolkit: ProducerToolkit, sandbox: ProducerSandbox) -> None:
    agent = create_agent(ScriptedChatModel(), toolkit.get_tools())
    wish: Any = {"messages": [HumanMessage("a happy song")]}
    state = agent.invoke(wish) if way == "invoke" else await agent.ainvoke(wish)
    names = [call["name"] for message in state["messages"] for call in getattr(message, "tool_calls", [])]
    assert names[:2] == ["producer_generate_music", "producer_wait_for_tasks"]
    waited = next(message for message in state["messages"] if message.name == "producer_wait_for_tasks")
    assert waited.artifact["tasks"][0]["results"][0]["audio_url"].startswith(sandbox.base_url)
    assert state["messages"][-1].text
    assert len(sandbox.charges) == 1


async def test_an_agent_is_told_of_a_failure_and_ends() -> None:
    toolkit = ProducerToolkit(client=ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()))
    agent = create_agent(ScriptedChatModel(), toolkit.get_tools())
    state = await agent.ainvoke({"messages": [HumanMessage("a happy song")]})
    assert "Nothing was sent and nothing was charged" in state["messages"][-1].text


def graph(tools: list[Any]) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=InMemorySaver())


def calling(name: str, **arguments: Any) -> dict[str, Any]:
    call = {"type": "tool_call", "id": "c1", "name": name, "args": arguments}
    return {"messages": [AIMessage("", tool_calls=[call])]}


async def test_a_tool_node_strips_forged_delivery_arguments(client: ProducerClient) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    call = calling("producer_generate_music", prompt="x", async_=False, callback_url="http://127.0.0.1:9/")
    state = await graph([ProducerGenerateMusic(client=client)]).ainvoke(call, config)
    message: ToolMessage = state["messages"][-1]
    assert json.loads(message.text)["state"] == "pending"
    assert message.artifact["state"] == "pending"


async def test_bad_arguments_come_back_to_the_model(client: ProducerClient) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    state = await graph([ProducerGenerateMusic(client=client)]).ainvoke(
        calling("producer_generate_music", prompt="x", weirdness=9), config
    )
    assert state["messages"][-1].status == "error"
    assert "weirdness" in state["messages"][-1].text


class Approved(ProducerGenerateMusic):
    """A tool that asks a person first."""

    async def answer(self, request: Any) -> Output:
        interrupt(f"pay for {request.prompt}?")
        return await super().answer(request)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_persons_approval_passes_through(way: str, client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """LangGraph's control flow travels as an exception: swallowed as a tool error, nobody would be asked."""
    config: Any = {"configurable": {"thread_id": "1"}}
    asking = graph([Approved(client=client)])

    async def run(given: Any) -> Any:
        return asking.invoke(given, config) if way == "invoke" else await asking.ainvoke(given, config)

    state = await run(calling("producer_generate_music", prompt="a waltz"))
    assert state["__interrupt__"][0].value == "pay for a waltz?"
    assert sandbox.charges == ()
    state = await run(Command(resume=True))
    assert json.loads(state["messages"][-1].text)["state"] == "pending"
    assert len(sandbox.charges) == 1


async def test_a_programming_fault_ends_the_run() -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(Exception, match="ACEDATACLOUD_API_TOKEN"):
        await graph([ProducerGenerateMusic()]).ainvoke(calling("producer_generate_music", prompt="x"), config)
