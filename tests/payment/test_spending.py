"""Budgets, estimates and approvals: money is counted before it is spent, and a person can be asked."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import producer_tools
from producer_tools import (
    BadRequestError,
    Budget,
    BudgetExceededError,
    ProducerClient,
    ProducerCoverMusic,
    ProducerGenerateMusic,
    ProducerToolkit,
    SubmissionUnknownError,
    estimate,
    requests,
)
from producer_tools.approval import interrupt_on
from producer_tools.http.transport import Transport
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel

SONG = requests.GenerateMusic(prompt="x")


@pytest.mark.parametrize(
    ("request_", "usd"),
    [
        (SONG, "0.08"),
        (requests.ExtendMusic(audio_id="a", continue_at=1), "0.05"),
        (requests.CoverMusic(audio_id="a"), "0.10"),
        (requests.SwapVocals(audio_id="a"), "0.05"),
        (requests.SwapInstrumentals(audio_id="a"), "0.05"),
        (requests.GenerateLyrics(prompt="x"), "0.005"),
        (requests.UploadAudio(audio_url="https://x.example/a"), "0.01"),
        (requests.VariationMusic(audio_id="a"), "0.10"),
        (requests.StemsMusic(audio_id="a"), "0.10"),
        (requests.GenerateVideo(audio_id="a"), "0.10"),
        (requests.GetTask(task_id="t"), "0"),
    ],
)
def test_estimates(request_: requests.Request, usd: str) -> None:
    """What no price is known of counts as the dearest: a budget must not be overdrawn by what nobody knew."""
    assert estimate(request_) == Decimal(usd)


def on(sandbox: ProducerSandbox, **settings: Any) -> ProducerClient:
    return ProducerClient(sandbox.api_token, sandbox.base_url, **settings)


async def test_a_client_stays_within_its_budget(sandbox: ProducerSandbox) -> None:
    async with on(sandbox, budget=Budget(max_usd=0.2)) as client:
        tool = ProducerGenerateMusic(client=client)
        for _ in range(2):
            await tool.ainvoke({"prompt": "x"})
        refused = await tool.ainvoke({"type": "tool_call", "id": "c", "name": tool.name, "args": {"prompt": "x"}})
    assert refused.status == "error"
    assert refused.content.startswith(
        "budget_exceeded: This call (about 0.080 USD) does not fit into the budget: spent 2 calls, about 0.160 USD; "
        "left about 0.040 USD."
    )
    assert len(sandbox.charges) == 2


async def test_a_run_stays_within_its_own(sandbox: ProducerSandbox) -> None:
    """Nested blocks and the client's budget all hold; a call refused by one counts in none."""
    async with on(sandbox, budget=Budget(max_calls=10)) as client:
        with producer_tools.budget(max_usd=1) as outer, producer_tools.budget(max_calls=1) as inner:
            await client.submit(SONG)
            with pytest.raises(BudgetExceededError, match="left 0 calls"):
                await client.submit(SONG)
            with pytest.raises(BudgetExceededError):
                ProducerGenerateMusic(client=client, handle_tool_error=False).invoke({"prompt": "x"})
        await client.submit(SONG)
    assert (outer.calls, outer.usd, inner.calls) == (1, Decimal("0.08"), 1)


async def test_what_did_no_work_is_given_back_and_what_may_have_is_not(
    sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [SubmissionUnknownError("timeout", "?"), BadRequestError("bad_request", "no")]

    async def post(*_: object, **__: object) -> None:
        raise faults.pop()

    monkeypatch.setattr(Transport, "post", post)
    spent = Budget(max_calls=5)
    async with on(sandbox, budget=spent) as client:
        with pytest.raises(BadRequestError):
            await client.submit(SONG)
        assert (spent.calls, spent.usd) == (0, Decimal(0))
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
        assert spent.calls == 1


def test_a_budget_holds_across_threads_and_loops(sandbox: ProducerSandbox) -> None:
    with on(sandbox, budget=Budget(max_calls=7)) as client:

        def spend(_: int) -> int:
            try:
                asyncio.run(client.submit(SONG))
            except BudgetExceededError:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(spend, range(24))) == 7
    assert len(sandbox.charges) == 7


async def test_a_repeated_wish_costs_nothing_more(sandbox: ProducerSandbox) -> None:
    async with on(sandbox, budget=Budget(max_calls=1)) as client:
        first = await client.submit(SONG, key="k")
        assert (await client.submit(SONG, key="k")).task_id == first.task_id


def test_a_toolkit_without_paid_tools() -> None:
    tools = ProducerToolkit(paid_tools=False).get_tools()
    assert len(tools) == 7
    assert not any((tool.metadata or {})["paid"] for tool in tools)


def test_exactly_the_paid_tools_are_approved() -> None:
    tools = ProducerToolkit().get_tools()
    assert set(interrupt_on(tools)) == {tool.name for tool in tools if (tool.metadata or {})["paid"]}


def test_what_a_person_reads() -> None:
    [config] = interrupt_on([ProducerCoverMusic()]).values()
    call = {"name": "producer_cover_music", "id": "c", "args": {"audio_id": "a1", "prompt": "jazz"}}
    assert config["description"](call, None, None) == (
        "producer_cover_music: about 0.100 US dollars by the last published price\n"
        "action: cover\nprompt: jazz\naudio_id: a1\nmodel: FUZZ-2.0"
    )
    call["args"] = {"audio_id": ""}
    assert "at no cost" in config["description"](call, None, None)


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
async def test_approve_edit_and_reject(decision: dict[str, Any], charged: list[str], sandbox: ProducerSandbox) -> None:
    async with on(sandbox, poll_interval=0) as client:
        tools = ProducerToolkit(client=client).get_tools()
        free = [tool for tool in tools if tool.name != "producer_download_results"]
        middleware = [HumanInTheLoopMiddleware(interrupt_on=interrupt_on(free))]
        agent: Any = create_agent(ScriptedChatModel(), free, middleware=middleware, checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "1"}}
        # Sync, for on Python 3.10 LangGraph can interrupt no async run.
        asked = await asyncio.to_thread(agent.invoke, {"messages": [HumanMessage("a happy song")]}, config)
        [action] = asked["__interrupt__"][0].value["action_requests"]
        assert "about 0.080 US dollars" in action["description"]
        assert not sandbox.charges
        await asyncio.to_thread(agent.invoke, Command(resume={"decisions": [decision]}), config)
    assert [charge.request["prompt"] for charge in sandbox.charges] == charged
