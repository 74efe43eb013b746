"""A call whose message was cut off is refused before anything is paid: its lyrics may end in the middle of a line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from producer_tools import ProducerClient, ProducerGenerateCustomMusic, ProducerGetTask
from producer_tools.approval import interrupt_on
from producer_tools.langgraph import write_with
from producer_tools.requests import GenerateCustomMusic
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.fake_model import FakeModel

CUT_OFF: list[dict[str, Any]] = [
    {"finish_reason": "length"},
    {"finish_reason": "lengthlength"},
    {"finish_reason": "model_length"},
    {"finish_reason": "MAX_TOKENS"},
    {"stop_reason": "max_tokens"},
    {"stop_reason": "model_context_window_exceeded"},
    {"stopReason": "max_tokens"},
    {"done_reason": "length"},
    {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
]
FILTERED: list[dict[str, Any]] = [
    {"finish_reason": "content_filter"},
    {"finish_reason": "SAFETY"},
    {"stop_reason": "refusal"},
    {"stopReason": "guardrail_intervened"},
    {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
]
BROKEN: list[dict[str, Any]] = [
    {"finish_reason": "insufficient_system_resource"},
    {"finish_reason": "error"},
    {"finish_reason": "abort"},
]
COMPLETE: list[dict[str, Any]] = [
    {},
    {"finish_reason": "tool_calls"},
    {"finish_reason": "STOP"},
    {"finish_reason": None},
    {"stop_reason": "tool_use"},
    {"stopReason": "tool_use"},
    {"done_reason": "stop"},
    {"status": "completed", "incomplete_details": None},
]
LYRICS = "[Verse]\nCity lights are fa"
CALL: Any = {
    "type": "tool_call", "id": "c1", "name": "producer_generate_custom_music", "args": {"lyric": LYRICS, "title": "T"},
}  # fmt: skip


def message(metadata: dict[str, Any], message_id: str = "m") -> AIMessage:
    return AIMessage("", id=message_id, tool_calls=[CALL], response_metadata=metadata)


@pytest.fixture
def tool(client: ProducerClient) -> Any:
    return ProducerGenerateCustomMusic(client=client)


def tool_node(tool: Any) -> Any:
    return StateGraph(MessagesState).add_node("t", ToolNode([tool])).add_edge(START, "t").compile()


async def answer_of(tool: Any, metadata: dict[str, Any]) -> ToolMessage:
    state = await tool_node(tool).ainvoke({"messages": [message(metadata)]})
    answer: ToolMessage = state["messages"][-1]
    return answer


@pytest.mark.parametrize("metadata", CUT_OFF, ids=str)
async def test_a_call_cut_off_by_the_length_limit_is_refused(
    metadata: dict[str, Any], tool: Any, sandbox: ProducerSandbox
) -> None:
    """The user would pay for a song whose lyrics end in the middle of a line."""
    answer = await answer_of(tool, metadata)
    assert answer.status == "error"
    assert answer.text == (
        "cut_off: The message with this call was cut off by the length limit, so the call may not be complete. Nothing "
        "was sent and nothing was charged. Make the whole call again, in fewer or other words; a song can be extended "
        "afterwards. If it is cut off again, tell the user."
    )
    assert sandbox.requests == ()


@pytest.mark.parametrize("metadata", FILTERED, ids=str)
async def test_a_call_cut_off_by_a_content_filter_is_refused(
    metadata: dict[str, Any], tool: Any, sandbox: ProducerSandbox
) -> None:
    """A filter too may stop a message in the middle of a call; the model must know that other words are needed."""
    answer = await answer_of(tool, metadata)
    assert answer.status == "error"
    assert "cut off by a content filter" in answer.text
    assert sandbox.requests == ()


@pytest.mark.parametrize("metadata", BROKEN, ids=str)
async def test_a_call_cut_off_by_a_failure_of_the_provider_is_refused(
    metadata: dict[str, Any], tool: Any, sandbox: ProducerSandbox
) -> None:
    """A provider that runs out of memory ends a message anywhere, and says so only in this one word."""
    assert "cut off by a failure of the provider" in (await answer_of(tool, metadata)).text
    assert sandbox.requests == ()


@pytest.mark.parametrize("metadata", COMPLETE, ids=str)
async def test_a_complete_call_is_sent(metadata: dict[str, Any], tool: Any, sandbox: ProducerSandbox) -> None:
    """A model that does not say why it stopped could not make a song."""
    assert (await answer_of(tool, metadata)).status == "success"
    assert len(sandbox.charges) == 1


async def test_the_cut_is_named_before_a_wrong_argument(tool: Any) -> None:
    """A model that is told only of the missing title would write the same long lyrics again, and be cut off again."""
    call = {**CALL, "args": {"lyric": LYRICS}}
    cut = AIMessage("", id="m", tool_calls=[call], response_metadata={"finish_reason": "length"})
    state = await tool_node(tool).ainvoke({"messages": [cut]})
    assert state["messages"][-1].text.startswith("cut_off: ")


@pytest.mark.parametrize("earlier", ["the same key", "the key of the first version"])
async def test_a_cut_off_call_that_was_paid_for_has_its_task(
    earlier: str, client: ProducerClient, tool: Any, sandbox: ProducerSandbox
) -> None:
    """A thread that an earlier version has paid in is resumed: its song would be lost, and paid for a second time."""
    asked: list[bool] = []

    async def ask() -> None:
        asked.append(True)

    tool.before_submit = ask
    key = "thread/m/c1" if earlier == "the same key" else "thread/c1"
    paid = await client.submit(GenerateCustomMusic(lyric=LYRICS, title="T"), key=key)
    graph = StateGraph(MessagesState).add_node("t", ToolNode([tool])).add_edge(START, "t")
    config: Any = {"configurable": {"thread_id": "thread"}}
    cut = message({"finish_reason": "length"})
    state = await graph.compile(checkpointer=InMemorySaver()).ainvoke({"messages": [cut]}, config)
    assert (state["messages"][-1].status, state["messages"][-1].artifact["task_id"]) == ("success", paid.task_id)
    assert len(sandbox.charges) == 1
    other = message({"finish_reason": "length"}, "m2")
    state = await graph.compile(checkpointer=InMemorySaver()).ainvoke(
        {"messages": [other]}, {"configurable": {"thread_id": "2"}}
    )
    assert state["messages"][-1].text.startswith("cut_off: ")
    assert len(sandbox.charges) == 1
    assert asked == [], "nobody is asked about a call that is not sent"
    assert len(await client.paid()) == 1, "a call that is refused leaves no entry"


async def test_a_free_call_is_not_refused(client: ProducerClient) -> None:
    """A free call costs nothing and can be repeated, so a refusal would only cost the model a turn."""
    call: Any = {"type": "tool_call", "id": "c1", "name": "producer_get_task", "args": {"task_id": "t"}}
    cut = AIMessage("", id="m", tool_calls=[call], response_metadata={"finish_reason": "length"})
    state = await tool_node(ProducerGetTask(client=client)).ainvoke({"messages": [cut]})
    assert state["messages"][-1].text.startswith("not_found: ")


async def test_the_newest_message_with_the_id_counts(tool: Any, sandbox: ProducerSandbox) -> None:
    """Some models number their calls from zero in each turn: after one cut, no call would get through any more."""
    messages = [
        message({"finish_reason": "length"}, "m1"),
        ToolMessage("cut_off", tool_call_id="c1"),
        message({}, "m2"),
    ]
    state = await tool_node(tool).ainvoke({"messages": messages})
    assert state["messages"][-1].status == "success"
    assert len(sandbox.charges) == 1


@dataclass
class Studio:
    """A state that is an object, with its messages under another name."""

    talk: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class SlottedStudio:
    """The same without a ``__dict__``."""

    talk: list[Any] = field(default_factory=list)


STATES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a list": (lambda cut: [cut], "messages"),
    "another key": (lambda cut: {"talk": [cut]}, "talk"),
    "an object": (lambda cut: Studio([cut]), "talk"),
    "an object with slots": (lambda cut: SlottedStudio([cut]), "talk"),
}


@pytest.mark.parametrize("state", STATES)
async def test_the_message_is_found_in_every_kind_of_state(state: str, tool: Any, sandbox: ProducerSandbox) -> None:
    """A graph's state need not have messages under the usual name."""
    of, key = STATES[state]
    schema: Any = type(of(None))
    graph: Any = StateGraph(schema).add_node("t", ToolNode([tool], messages_key=key)).add_edge(START, "t").compile()
    await graph.ainvoke(of(message({"finish_reason": "length"})))
    assert sandbox.requests == ()
    await graph.ainvoke(of(message({"finish_reason": "stop"})))
    assert len(sandbox.charges) == 1


async def test_the_state_may_hold_other_software_s_messages(tool: Any, sandbox: ProducerSandbox) -> None:
    """A graph that also keeps the raw answers of OpenAI's client could not make a song."""

    class State(MessagesState):
        raw: list[Any]

    answers = [SimpleNamespace(tool_calls=[SimpleNamespace(id="c1")]), SimpleNamespace(tool_calls=1)]
    graph: Any = StateGraph(State).add_node("t", ToolNode([tool])).add_edge(START, "t").compile()
    await graph.ainvoke({"messages": [message({})], "raw": answers})
    assert len(sandbox.charges) == 1


def streamed() -> AIMessage:
    """A streamed call that is cut off, as LangChain puts it together: its arguments are repaired."""
    half = '{"title": "T", "lyric": "[Verse]\\nCity lights are fa'
    name = CALL["name"]
    chunk = AIMessageChunk(content="", id="m", tool_call_chunks=[{"name": name, "args": half, "id": "c1", "index": 0}])
    end = AIMessageChunk(content="", id="m", response_metadata={"finish_reason": "length"}, chunk_position="last")
    merged: Any = chunk + end
    return AIMessage("", id="m", tool_calls=merged.tool_calls, response_metadata=merged.response_metadata)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_agent_calls_again_and_pays_once(way: str, tool: Any, sandbox: ProducerSandbox) -> None:
    """The model reads why the call was refused, and its next, shorter call is the only one that is paid for."""
    assert streamed().tool_calls[0]["args"] == CALL["args"], "LangChain repairs the call"
    shorter = AIMessage("", id="m2", tool_calls=[{**CALL, "args": {"lyric": "[Verse]\nLights", "title": "T"}}])
    model = FakeModel(answers=[lambda _: streamed(), lambda _: shorter, lambda _: AIMessage("done")])
    agent: Any = create_agent(model, [tool])
    asked = {"messages": [HumanMessage("a long song")]}
    _ = agent.invoke(asked) if way == "invoke" else await agent.ainvoke(asked)
    assert model.questions[1].startswith("cut_off: ")
    assert [charge.request["lyric"] for charge in sandbox.charges] == ["[Verse]\nLights"]


@pytest.mark.parametrize("decision", ["approve", "edit"])
def test_a_person_is_told_that_the_call_will_be_refused(decision: str, tool: Any, sandbox: ProducerSandbox) -> None:
    """Otherwise a person would review the price and half of the lyrics of a call that is refused afterwards."""
    model = FakeModel(answers=[lambda _: message({"finish_reason": "length"}), lambda _: AIMessage("done")])
    middleware = [HumanInTheLoopMiddleware(interrupt_on=interrupt_on([tool]))]
    agent: Any = create_agent(model, [tool], middleware=middleware, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    state = agent.invoke({"messages": [HumanMessage("a song")]}, config)
    [action] = state["__interrupt__"][0].value["action_requests"]
    assert action["description"] == (
        "producer_generate_custom_music will refuse this call, at no cost, also if you edit it: "
        "it was cut off by the length limit."
    )
    edited = {"edited_action": {"name": tool.name, "args": {"lyric": "[Verse]\nLights", "title": "T"}}}
    answer = {"type": decision, **(edited if decision == "edit" else {})}
    agent.invoke(Command(resume={"decisions": [answer]}), config)
    assert "cut_off: " in model.questions[1]
    assert sandbox.requests == ()


async def test_a_cut_off_message_writes_no_song_of_an_album() -> None:
    """An album reads its requests from the model's messages and runs no tool, so it needs a check of its own."""
    author = write_with(FakeModel(answers=[lambda _: message({"stop_reason": "max_tokens"})]))
    with pytest.raises(Exception, match=r"cut_off: .* Nothing was sent"):
        await author.ainvoke({"wish": "a waltz"})
