"""A graph run sync or async, on any checkpointer, by tests that need not know which."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
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
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio
from tests.clocks import FastClock

Builder = Any
"""A ``StateGraph``; of which state does not matter here."""

AUDIOS = "/producer/audios"
WAYS = ["invoke", "ainvoke"]
ON_DISK = ["invoke on sqlite", "ainvoke on sqlite"]

both_ways = pytest.mark.parametrize("runs", WAYS, indirect=True)
everywhere = pytest.mark.parametrize("runs", [*WAYS, *ON_DISK], indirect=True)
"""Both ways, with each of LangGraph's checkpointers for them."""


class Runs:
    """Runs graphs in one way.

    Args:
        way: ``invoke`` or ``ainvoke``.
        saver: what their builders are compiled with.
    """

    def __init__(self, way: str, saver: BaseCheckpointSaver[Any]) -> None:
        self._is_async = way == "ainvoke"
        self._saver = saver

    async def __call__(
        self, builder: Builder, given: Any, *, thread: str | None = "a thread", store: Any = None, **options: Any
    ) -> dict[str, Any]:
        """Run to the end, or to an interrupt; without a thread there is no checkpointer."""
        graph, config = self._compiled(builder, thread, store)
        if self._is_async:
            return dict(await graph.ainvoke(given, config, **options))
        return dict(graph.invoke(given, config, **options))

    async def events(self, builder: Builder, given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        """What the graph streams, as it comes."""
        graph, config = self._compiled(builder, "a thread")
        if self._is_async:
            async with aclosing(graph.astream(given, config, **options)) as events:
                async for event in events:
                    yield event
        else:
            for event in graph.stream(given, config, **options):
                yield event

    async def state(self, builder: Builder, *, thread: str = "a thread") -> dict[str, Any]:
        """What the checkpointer has of a thread."""
        graph, config = self._compiled(builder, thread)
        snapshot = await graph.aget_state(config) if self._is_async else graph.get_state(config)
        return dict(snapshot.values)

    def _compiled(self, builder: Builder, thread: str | None, store: Any = None) -> tuple[Any, dict[str, Any]]:
        graph = builder.compile(checkpointer=self._saver if thread else None, store=store)
        return graph, {"configurable": {"thread_id": thread}} if thread else {}


@asynccontextmanager
async def running(way: str, directory: Path) -> AsyncIterator[Runs]:
    """Run in one of the `WAYS`, or `ON_DISK`: there whoever comes later goes on with what was there before."""
    name, _, on_disk = way.partition(" on ")
    path = str(directory / "checkpoints.sqlite")
    if not on_disk:
        yield Runs(name, InMemorySaver())
    elif name == "ainvoke":
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            yield Runs(name, saver)
    else:
        with SqliteSaver.from_conn_string(path) as saver:
            yield Runs(name, saver)


def client_of(sandbox: ProducerSandbox, kind: type[ProducerClient] = ProducerClient, **options: Any) -> ProducerClient:
    """A client for which five minutes are over in three seconds."""
    given: dict[str, Any] = {"poll_interval": 0, "clock": FastClock(), **options}
    return kind(sandbox.api_token, sandbox.base_url, **given)


def gone(_: Audio) -> bytes:
    """In place of a renderer of the sandbox's files: there is no file."""
    raise ApiError("no_api", "the file is gone")


def request(name: str, **args: Any) -> SongRequest:
    """What to submit, by the end of the tool's name."""
    return SongRequest(name=f"producer_{name}", args=args)


def is_plain(state: Any) -> bool:
    """Whether JSON brings back the same."""
    return bool(json.loads(json.dumps(state)) == state)


def paid(sandbox: ProducerSandbox) -> list[str]:
    """The tasks that were charged."""
    return [charge.task_id for charge in sandbox.charges]


def prompts(sandbox: ProducerSandbox) -> Counter[str]:
    """How often each prompt was charged."""
    return Counter(charge.request["prompt"] for charge in sandbox.charges)


def codes(state: dict[str, Any]) -> list[str | None]:
    """What is wrong with each song of an album."""
    return [song["error"] and song["error"]["code"] for song in state["songs"]]
