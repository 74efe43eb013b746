"""Plays a situation: the agent, the toolkit and the sandbox are real, only the model and the clock are not."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import Budget, ProducerClient, ProducerToolError, ProducerToolkit
from producer_tools.approval import interrupt_on
from producer_tools.sandbox import ProducerSandbox
from producer_tools.sandbox.jobs import StoredTask
from producer_tools.sandbox.records import Writer
from producer_tools.tasks.results import RESULT_KEYS
from tests.clocks import VirtualClock
from tests.scenarios.reader import CHARACTERS, MOST_TURNS, Ask, Character, End, LiteralReader
from tests.virtual_time import requests_take_no_time, running

Record = dict[str, Any]
Service = Callable[[ProducerSandbox], AbstractContextManager[object] | None]

_changes: dict[str, Callable[[Record], Record]] = {}


def nothing_wrong(_: ProducerSandbox) -> None:
    """The service works."""


@dataclass(frozen=True)
class Situation:
    """What happens, and what must be true at the end.

    Attributes:
        name: its name in the table.
        asks: what the user says, and what a model does for it.
        ends: how the last answer must end.
        paid: how many songs, lyrics and so on may be charged.
        given: how many results must be handed out.
        told: words that the user must be told.
        paid_calls: how many calls of paid tools there may be at most; default ``paid``.
        turns: how often the model may be called at most.
        service: makes things go wrong in the sandbox, before the user says anything. A block that it returns lasts
            until the end.
        record: changes each record of a task that is looked up.
        sandbox: arguments of the sandbox.
        client: arguments of the client.
        budget: how many paid calls the client may make; ``None`` for no limit.
        wants_files: whether the user wants files.
        is_approved: whether a person approves each paid call, or rejects it; ``None`` if nobody is asked.
        gives_parts: whether the finished parts of a failed task may be handed out.
        crashes: whether the process ends after the first paid call, and the run goes on from its checkpoint.
        characters: who plays it.
    """

    name: str
    asks: tuple[Ask, ...]
    ends: End = "gives"
    paid: int = 1
    given: int = 1
    told: tuple[str, ...] = ()
    paid_calls: int | None = None
    turns: int = 8
    service: Service = nothing_wrong
    record: Callable[[Record], Record] | None = None
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)
    budget: int | None = None
    wants_files: bool = False
    is_approved: bool | None = None
    gives_parts: bool = False
    crashes: bool = False
    characters: tuple[Character, ...] = CHARACTERS


class Outcome(NamedTuple):
    """How a situation has ended.

    Attributes:
        turns: how often the model was called.
        paid_calls: how many calls of paid tools it made.
        paid: how many requests were charged.
        given: what it handed out.
        told: what else it told the user.
        end: how its last answer ended.
        wrong: what is wrong with that; empty if nothing is.
        texts: all messages, for a person who looks for the reason.
    """

    turns: int
    paid_calls: int
    paid: int
    given: tuple[str, ...]
    told: tuple[str, ...]
    end: End
    wrong: tuple[str, ...]
    texts: tuple[str, ...]


async def play(situation: Situation, character: Character) -> Outcome:
    """Play a situation with one model."""
    with ExitStack() as stack:
        clock = stack.enter_context(running())
        directory = stack.enter_context(TemporaryDirectory())
        arguments: dict[str, Any] = {"render_seconds": 10, "clock": clock, "silent": True, **situation.sandbox}
        sandbox = stack.enter_context(ProducerSandbox(**arguments))
        stack.enter_context(situation.service(sandbox) or nullcontext())
        if situation.record is not None:
            _changes[sandbox.api_token] = situation.record
        settings = {"api_token": sandbox.api_token, "base_url": sandbox.base_url, "clock": clock, **situation.client}
        if situation.budget is not None:
            settings["budget"] = Budget(max_calls=situation.budget)
        reader = LiteralReader(character=character, asks=situation.asks, wants_files=situation.wants_files)
        async with ProducerClient(**settings) as client:
            texts = await _converse(situation, reader, ProducerToolkit(client=client, download_dir=Path(directory)))
            complete = await _complete(sandbox, clock)
        charged = len(sandbox.charges)
    return _judged(situation, reader, charged, complete, tuple(texts))


async def _converse(situation: Situation, reader: LiteralReader, toolkit: ProducerToolkit) -> list[str]:
    tools = toolkit.get_tools()
    asking = [] if situation.is_approved is None else [HumanInTheLoopMiddleware(interrupt_on=interrupt_on(tools))]
    agent: Any = create_agent(reader, tools, middleware=asking, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}, "recursion_limit": 3 * MOST_TURNS}
    state: dict[str, Any] = {}
    for ask in situation.asks:
        state = await agent.ainvoke({"messages": [HumanMessage(ask.text)]}, config)
        while "__interrupt__" in state:
            decision = {"type": "approve" if situation.is_approved else "reject"}
            [interrupt] = state["__interrupt__"]
            decisions = [decision] * len(interrupt.value["action_requests"])
            state = await agent.ainvoke(Command(resume={"decisions": decisions}), config)
        if situation.crashes:
            before = [each async for each in agent.aget_state_history(config) if each.next == ("tools",)][-1]
            state = await agent.ainvoke(None, before.config)
    return [f"{message.type}: {message.text or message.tool_calls}" for message in state["messages"]]


async def _complete(sandbox: ProducerSandbox, clock: VirtualClock) -> set[str]:
    """The URLs and texts of all results of complete tasks that were charged, and so exist."""
    if not sandbox.charges:
        return set()
    async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=clock, poll_interval=0) as client:
        try:
            batch = await client.get_tasks([charge.task_id for charge in sandbox.charges])
        except ProducerToolError:
            return set()
    return {
        str(result[key.name])  # type: ignore[literal-required]  # the names are those of the keys
        for task in batch.tasks
        for result in task.results
        for key in RESULT_KEYS
        if key.name in result
    }


@contextmanager
def stage() -> Iterator[None]:
    """In the block, situations can be played.

    The sandbox of one with a ``record`` shows records that it does not make itself, and time passes only in waits.
    """
    make = Writer.record

    def changed(writer: Writer, task: StoredTask, now: float) -> Record:
        change = _changes.get(task.owner.api_token)
        record = make(writer, task, now)
        return change(record) if change else record

    with patch.object(Writer, "record", changed), requests_take_no_time():
        yield


def _judged(
    situation: Situation, reader: LiteralReader, charged: int, complete: set[str], texts: tuple[str, ...]
) -> Outcome:
    said = " ".join(reader.told)
    most_calls = situation.paid if situation.paid_calls is None else situation.paid_calls
    links = [value for value in reader.given if value.startswith("http")]
    results = [value for value in reader.given if not value.endswith(".jpg")]
    checks = {
        f"ended with: {reader.end}": reader.end == situation.ends,
        f"{charged} paid": charged == situation.paid,
        f"{len(results)} handed out": len(results) == situation.given,
        "a URL of an unfinished task": situation.gives_parts or complete.issuperset(links),
        f"{reader.paid_calls} calls of paid tools": reader.paid_calls <= most_calls,
        f"{reader.turns} turns": reader.turns <= situation.turns,
        **{f"the user is not told: {words}": words in said for words in situation.told},
    }
    wrong = tuple(problem for problem, is_right in checks.items() if not is_right)
    return Outcome(
        reader.turns, reader.paid_calls, charged, tuple(results), tuple(reader.told), reader.end, wrong, texts
    )
