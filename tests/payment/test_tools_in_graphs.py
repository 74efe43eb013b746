"""Tools in agents and graphs that run them again, after an error or an interrupt: each call is paid for once."""

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

MODES = ["invoke", "ainvoke"]
LEDGERS = ["memory", "sqlite", "store"]


class FailingAfterSubmit(ProducerGenerateMusic):
    """Submits, and then fails twice with an error that no tool error handler catches."""

    failures: int = 2

    async def answer(self, request: Any) -> Output:
        output = await super().answer(request)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("lost after it was paid for")
        return output


@tool
def ask_a_person() -> str:
    """Ask whether to continue."""
    return str(interrupt("continue?"))


@pytest.fixture(params=LEDGERS)
def setup(request: pytest.FixtureRequest, account: Account, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A client with its ledger, and the graph's store if that holds the ledger."""
    ledger: Ledger | None = SqliteLedger(tmp_path / "ledger.sqlite") if request.param == "sqlite" else None
    token, url = account.sandbox.api_token, account.sandbox.base_url
    with ProducerClient(token, url, ledger=ledger, clock=FastClock()) as client:
        yield {"client": client, "store": InMemoryStore() if request.param == "store" else None}


async def run(graph: Any, mode: str, given: Any, config: Any) -> Any:
    return graph.invoke(given, config) if mode == "invoke" else await graph.ainvoke(given, config)


def messages_of(state: Any, name: str) -> list[ToolMessage]:
    return [message for message in state["messages"] if message.name == name]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("thread", [None, "a-thread"])
async def test_a_retried_tool_call_is_paid_for_once(
    thread: str | None, mode: str, setup: dict[str, Any], account: Account
) -> None:
    """The middleware repeats a call after any error but a ToolException: without a ledger, three songs are paid for."""
    failing = FailingAfterSubmit(client=setup["client"])
    saver = InMemorySaver() if thread else None
    agent: Any = create_agent(
        ScriptedChatModel(),
        [failing],
        middleware=[ToolRetryMiddleware(initial_delay=0)],
        store=setup["store"],
        checkpointer=saver,
    )
    config = {"configurable": {"thread_id": thread}} if thread else None
    state = await run(agent, mode, {"messages": [HumanMessage("a happy song")]}, config)
    (message,) = messages_of(state, "producer_generate_music")
    (charge,) = account.new_charges()
    assert failing.failures == 0, "without retries this test would prove nothing"
    assert message.artifact["task_id"] == charge.task_id


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER_WORK, Fault.ERROR_BEFORE_WORK, Fault.HTML])
async def test_a_retried_unknown_outcome_is_not_sent_again(
    fault: Fault, setup: dict[str, Any], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``handle_tool_error=False`` the middleware sees the error and calls again: that must not pay twice."""
    monkeypatch.setattr(account.sandbox.listing, "answer", "forbidden")  # else the task would be looked for
    account.sandbox.fail_next(fault, endpoint="/producer/audios")
    raising = ProducerGenerateMusic(client=setup["client"], handle_tool_error=False)
    agent: Any = create_agent(
        ScriptedChatModel(), [raising], middleware=[ToolRetryMiddleware(initial_delay=0)], store=setup["store"]
    )
    state = await agent.ainvoke({"messages": [HumanMessage("a happy song")]})
    (message,) = messages_of(state, "producer_generate_music")
    assert "3 attempts with SubmissionUnknownError" in message.text
    assert len(account.new_charges()) == fault.does_work


def asking_graph(setup: dict[str, Any], saver: InMemorySaver) -> Any:
    """A graph whose tool node submits a song and asks a person in the same step."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=setup["client"]), ask_a_person]))
    builder.add_edge(START, "tools")
    return builder.compile(checkpointer=saver, store=setup["store"])


def calling(*names_and_arguments: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The input of a graph: a message that calls these tools."""
    calls: list[Any] = [
        {"type": "tool_call", "id": f"call-{at}", "name": name, "args": arguments}
        for at, (name, arguments) in enumerate(names_and_arguments)
    ]
    return {"messages": [AIMessage("", tool_calls=calls)]}


@pytest.mark.parametrize("mode", MODES)
async def test_an_interrupt_beside_a_submit_does_not_pay_twice(
    mode: str, setup: dict[str, Any], account: Account
) -> None:
    """After the resume the whole step runs again from its start, and with it the submit that had succeeded."""
    graph, config = asking_graph(setup, InMemorySaver()), {"configurable": {"thread_id": "t"}}
    tool_calls = calling(("producer_generate_music", {"prompt": "a waltz"}), ("ask_a_person", {}))
    asked = await run(graph, mode, tool_calls, config)
    assert asked["__interrupt__"][0].value == "continue?"
    # An async step that is interrupted does not wait for its other calls: the submit may still be in progress here.
    done = await run(graph, mode, Command(resume="yes"), config)
    (charge,) = account.new_charges()
    assert messages_of(done, "producer_generate_music")[0].artifact["task_id"] == charge.task_id
    assert messages_of(done, "ask_a_person")[0].text == "yes"


async def test_the_same_tool_call_several_times_at_once(setup: dict[str, Any], account: Account) -> None:
    """If several workers run one thread, or a user starts it several times, the call must be paid for once."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=setup["client"])]))
    builder.add_edge(START, "tools")
    graph: Any = builder.compile(store=setup["store"])
    call = calling(("producer_generate_music", {"prompt": "a waltz"}))
    config = {"configurable": {"thread_id": "t"}}
    states = await asyncio.gather(
        *(graph.ainvoke(call, config) for _ in range(4)),
        *(asyncio.to_thread(graph.invoke, call, config) for _ in range(4)),
    )
    (charge,) = account.new_charges()
    found = [json.loads(messages_of(state, "producer_generate_music")[0].text) for state in states]
    assert [content["task_id"] for content in found] == [charge.task_id] * 8
