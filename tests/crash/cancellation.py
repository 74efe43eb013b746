"""Cancel a submit at each step of its event loop, try it again, and count the charges.

``python -m tests.crash.cancellation`` does so with each way to submit and each kind of ledger.

It cancels the caller alone, or all tasks, as an event loop does when it ends.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite.aio import AsyncSqliteStore

from producer_tools import (
    Ledger,
    MemoryLedger,
    ProducerClient,
    ProducerError,
    ProducerGenerateMusic,
    SqliteLedger,
    StoreLedger,
)
from producer_tools.langgraph import SongState, SubmitNode
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.fake_model import FakeModel, calling
from tests.langgraph.runner import request

Victims = Literal["caller", "all"]
Call = Callable[[], Awaitable[str | None]]
"""Submits a song, or continues what was cancelled; returns the task's id, or an error's text."""
Way = Callable[[ProducerClient, str], Call]
OpenLedger = Callable[[], Any]
"""Opens a ledger, as an async context manager."""

_MOST_STEPS = 2_000


@dataclass
class Cancellations:
    """The counts.

    Attributes:
        cancelled: Submits that were cancelled.
        once: Those whose song was charged once, before or after the cancellation, and whose retry got its task.
        unknown: Those whose retry reported an unknown outcome.
        wrong: Everything else, a line each. It must be empty.
    """

    cancelled: int = 0
    once: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that cancels tasks before its step with a certain number."""

    def __init__(self, cancel_at: int, victims: Victims) -> None:
        super().__init__()
        self._cancel_at = cancel_at
        self._victims = victims
        self._steps = 0
        self.main: asyncio.Task[Any] | None = None
        self.caller: asyncio.Task[Any] | None = None

    def _run_once(self) -> None:
        if self.caller is not None and not self.caller.done():
            self._steps += 1
            if self._steps == self._cancel_at:
                for task in asyncio.all_tasks(self) - {self.main} if self._victims == "all" else {self.caller}:
                    task.cancel()
        super()._run_once()  # type: ignore[misc]  # asyncio's own step, which has no public name


def by_client(client: ProducerClient, song: str) -> Call:
    """``client.submit`` with a key."""

    async def call() -> str | None:
        return (await client.submit(GenerateMusic(prompt=song), key=song)).task_id

    return call


def by_node(client: ProducerClient, song: str) -> Call:
    """A `SubmitNode` in a graph, which is resumed."""
    builder: Any = StateGraph(SongState).add_node("submit", SubmitNode(client)).add_edge(START, "submit")

    def read(state: Any) -> str | None:
        return str(state["error"] or state["task"]["task_id"])

    given = {"request": request("generate_music", prompt=song)}
    return _run(builder.compile(checkpointer=InMemorySaver()), song, given, read)


def by_agent(client: ProducerClient, song: str) -> Call:
    """A tool call of an agent, which is resumed."""

    def answer(_: str) -> AIMessage:
        is_done = any(isinstance(message, ToolMessage) for message in model.calls[-1])
        return AIMessage("done") if is_done else calling("generate_music", prompt=song)

    def read(state: Any) -> str | None:
        (message,) = (each for each in state["messages"] if isinstance(each, ToolMessage))
        return str(message.artifact["task_id"] if message.artifact else message.content)

    model = FakeModel(answers=[answer])
    agent: Any = create_agent(model, [ProducerGenerateMusic(client=client)], checkpointer=InMemorySaver())
    return _run(agent, song, {"messages": [HumanMessage(song)]}, read)


WAYS: list[Way] = [by_client, by_node, by_agent]


def _run(graph: Any, song: str, given: Any, read: Callable[[Any], str | None]) -> Call:
    config: Any = {"configurable": {"thread_id": song}}

    async def call() -> str | None:
        saved = await graph.aget_state(config)
        if saved.values and not saved.next:
            return read(saved.values)
        return read(await graph.ainvoke(None if saved.values else given, config))

    return call


def cancel_at_each_step(
    sandbox: ProducerSandbox, way: Way, ledger: OpenLedger, victims: Victims, *, every: int = 1, first: int = 1
) -> Cancellations:
    """Cancel a new submit at step ``first``, the next one ``every`` steps later, until one ends undisturbed.

    Args:
        sandbox: The service.
        way: How the song is submitted.
        ledger: Opens what the submits are written down in.
        victims: Whether only the caller of the submit is cancelled, or all tasks of its loop.
        every: How many steps later the next one is cancelled.
        first: The step at which the first one is cancelled.
    """
    found = Cancellations()
    for step in range(first, _MOST_STEPS, every):
        if not _cancel_at(step, sandbox, way, ledger, victims=victims, found=found):
            break
    return found


def _cancel_at(
    step: int, sandbox: ProducerSandbox, way: Way, ledger: OpenLedger, *, victims: Victims, found: Cancellations
) -> bool:
    """Cancel one submit and try it again; returns whether it was cancelled before it ended."""
    loop, seen = _Loop(step, victims), len(sandbox.charges)

    async def main() -> tuple[bool, str | None]:
        loop.main = asyncio.current_task()
        async with (
            ledger() as opened,
            ProducerClient(sandbox.api_token, sandbox.base_url, ledger=opened, poll_interval=0) as client,
        ):
            call = way(client, f"song {seen} {step}")
            loop.caller = asyncio.ensure_future(call())
            await asyncio.wait([loop.caller])
            try:
                return loop.caller.cancelled(), await call()
            except ProducerError as error:
                return loop.caller.cancelled(), str(error)

    try:
        is_cancelled, answer = loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    charged = [charge.task_id for charge in sandbox.charges[seen:]]
    if charged == [answer]:
        found.once += 1
    elif len(charged) < 2 and "unknown_outcome" in (answer or ""):
        found.unknown += 1
    else:
        found.wrong.append(f"step {step}: charged {charged}, and the retry got {answer}")
    found.cancelled += is_cancelled
    return is_cancelled


def always(ledger: Ledger) -> OpenLedger:
    """Opens a ledger that needs no opening."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        yield ledger

    return opened


def async_store(path: Path) -> OpenLedger:
    """Opens a ledger in an async store on disk. A task of the store's own does its work."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        async with AsyncSqliteStore.from_conn_string(str(path)) as store:
            await store.setup()
            yield StoreLedger(store)

    return opened


def main() -> None:
    """Print the counts of each way, each ledger and each kind of cancellation."""
    with tempfile.TemporaryDirectory() as directory, ProducerSandbox(render_seconds=0) as sandbox:
        kinds: list[Victims] = ["caller", "all"]
        ledgers = {
            "memory": always(MemoryLedger()),
            "sqlite": always(SqliteLedger(Path(directory) / "ledger.sqlite")),
            "store": always(StoreLedger(InMemoryStore())),
            "async store": async_store(Path(directory) / "store.sqlite"),
        }
        wrong = 0
        for name, ledger in ledgers.items():
            # Cancelling the async store's own task breaks its connection: that is LangGraph's, and ends as unknown.
            for victims in kinds if name != "async store" else kinds[:1]:
                for way in WAYS:
                    found = cancel_at_each_step(sandbox, way, ledger, victims)
                    print(f"{name}, {way.__name__}, {victims}: cancelled at {found.cancelled} steps;", end=" ")
                    print(f"{found.once} charged once, {found.unknown} unknown, {len(found.wrong)} wrong", flush=True)
                    print(*found.wrong[:10], sep="\n")
                    wrong += len(found.wrong)
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
