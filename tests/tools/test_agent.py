"""The tools inside LangGraph: an agent that makes a song, a tool node, an approval by a person."""

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
async def test_an_agent_makes_one_song(way: str, toolkit: ProducerToolkit, sandbox: ProducerSandbox) -> None:
    """The whole way of a user: if a tool misled the agent, it would end without a song or pay for a second one."""
    agent = create_agent(ScriptedChatModel(), toolkit.get_tools())
    request: Any = {"messages": [HumanMessage("a happy song")]}
    state = agent.invoke(request) if way == "invoke" else await agent.ainvoke(request)
    names = [call["name"] for message in state["messages"] for call in getattr(message, "tool_calls", [])]
    assert names[:2] == ["producer_generate_music", "producer_wait_for_tasks"]
    waited = next(message for message in state["messages"] if message.name == "producer_wait_for_tasks")
    assert waited.artifact["tasks"][0]["results"][0]["audio_url"].startswith(sandbox.base_url)
    assert state["messages"][-1].text
    assert len(sandbox.charges) == 1


async def test_an_agent_reports_a_failure_and_ends() -> None:
    """An exception would end the run without an answer; without the reason, the agent would try again and again."""
    toolkit = ProducerToolkit(client=ProducerClient("t", "http://127.0.0.1:9", clock=InstantClock()))
    agent = create_agent(ScriptedChatModel(), toolkit.get_tools())
    state = await agent.ainvoke({"messages": [HumanMessage("a happy song")]})
    assert "Nothing was sent and nothing was charged" in state["messages"][-1].text


async def test_an_agent_says_which_files_were_not_saved(toolkit: ProducerToolkit) -> None:
    """With a full disk its last answer was empty: the first program of the README printed an empty line."""
    result = {
        "task_id": "t",
        "state": "complete",
        "success": False,
        "failed": [{"kind": "audio", "code": "disk_full", "message": "There is no room left."}],
        "next_step": "Some files could not be saved. Call producer_download_results again.",
    }
    model = ScriptedChatModel().bind_tools(toolkit.get_tools())
    answer = await model.ainvoke([ToolMessage(json.dumps(result), tool_call_id="1")])
    assert answer.text == "Not saved (audio): There is no room left."


async def test_an_agent_gives_up_a_song_that_does_not_end() -> None:
    """The scripted model called the tool that the text only mentions, until LangGraph ended the run with an error."""
    clock = InstantClock()
    with ProducerSandbox(render_seconds=1e6, clock=clock) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=60, clock=clock) as client:
            tools = [tool for tool in ProducerToolkit(client=client).get_tools() if "wait" not in tool.name]
            agent = create_agent(ScriptedChatModel(), tools).with_config(recursion_limit=500)
            state = await agent.ainvoke({"messages": [HumanMessage("a happy song")]})
    assert state["messages"][-1].text == "There is no result."


def graph(tools: list[Any]) -> Any:
    """A graph of one tool node."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=InMemorySaver())


def calling(name: str, **arguments: Any) -> dict[str, Any]:
    """The state in which a model has called a tool."""
    call = {"type": "tool_call", "id": "c1", "name": name, "args": arguments}
    return {"messages": [AIMessage("", tool_calls=[call])]}


async def test_a_tool_node_drops_delivery_arguments_of_a_model(client: ProducerClient) -> None:
    """A model that is misled could otherwise have the songs sent to a stranger's callback URL."""
    config: Any = {"configurable": {"thread_id": "1"}}
    call = calling("producer_generate_music", prompt="x", async_=False, callback_url="http://127.0.0.1:9/")
    state = await graph([ProducerGenerateMusic(client=client)]).ainvoke(call, config)
    message: ToolMessage = state["messages"][-1]
    assert json.loads(message.text)["state"] == "pending"
    assert message.artifact["state"] == "pending"


async def test_invalid_arguments_are_reported_to_the_model(client: ProducerClient) -> None:
    """Otherwise one wrong argument would end the run, though the model could correct it."""
    config: Any = {"configurable": {"thread_id": "1"}}
    state = await graph([ProducerGenerateMusic(client=client)]).ainvoke(
        calling("producer_generate_music", prompt="x", weirdness=9), config
    )
    assert state["messages"][-1].status == "error"
    assert "weirdness" in state["messages"][-1].text


class AskingTool(ProducerGenerateMusic):
    """A tool that asks a person before it pays."""

    async def answer(self, request: Any) -> Output:
        interrupt(f"pay for {request.prompt}?")
        return await super().answer(request)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_interrupt_inside_a_tool_pauses_the_graph(
    way: str, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """LangGraph's interrupt is an exception: if the tool turned it into an error message, nobody would be asked."""
    config: Any = {"configurable": {"thread_id": "1"}}
    asking = graph([AskingTool(client=client)])

    async def run(value: Any) -> Any:
        return asking.invoke(value, config) if way == "invoke" else await asking.ainvoke(value, config)

    state = await run(calling("producer_generate_music", prompt="a waltz"))
    assert state["__interrupt__"][0].value == "pay for a waltz?"
    assert sandbox.charges == ()
    state = await run(Command(resume=True))
    assert json.loads(state["messages"][-1].text)["state"] == "pending"
    assert len(sandbox.charges) == 1


async def test_a_missing_token_ends_the_run() -> None:
    """A model cannot set a token, so as an error message it would only make the model try again."""
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(Exception, match="ACEDATACLOUD_API_TOKEN"):
        await graph([ProducerGenerateMusic()]).ainvoke(calling("producer_generate_music", prompt="x"), config)
