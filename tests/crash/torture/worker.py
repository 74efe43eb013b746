"""A process that makes songs with a graph. It may be killed at any moment; started again, it resumes."""

import asyncio
import json
import logging
import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Annotated, Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from producer_tools import (
    CallbackReceiver,
    ProducerClient,
    ProducerGenerateMusic,
    SqliteLedger,
    SubmissionUnknownError,
    api_token,
)
from producer_tools.concurrency.sync import run_sync
from producer_tools.langgraph import SongState, SubmitNode
from producer_tools.requests import GenerateMusic
from tests.clocks import FastClock

CALLS, TAKES, HURRIED = 3, 2, 1
"""Songs of one round: tool calls of one message, runs of one subgraph, and submits that are cancelled and repeated."""
_LONGEST_HURRY = 0.03
_SECRET = "a secret that all workers share"
_PUBLIC_URL = "http://127.0.0.1:9/callbacks"  # no callback of the service arrives


class Job(NamedTuple):
    """What a worker is given.

    Attributes:
        client: The client, as it comes out of a pickle; ``None`` if the worker makes its own, with callbacks.
        base_url: The service's address.
        api_token: The user's token.
        user: The user's name. All users have the same threads, and one ledger.
        directory: For the checkpoints and the ledger.
        thread: The graph's thread.
        songs: How many songs to make; a song's prompt is the thread's name and its number.
    """

    client: ProducerClient | None
    base_url: str
    api_token: str
    user: str
    directory: str
    thread: str
    songs: int

    def prompts(self) -> list[str]:
        return [f"{self.thread} song {number}" for number in range(self.songs)]


class State(TypedDict):
    """``requested`` counts the songs so far. ``results`` has a task id or an error for each that no tool made."""

    prompts: list[str]
    requested: Annotated[int, operator.add]
    messages: Annotated[list[AnyMessage], add_messages]
    results: Annotated[dict[str, Any], operator.or_]


def open_ledger(directory: str) -> SqliteLedger:
    """The ledger that all users and workers share."""
    return SqliteLedger(f"{directory}/ledger.sqlite")


def make_client(base_url: str, ledger: SqliteLedger, callbacks: CallbackReceiver | None = None) -> ProducerClient:
    """A client of any user, whose token is that of the surrounding block."""
    # The faults are random: they do not mean that the service is down.
    return ProducerClient(
        base_url=base_url,
        ledger=ledger,
        callbacks=callbacks,
        require_user_token=True,
        failures_until_down=1_000_000,
        clock=FastClock(),
    )


def work(job: Job) -> None:
    """Make the songs, or resume making them."""
    logging.getLogger("producer_tools").setLevel(logging.CRITICAL)  # faults are normal here, and would hide the report
    ledger = open_ledger(job.directory)
    with api_token(job.api_token):
        if job.client is not None:
            _run(job, job.client)
            return
        receiver = CallbackReceiver(_PUBLIC_URL, secret=_SECRET)
        threading.Thread(target=_forge_callbacks, args=(receiver, ledger), daemon=True).start()
        with make_client(job.base_url, ledger, receiver) as client:
            _run(job, client)


def results(job: Job) -> dict[str, Any]:
    """What the graph has for each prompt: the task's id, or an error as a dictionary or text."""
    with _opened(job, None) as (graph, config):
        state = graph.get_state(config).values
    found: dict[str, Any] = dict(state["results"])
    prompts: dict[str, str] = {}
    for message in state["messages"]:
        if isinstance(message, AIMessage):
            prompts = {str(call["id"]): call["args"]["prompt"] for call in message.tool_calls}
        elif isinstance(message, ToolMessage):
            task_id = (message.artifact or {}).get("task_id") if message.status == "success" else None
            found[prompts[message.tool_call_id]] = task_id or message.text
    return found


def _run(job: Job, client: ProducerClient) -> None:
    with _opened(job, client) as (graph, config):
        state = graph.get_state(config)
        if not state.values:
            graph.invoke({"prompts": job.prompts(), "requested": 0, "messages": [], "results": {}}, config)
        elif state.tasks:  # `next` would miss a step whose tasks are done but whose checkpoint was not written
            graph.invoke(None, config)


def _forge_callbacks(receiver: CallbackReceiver, ledger: SqliteLedger) -> None:
    """Post the ids of finished songs to the addresses of all songs that are being made, as a stranger could."""
    while True:
        entries = run_sync(ledger.entries)
        finished = [entry.answer["task_id"] for entry in entries if entry.answer and "task_id" in entry.answer]
        for entry in entries:
            if entry.answer is None and finished:
                address = str(entry.request["callback_url"]).rpartition("/")[2]
                receiver.receive(address, json.dumps({"task_id": finished[-1]}).encode())


@contextmanager
def _opened(job: Job, client: ProducerClient | None) -> Iterator[tuple[Any, Any]]:
    """The graph over its files, and the configuration of the job's thread."""
    with SqliteSaver.from_conn_string(f"{job.directory}/checkpoints of {job.user}.sqlite") as saver:
        graph = _graph(client or make_client(job.base_url, open_ledger(job.directory)))
        yield (
            graph.compile(checkpointer=saver),
            {"configurable": {"thread_id": job.thread}, "recursion_limit": 1000},
        )


def _graph(client: ProducerClient) -> Any:
    """Rounds of a message that calls a tool several times, a node that runs a subgraph twice, and a hurried node."""
    song: Any = StateGraph(SongState)
    song = song.add_node("submit", SubmitNode(client)).add_edge(START, "submit").compile()

    def takes(state: State) -> dict[str, Any]:
        """Run the same subgraph for each of the next songs."""
        prompts = _next(state, TAKES)
        made = {prompt: song.invoke({"request": request_of(prompt)}) for prompt in prompts}
        results = {prompt: each["error"] or each["task"]["task_id"] for prompt, each in made.items()}
        return {"requested": len(prompts), "results": results}

    def hurried(state: State) -> dict[str, Any]:
        prompts = _next(state, HURRIED)
        return {
            "requested": len(prompts),
            "results": {prompt: asyncio.run(_submit_in_a_hurry(client, prompt)) for prompt in prompts},
        }

    builder: Any = StateGraph(State)
    builder.add_node("request", _request)
    builder.add_node("tools", ToolNode([ProducerGenerateMusic(client=client)]))
    builder.add_node("takes", takes)
    builder.add_node("hurried", hurried)
    builder.add_edge(START, "request")
    builder.add_conditional_edges("request", lambda state: "tools" if _is_asking(state) else END, ["tools", END])
    builder.add_edge("tools", "takes")
    builder.add_edge("takes", "hurried")
    return builder.add_edge("hurried", "request")


def request_of(prompt: str) -> Any:
    """The request of a song, as a graph's state has it."""
    return {"name": "producer_generate_music", "args": {"prompt": prompt}}


async def _submit_in_a_hurry(client: ProducerClient, prompt: str) -> str:
    """Cancel a submit after a random time, and repeat it."""
    request = GenerateMusic(prompt=prompt)
    with suppress(asyncio.TimeoutError):
        seconds = Random().uniform(0, _LONGEST_HURRY)
        await asyncio.wait_for(client.submit(request, key=prompt), seconds)
    try:
        return str((await client.submit(request, key=prompt)).task_id)
    except SubmissionUnknownError as error:
        return str(error)


def _request(state: State) -> dict[str, Any]:
    """Request the next songs, as a model would that numbers its calls anew in each message."""
    prompts = _next(state, CALLS)
    if not prompts:
        return {"requested": 0}
    calls: list[Any] = [
        {"type": "tool_call", "id": f"functions.{(request := request_of(prompt))['name']}:{number}", **request}
        for number, prompt in enumerate(prompts)
    ]
    return {
        "requested": len(calls),
        "messages": [AIMessage("", tool_calls=calls, id=f"message {state['requested']}")],
    }


def _next(state: State, number: int) -> list[str]:
    return state["prompts"][state["requested"] : state["requested"] + number]


def _is_asking(state: State) -> bool:
    return isinstance(state["messages"][-1], AIMessage)
