"""Runs a graph sync or async, with any checkpointer, so that one test covers all of them."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from producer_tools import ProducerClient
from producer_tools.langgraph import SongRequest
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import FastClock

Builder = Any
"""A ``StateGraph`` with any state."""

MakeAlbum = Callable[..., Builder]
"""Builds an album graph from options of `album_graph`."""

AUDIOS = "/producer/audios"
MODES = ["invoke", "ainvoke"]
SQLITE_MODES = ["invoke on sqlite", "ainvoke on sqlite"]

sync_and_async = pytest.mark.parametrize("run", MODES, indirect=True)
every_checkpointer = pytest.mark.parametrize("run", [*MODES, *SQLITE_MODES], indirect=True)
"""Sync and async, each with the checkpointers in memory and on disk."""


class Runner:
    """Runs graphs in one mode.

    Args:
        mode: ``invoke`` or ``ainvoke``.
        saver: the checkpointer of the graphs.
    """

    def __init__(self, mode: str, saver: BaseCheckpointSaver[Any]) -> None:
        self._is_async = mode == "ainvoke"
        self.saver = saver

    async def __call__(
        self, builder: Builder, given: Any, *, thread: str | None = "a thread", store: Any = None, **options: Any
    ) -> dict[str, Any]:
        """Run the graph until it ends or interrupts. Without a thread there is no checkpointer."""
        graph, config = self.compiled(builder, thread, store)
        if self._is_async:
            return dict(await graph.ainvoke(given, config, **options))
        return dict(graph.invoke(given, config, **options))

    async def events(self, builder: Builder, given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        """The events that the graph streams."""
        graph, config = self.compiled(builder)
        if self._is_async:
            async with aclosing(graph.astream(given, config, **options)) as events:
                async for event in events:
                    yield event
        else:
            for event in graph.stream(given, config, **options):
                yield event

    async def state(self, builder: Builder) -> dict[str, Any]:
        """The state that the checkpointer has of the thread."""
        graph, config = self.compiled(builder)
        snapshot = await graph.aget_state(config) if self._is_async else graph.get_state(config)
        return dict(snapshot.values)

    def compiled(
        self, builder: Builder, thread: str | None = "a thread", store: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """The compiled graph, and the config to run it with."""
        graph = builder.compile(checkpointer=self.saver if thread else None, store=store)
        return graph, {"configurable": {"thread_id": thread}} if thread else {}


@asynccontextmanager
async def open_runner(mode: str, directory: Path) -> AsyncIterator[Runner]:
    """A runner for one of `MODES` or `SQLITE_MODES`. Two SQLite runners in one directory share their checkpoints."""
    method, _, on_disk = mode.partition(" on ")
    path = str(directory / "checkpoints.sqlite")
    if not on_disk:
        yield Runner(method, InMemorySaver())
    elif method == "ainvoke":
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            yield Runner(method, saver)
    else:
        with SqliteSaver.from_conn_string(path) as saver:
            yield Runner(method, saver)


def fast_client(
    sandbox: ProducerSandbox, kind: type[ProducerClient] = ProducerClient, **options: Any
) -> ProducerClient:
    """A client whose time runs ten times as fast, and that never waits between two look-ups.

    Not faster, or a wait of ten minutes would be over before a busy machine has made a song.
    """
    defaults: dict[str, Any] = {"poll_interval": 0, "clock": FastClock(10)}
    return kind(sandbox.api_token, sandbox.base_url, **{**defaults, **options})


def request(name: str, **args: Any) -> SongRequest:
    """A request for the tool ``producer_<name>``."""
    return SongRequest(name=f"producer_{name}", args=args)


def is_json(state: Any) -> bool:
    """Whether the state is the same after it was written as JSON and read again."""
    return bool(json.loads(json.dumps(state)) == state)


def paid_task_ids(sandbox: ProducerSandbox) -> list[str]:
    """The ids of the tasks that were charged, in order."""
    return [charge.task_id for charge in sandbox.charges]


def charged_prompts(sandbox: ProducerSandbox) -> Counter[str]:
    """How often each prompt was charged."""
    return Counter(charge.request["prompt"] for charge in sandbox.charges)


def charged_actions(sandbox: ProducerSandbox) -> list[str | None]:
    """The actions that were charged, in order."""
    return [charge.action for charge in sandbox.charges]


def error_codes(state: dict[str, Any]) -> list[str | None]:
    """The error code of each song of an album; ``None`` for a song without an error."""
    return [song["error"] and song["error"]["code"] for song in state["songs"]]
