"""What only an application may set, in each way in which a tool can be called."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import InjectedToolCallId
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from pydantic import BaseModel

from producer_tools import ProducerClient, ProducerGenerateMusic
from producer_tools.approval import describe
from producer_tools.langgraph import SubmitNode
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tools.base import SubmittingTool
from tests.langgraph.fake_model import FakeModel

FORGED = {"callback_url": "not a url", "async": False, "async_": False, "submission_key": "mine"}
ARGUMENTS: dict[str, Any] = {"prompt": "a waltz", **FORGED}
CALL: Any = {"type": "tool_call", "id": "c1", "name": "producer_generate_music", "args": ARGUMENTS}
DONE = AIMessage("done")
NODE: Any = {"messages": [AIMessage("", id="m", tool_calls=[CALL])]}


def in_a_graph(tool: Any) -> Any:
    return StateGraph(MessagesState).add_node("t", ToolNode([tool])).add_edge(START, "t").compile()


async def in_an_agent(tool: Any) -> Any:
    model = FakeModel(answers=[lambda _: NODE["messages"][0], lambda _: DONE])
    agent: Any = create_agent(model, [tool])
    return await agent.ainvoke({"messages": [HumanMessage("?")]})


async def as_a_node(tool: Any) -> Any:
    return await SubmitNode(tool.client).ainvoke({"request": {"name": tool.name, "args": ARGUMENTS}})


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "ainvoke": lambda tool: tool.ainvoke(CALL),
    "a call without an id": lambda tool: tool.ainvoke({**CALL, "id": None}),
    "abatch": lambda tool: tool.abatch([CALL]),
    "arun": lambda tool: tool.arun(dict(ARGUMENTS), tool_call_id="c1"),
    "arun with an empty id": lambda tool: tool.arun(dict(ARGUMENTS), tool_call_id=""),
    "with_config": lambda tool: tool.with_config(tags=["x"]).ainvoke(CALL),
    "bind": lambda tool: tool.bind(verbose=False).ainvoke(CALL),
    "a tool node": lambda tool: in_a_graph(tool).ainvoke(NODE),
    "an agent": in_an_agent,
    "a node": as_a_node,
}
SYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda tool: tool.invoke(CALL),
    "a call without an id": lambda tool: tool.invoke({**CALL, "id": None}),
    "batch": lambda tool: tool.batch([CALL]),
    "run": lambda tool: tool.run(dict(ARGUMENTS), tool_call_id="c1"),
    "a tool node": lambda tool: in_a_graph(tool).invoke(NODE),
}


@pytest.fixture
def tool(client: ProducerClient) -> Any:
    return ProducerGenerateMusic(client=client)


def check(sandbox: ProducerSandbox, tool: Any) -> None:
    """The song was submitted once, without what a model must not set; and a person was told so before."""
    (charge,) = sandbox.charges
    assert charge.request["prompt"] == "a waltz"
    assert charge.request["async"] is True
    assert "callback_url" not in charge.request
    assert "refuse" not in describe(tool, CALL)
    assert ARGUMENTS == {"prompt": "a waltz", **FORGED}, "the caller's own dict is not changed"


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_model_must_not_set_is_dropped(way: str, tool: Any, sandbox: ProducerSandbox) -> None:
    """A model could have a user's songs sent to a stranger, or get a call through that a person saw as refused."""
    await WAYS[way](tool)
    check(sandbox, tool)


@pytest.mark.parametrize("way", SYNC_WAYS)
def test_what_a_model_must_not_set_is_dropped_in_sync_code(way: str, tool: Any, sandbox: ProducerSandbox) -> None:
    """The same for sync agents."""
    SYNC_WAYS[way](tool)
    check(sandbox, tool)


@pytest.mark.parametrize("name", ["async", "async_"])
async def test_an_application_sets_them_in_older_entry_points_too(
    name: str, tool: Any, sandbox: ProducerSandbox
) -> None:
    """`run` and `arun` without the id of a call are called by an application, as `invoke` with a dict is."""
    await tool.arun({"prompt": "a waltz", name: False})
    assert sandbox.charges[0].request["async"] is False
    assert "seed" not in sandbox.charges[0].request
    assert tool.run("a tango")
    assert sandbox.charges[1].request["prompt"] == "a tango"


@pytest.mark.parametrize(
    "arguments", [{"prompt": " "}, {"prompt": "x", "weirdness": 2}, {"prompt": "x", "loud": 1}, {}]
)
async def test_what_is_described_as_refused_is_refused(
    arguments: dict[str, Any], tool: Any, sandbox: ProducerSandbox
) -> None:
    """A person who reads that a call costs nothing would let it pass."""
    call: Any = {**CALL, "args": arguments}
    assert "refuse, at no cost" in describe(tool, call)
    assert (await tool.ainvoke(call)).status == "error"
    assert sandbox.charges == ()


class FilledIn(GenerateMusic):
    """Arguments of an application's own tool, most of which LangGraph fills in."""

    by_class: Annotated[str, InjectedToolCallId]
    by_instance: Annotated[str, InjectedToolCallId()]
    state: Annotated[Any, InjectedState]


class FilledInTool(SubmittingTool):
    name: str = "filled_in"
    description: str = "A tool of one's own."
    args_schema: type[BaseModel] = FilledIn

    async def answer(self, request: Any) -> tuple[str, dict[str, Any]]:
        return f"{request.prompt} {request.by_class} {request.by_instance} {len(request.state['messages'])}", {}


class Told(BaseCallbackHandler):
    """What callbacks are told of a tool's arguments, and a tracer would record."""

    def __init__(self) -> None:
        self.arguments: list[Any] = []

    def on_tool_start(self, *_: Any, inputs: dict[str, Any] | None = None, **__: Any) -> None:
        self.arguments.append(inputs)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"prompt": "a waltz"}, "price cannot be estimated"),
        ({"prompt": "a waltz", "weirdness": 2}, "refuse, at no cost"),
        ({}, "refuse, at no cost"),
    ],
)
def test_a_call_whose_state_is_filled_in_later_is_not_described_as_refused(
    arguments: dict[str, Any], told: str, client: ProducerClient
) -> None:
    """A person who reads that a call costs nothing would let it pass, and it would be paid for."""
    call: Any = {**CALL, "args": arguments}
    assert told in describe(FilledInTool(client=client), call)


@pytest.mark.parametrize("is_sync", [False, True])
async def test_what_langgraph_fills_in_is_filled_in_and_shown_to_nobody(is_sync: bool, client: ProducerClient) -> None:
    """A tool of one's own could not be called, or a model would make up ids, or a trace would hold the whole state."""
    tool, told = FilledInTool(client=client), Told()
    call: Any = {**CALL, "name": tool.name, "args": {"prompt": "a waltz", "by_class": "forged"}}
    node: Any = {"messages": [AIMessage("", tool_calls=[call])]}
    graph, config = in_a_graph(tool), {"callbacks": [told]}
    result = graph.invoke(node, config) if is_sync else await graph.ainvoke(node, config)
    assert result["messages"][-1].content == "a waltz c1 c1 1"
    assert told.arguments == [{"prompt": "a waltz"}]
    assert not FilledIn.model_fields.keys() - GenerateMusic.model_fields.keys() & tool.args.keys()
