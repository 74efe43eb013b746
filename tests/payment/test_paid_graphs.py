"""LangGraph runs a tool again: after a fault, after a person was asked, after a crash. It is paid for once."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from producer_tools import Ledger, ProducerClient, ProducerGenerateMusic, SqliteLedger
from producer_tools.sandbox import Fault, ScriptedChatModel
from producer_tools.tools.output import Output
from tests.clocks import FastClock
from tests.payment.calls import Account

WAYS = ["invoke", "ainvoke"]
LEDGERS = ["memory", "sqlite", "store"]


class Forgetful(ProducerGenerateMusic):
    """Submits, and then fails twice with what no tool error handler catches."""

    failures: int = 2

    async def answer(self, request: Any) -> Output:
        output = await super().answer(request)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("lost after it was paid for")
        return output


@tool
def ask_a_person() -> str:
    """Ask whether to go on."""
    return str(interrupt("go on?"))


@pytest.fixture(params=LEDGERS)
def setting(request: pytest.FixtureRequest, account: Account, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A client with its ledger, and the store that the graph has."""
    ledger: Ledger | None = SqliteLedger(tmp_path / "ledger.sqlite") if request.param == "sqlite" else None
    token, url = account.sandbox.api_token, account.sandbox.base_url
    with ProducerClient(token, url, ledger=ledger, clock=FastClock()) as client:
        yield {"client": client, "store": InMemoryStore() if request.param == "store" else None}


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middleware's defaults, but for the seconds that it waits."""
    monkeypatch.setattr("langchain.agents.middleware.tool_retry.calculate_delay", lambda *_, **__: 0.0)


async def run(graph: Any, way: str, given: Any, config: Any) -> Any:
    return graph.invoke(given, config) if way == "invoke" else await graph.ainvoke(given, config)


def messages_of(state: Any, name: str) -> list[ToolMessage]:
    return [message for message in state["messages"] if message.name == name]


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("thread", [None, "a-thread"])
async def test_a_retried_tool_call_is_paid_for_once(
    thread: str | None, way: str, setting: dict[str, Any], account: Account
) -> None:
    """The middleware retries three times in all whatever is no ToolException: without a ledger that is three songs."""
    forgetful = Forgetful(client=setting["client"])
    saver = InMemorySaver() if thread else None
    agent: Any = create_agent(
        ScriptedChatModel(), [forgetful], middleware=[ToolRetryMiddleware()], store=setting["store"], checkpointer=saver
    )
    config = {"configurable": {"thread_id": thread}} if thread else None
    state = await run(agent, way, {"messages": [HumanMessage("a happy song")]}, config)
    (message,) = messages_of(state, "producer_generate_music")
    (charge,) = account.new_charges()
    assert forgetful.failures == 0, "nothing was retried, so nothing is shown"
    assert message.artifact["task_id"] == charge.task_id


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("fault", [Fault.RESET_AFTER_WORK, Fault.ERROR_BEFORE_WORK, Fault.HTML])
async def test_an_unknown_outcome_is_not_retried_into_a_second_song(
    fault: Fault, setting: dict[str, Any], account: Account
) -> None:
    """With `handle_tool_error=False` the middleware sees our own error, and calls again: it must not be sent again."""
    account.sandbox.fail_next(fault, endpoint="/producer/audios")
    raising = ProducerGenerateMusic(client=setting["client"], handle_tool_error=False)
    agent: Any = create_agent(
        ScriptedChatModel(), [raising], middleware=[ToolRetryMiddleware()], store=setting["store"]
    )
    state = await agent.ainvoke({"messages": [HumanMessage("a happy song")]})
    (message,) = messages_of(state, "producer_generate_music")
    assert "3 attempts with SubmissionUnknownError" in message.text
    assert len(account.new_charges()) == fault.does_work


def asking_graph(setting: dict[str, Any], saver: InMemorySaver) -> Any:
    """One tool node in which a song is submitted and a person asked, in the same step."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=setting["client"]), ask_a_person]))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=saver, store=setting["store"])


def calls(*names_and_arguments: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made: list[Any] = [
        {"type": "tool_call", "id": f"call-{at}", "name": name, "args": arguments}
        for at, (name, arguments) in enumerate(names_and_arguments)
    ]
    return {"messages": [AIMessage("", tool_calls=made)]}


@pytest.mark.parametrize("way", WAYS)
async def test_an_interrupt_beside_a_submit_does_not_pay_twice(
    way: str, setting: dict[str, Any], account: Account
) -> None:
    """Resumed, the whole step runs again from its start, the submit that had succeeded too."""
    graph, config = asking_graph(setting, InMemorySaver()), {"configurable": {"thread_id": "t"}}
    two = calls(("producer_generate_music", {"prompt": "a waltz"}), ("ask_a_person", {}))
    asked = await run(graph, way, two, config)
    assert asked["__interrupt__"][0].value == "go on?"
    # An async step does not wait for its other calls when one interrupts it: the submit may still be under way now.
    done = await run(graph, way, Command(resume="yes"), config)
    (charge,) = account.new_charges()
    assert messages_of(done, "producer_generate_music")[0].artifact["task_id"] == charge.task_id
    assert messages_of(done, "ask_a_person")[0].text == "yes"


async def test_the_same_tool_call_twice_at_once(setting: dict[str, Any], account: Account) -> None:
    """A graph that is started twice for one thread, by two workers or an impatient user, pays once."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=setting["client"])]))
    builder.add_edge(START, "tools")
    graph: Any = builder.compile(store=setting["store"])
    call = calls(("producer_generate_music", {"prompt": "a waltz"}))
    config = {"configurable": {"thread_id": "t"}}
    states = await asyncio.gather(
        *(graph.ainvoke(call, config) for _ in range(4)),
        *(asyncio.to_thread(graph.invoke, call, config) for _ in range(4)),
    )
    (charge,) = account.new_charges()
    found = [json.loads(messages_of(state, "producer_generate_music")[0].text) for state in states]
    assert [content["task_id"] for content in found] == [charge.task_id] * 8
