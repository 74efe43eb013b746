"""Keys of tool calls: each call of a model is paid for once, whatever ids the model gives its calls."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel

from producer_tools import MemoryLedger, ProducerClient, ProducerGenerateMusic, Task
from producer_tools.langgraph import SongState, SubmitNode
from producer_tools.payment.graph_keys import key_of_tool_call
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import FastClock
from tests.payment.calls import Account

NUMBERED = "functions.producer_generate_music:0"
CONFIG: Any = {"configurable": {"thread_id": "t"}}


def calling(prompt: str = "a waltz", message_id: str | None = None, call_id: str = NUMBERED) -> AIMessage:
    """A message that calls a tool. By default the call is numbered within its message."""
    call: Any = {"type": "tool_call", "id": call_id, "name": "producer_generate_music", "args": {"prompt": prompt}}
    return AIMessage("", id=message_id, tool_calls=[call])


def tool_graph(client: ProducerClient, saver: Any = None) -> Any:
    builder: Any = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=saver)


@pytest.fixture
def client(account: Account) -> Any:
    with ProducerClient(account.sandbox.api_token, account.sandbox.base_url, clock=FastClock()) as made:
        yield made


@pytest.mark.parametrize("second", ["a tango", "a waltz"])
async def test_a_call_id_that_repeats_in_each_turn_is_another_call(
    second: str, client: ProducerClient, account: Account
) -> None:
    """The second song of a thread would be refused, or the first one would be returned as the second."""
    graph = tool_graph(client, InMemorySaver())
    for prompt in ("a waltz", second):
        state = await graph.ainvoke({"messages": [HumanMessage("?"), calling(prompt)]}, CONFIG)
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert [message.status for message in results] == ["success", "success"]
    charges = account.new_charges()
    assert [charge.request["prompt"] for charge in charges] == ["a waltz", second]
    assert [message.artifact["task_id"] for message in results] == [charge.task_id for charge in charges]


async def test_parallel_sub_agents_with_equal_ids_make_two_songs(client: ProducerClient, account: Account) -> None:
    """Two agents of one thread may number both their messages and their calls from 0."""
    builder: Any = StateGraph(MessagesState)
    for name in ("pop", "jazz"):
        builder.add_node(name, tool_graph(client))
        builder.add_edge(START, name)
    await builder.compile(checkpointer=InMemorySaver()).ainvoke({"messages": [calling(message_id="m0")]}, CONFIG)
    assert len(account.new_charges()) == 2


async def test_the_key_of_an_earlier_version_is_passed_on(account: Account) -> None:
    """A thread that was half finished when the package was updated would pay again."""
    former: list[Any] = []

    class RecordingClient(ProducerClient):
        async def submit(self, *args: Any, **options: Any) -> Task:
            former.append(options["former_keys"])
            return await super().submit(*args, **options)

    recording = RecordingClient(account.sandbox.api_token, account.sandbox.base_url, clock=FastClock())
    graph = tool_graph(recording, InMemorySaver())
    for prompt in ("a waltz", "a tango"):
        await graph.ainvoke({"messages": [calling(prompt)]}, CONFIG)
    await recording.aclose()
    account.new_charges()
    assert former == [(f"t/{NUMBERED}",), ()], "an earlier version can only have filed the first of the two calls"


class Model(BaseModel):
    """A state that is a pydantic model."""

    messages: list[AnyMessage]


@dataclass
class Data:
    """A state that is a dataclass, with another name for its messages."""

    chat: list[AnyMessage] = field(default_factory=list)


MESSAGES: list[AnyMessage] = [calling(message_id="m1"), HumanMessage("more"), calling(message_id="m2")]


@pytest.mark.parametrize(
    "state",
    [
        {"messages": MESSAGES},
        MESSAGES,
        Model(messages=MESSAGES),
        Data(MESSAGES),
        {"chat": MESSAGES, "done": True},
        {"messages": MESSAGES, "old": MESSAGES[:1]},
    ],
    ids=["dict", "list", "model", "dataclass", "other name", "two lists"],
)
def test_the_message_is_found_in_every_kind_of_state(state: Any) -> None:
    """Where it is not found, the ids of calls that repeat would collide."""
    runtime = SimpleNamespace(config=CONFIG, tool_call_id=NUMBERED, state=state)
    assert key_of_tool_call(runtime).key == f"t/m2/{NUMBERED}"


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ([HumanMessage("?"), calling()], f"t/message 1/{NUMBERED}"),
        ([], f"t/{NUMBERED}"),
        (None, f"t/{NUMBERED}"),
    ],
    ids=["message without id", "no message", "no state"],
)
def test_a_call_without_a_message_id_still_has_a_key(state: Any, key: str) -> None:
    """Without a key, a call that is run again would be paid for again."""
    runtime = SimpleNamespace(config=CONFIG, tool_call_id=NUMBERED, state=state)
    assert key_of_tool_call(runtime).key == key


async def test_a_tool_called_by_a_step_is_paid_for_once_in_spite_of_a_crash(account: Account) -> None:
    """Many graphs call tools in a function of their own, which passes no runtime to the tool."""
    sandbox: ProducerSandbox = account.sandbox
    ledger, saver, crashes = MemoryLedger(), InMemorySaver(), [RuntimeError("crash")]

    def graph(client: ProducerClient) -> Any:
        async def step(state: Any, config: RunnableConfig) -> Any:
            (call,) = state["messages"][-1].tool_calls
            made = await ProducerGenerateMusic(client=client).ainvoke(call, config)
            if crashes:
                raise crashes.pop()
            return {"messages": [made]}

        builder: Any = StateGraph(MessagesState)
        return builder.add_node("tools", step).add_edge(START, "tools").compile(checkpointer=saver)

    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=ledger) as client:
        with pytest.raises(RuntimeError, match="crash"):
            await graph(client).ainvoke({"messages": [calling()]}, CONFIG)
        state = await graph(client).ainvoke(None, CONFIG)
    (charge,) = account.new_charges()
    assert state["messages"][-1].artifact["task_id"] == charge.task_id


async def test_a_thread_without_checkpoints_makes_a_new_song_in_each_run(
    client: ProducerClient, account: Account
) -> None:
    """Its steps are numbered from the start in each run: the second run would get the first one's song."""
    builder: Any = StateGraph(SongState)
    graph = builder.add_node("submit", SubmitNode(client)).add_edge(START, "submit").compile()
    for _ in range(2):
        await graph.ainvoke({"request": {"name": "producer_generate_music", "args": {"prompt": "a waltz"}}}, CONFIG)
    assert len(account.new_charges()) == 2
