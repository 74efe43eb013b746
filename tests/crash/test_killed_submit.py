"""A process is killed after its request was sent: `settle` finds the task, and the resumed graph uses it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import SongRequest, SongState, SubmitNode
from producer_tools.requests import AUDIOS
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import FastClock
from tests.crash.processes import quick_starts

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


class Job(NamedTuple):
    """What a process is given.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        directory: For the checkpoints and the ledger.
    """

    base_url: str
    api_token: str
    directory: Path


@contextmanager
def opened(job: Job) -> Iterator[tuple[ProducerClient, Any]]:
    """The client, and the graph over its files. A lease takes 0.15 seconds."""
    ledger = SqliteLedger(job.directory / "ledger.sqlite")
    with (
        SqliteSaver.from_conn_string(str(job.directory / "checkpoints.sqlite")) as saver,
        ProducerClient(job.api_token, job.base_url, ledger=ledger, clock=FastClock()) as client,
    ):
        builder: Any = StateGraph(SongState)
        builder.add_node("submit", SubmitNode(client))
        yield client, builder.add_edge(START, "submit").compile(checkpointer=saver)


def run(job: Job, given: Any) -> Any:
    """Run the graph, or resume it if nothing is given."""
    with opened(job) as (_, graph):
        return graph.invoke(given, {"configurable": {"thread_id": "t"}}, durability="sync")


def kill_during_submit(job: Job, sandbox: ProducerSandbox) -> None:
    """Run the graph in a process, and kill that as soon as the song is charged."""
    sandbox.fail_next(Fault.SILENCE_AFTER_WORK, endpoint=AUDIOS)
    song = {"request": SongRequest(name="producer_generate_music", args={"prompt": "a waltz"})}
    process = quick_starts().Process(target=run, args=(job, song), daemon=True)
    process.start()
    try:
        while not sandbox.charges:
            process.join(0.005)
            assert process.exitcode is None
    finally:
        process.kill()
        process.join()


async def settled(client: ProducerClient) -> str:
    """What `settle` found, once the lease of the killed process has lapsed."""
    while not (found := await client.settle()):
        await asyncio.sleep(0.01)
    return found[0].finding.state


@pytest.mark.parametrize(("answer", "state"), [("works", "found"), ("forbidden", "not_listed")])
async def test_what_a_killed_process_has_sent_is_settled(answer: Any, state: str, tmp_path: Path) -> None:
    """A song would be paid for twice, or be lost although the service lists it."""
    with ProducerSandbox(render_seconds=0, clock=FastClock()) as sandbox:
        job = Job(sandbox.base_url, sandbox.api_token, tmp_path)
        sandbox.listing.answer = answer
        kill_during_submit(job, sandbox)
        (charge,) = sandbox.charges
        with opened(job) as (client, _):
            assert await settled(client) == state
        resumed = run(job, None)
        if state == "found":
            assert (resumed["error"], resumed["task"]["task_id"]) == (None, charge.task_id)
        else:
            assert (resumed["error"]["code"], resumed["task"]) == ("unknown_outcome", {})
        assert sandbox.charges == (charge,)
