"""Calls a peer through LangChain tools, and prints what came of it as JSON. It runs in the environment of the peers.

``peer_calls.py WAY times`` prints how many seconds each submit and each look-up took. ``peer_calls.py WAY submit``
prints the task id that one submit returned; null after an error. ``peer_calls.py WAY look_up TASK_ID…`` prints for each
task whether it is told to be finished; null after an error. `WAYS` has the ways. Address and token are in the
environment.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from acedatacloud import AsyncAceDataCloud
from acedatacloud._runtime.tasks import task_status
from langchain_acedatacloud.client import AceAPIClient
from langchain_core.tools import BaseTool, tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_suno_acedatacloud import SunoToolkit

from tests.bench.peers_environment.timing import seconds_of_calls

BASE_URL = os.environ["ACEDATACLOUD_API_BASE_URL"]
TOKEN = os.environ["ACEDATACLOUD_API_TOKEN"]
MCP_PRODUCER = str(Path(__file__).parent / "local_mcp_producer.py")
SONG = {"prompt": "happy summer pop"}


class Peer(NamedTuple):
    """A peer, ready to be called.

    Attributes:
        submit: the tool that submits a song.
        look_up: the tool that looks a task up.
        task_id: reads the id of the task from what `submit` returned.
        is_finished: reads from what `look_up` returned whether the task is finished.
    """

    submit: BaseTool
    look_up: BaseTool
    task_id: Callable[[Any], str]
    is_finished: Callable[[Any], bool]


Way = Callable[[], AbstractAsyncContextManager[Peer]]


def _mcp_peer(tools: list[BaseTool]) -> Peer:
    by_name = {each.name: each for each in tools}
    return Peer(
        by_name["producer_generate_music"],
        by_name["producer_get_task"],
        lambda answer: str(_json_of(answer)["task_id"]),
        lambda answer: bool(_json_of(answer)["mcp_task_polling"]["is_complete"]),
    )


def _json_of(answer: list[dict[str, Any]]) -> dict[str, Any]:
    """The adapters return an error as a text for the model, which is no JSON."""
    return dict(json.loads(answer[0]["text"]))


def _stdio() -> MultiServerMCPClient:
    # A shell starts the server, so that what it logs does not go to the terminal.
    start = f'exec "{sys.executable}" "{MCP_PRODUCER}" 2>/dev/null'
    server = {"transport": "stdio", "command": "/bin/sh", "args": ["-c", start], "env": dict(os.environ)}
    return MultiServerMCPClient({"producer": server})


@asynccontextmanager
async def _http() -> AsyncIterator[MultiServerMCPClient]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, MCP_PRODUCER, "--transport", "http", "--port", str(port)]
    discard = asyncio.subprocess.DEVNULL
    program = await asyncio.create_subprocess_exec(*command, stdout=discard, stderr=discard)
    try:
        async with httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{port}/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        server = {"transport": "streamable_http", "url": f"http://127.0.0.1:{port}/mcp", "headers": headers}
        yield MultiServerMCPClient({"producer": server})
    finally:
        program.terminate()
        await program.wait()


@asynccontextmanager
async def mcp_stdio() -> AsyncIterator[Peer]:
    """``mcp-producer`` as a child process, with one session for all calls."""
    async with _stdio().session("producer") as session:
        yield _mcp_peer(await load_mcp_tools(session))


@asynccontextmanager
async def mcp_stdio_default() -> AsyncIterator[Peer]:
    """The same, with a new session, and so a new process, for each call: what ``get_tools`` of the adapters does."""
    yield _mcp_peer(await _stdio().get_tools())


@asynccontextmanager
async def mcp_http() -> AsyncIterator[Peer]:
    """``mcp-producer`` as a web server, with one session for all calls."""
    async with _http() as client, client.session("producer") as session:
        yield _mcp_peer(await load_mcp_tools(session))


@asynccontextmanager
async def mcp_http_default() -> AsyncIterator[Peer]:
    """The same, with a new session for each call."""
    async with _http() as client:
        yield _mcp_peer(await client.get_tools())


class _ProducerInPlaceOfSuno(AceAPIClient):  # type: ignore[misc]  # no types in the suite's environment
    """Sends the requests of the Suno tools to the Producer API on loopback: another path, and another model."""

    @staticmethod
    def _url(path: str) -> str:
        return BASE_URL + path.replace("/suno/", "/producer/")

    async def apost(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await super().apost(path, {**body, "model": "FUZZ-2.0"} if "model" in body else body)
        return dict(answer)


def _suno_peer(client: AceAPIClient) -> Peer:
    submit, look_up = SunoToolkit(client=client, include_generation=True).get_tools()
    return Peer(
        submit, look_up, lambda answer: str(answer["task_id"]), lambda answer: bool(answer["status"] == "succeeded")
    )


@asynccontextmanager
async def suno() -> AsyncIterator[Peer]:
    """``langchain-suno-acedatacloud`` with an HTTP client that is kept."""
    async with httpx.AsyncClient(timeout=60) as http:
        yield _suno_peer(_ProducerInPlaceOfSuno(TOKEN, http_async_client=http))


@asynccontextmanager
async def suno_default() -> AsyncIterator[Peer]:
    """The same without: it makes one for each call."""
    yield _suno_peer(_ProducerInPlaceOfSuno(TOKEN))


@asynccontextmanager
async def sdk() -> AsyncIterator[Peer]:
    """The SDK ``acedatacloud`` in LangChain tools, as one would write them. Its waits read the state likewise."""
    async with AsyncAceDataCloud(TOKEN, base_url=BASE_URL) as client:

        @tool
        async def submit(prompt: str) -> str:
            """Make a song."""
            return str((await client.producer.generate(action="generate", prompt=prompt, lyric="")).id)

        @tool
        async def look_up(task_id: str) -> dict[str, Any]:
            """Look a song up."""
            return dict(await client.tasks.get(task_id, service="producer"))

        yield Peer(submit, look_up, str, lambda state: bool(task_status(state) == "succeeded"))


WAYS: dict[str, Way] = {
    each.__name__: each for each in (mcp_stdio, mcp_stdio_default, mcp_http, mcp_http_default, suno, suno_default, sdk)
}


async def times(peer: Peer) -> dict[str, list[float]]:
    """How many seconds each submit, and each look-up of a finished task, took."""
    task_id = peer.task_id(await peer.submit.ainvoke(SONG))
    return {
        "submit": await seconds_of_calls(lambda: peer.submit.ainvoke(SONG)),
        "look_up": await seconds_of_calls(lambda: peer.look_up.ainvoke({"task_id": task_id})),
    }


async def submitted(peer: Peer) -> str | None:
    """The task id that one submit returned; None after an error."""
    with suppress(Exception):
        return peer.task_id(await peer.submit.ainvoke(SONG))
    return None


async def is_finished(peer: Peer, task_id: str) -> bool | None:
    """Whether one look-up tells that the task is finished; None after an error."""
    with suppress(Exception):
        return peer.is_finished(await peer.look_up.ainvoke({"task_id": task_id}))
    return None


async def main(way: str, action: str, *task_ids: str) -> None:
    """Do what the command line says."""
    async with WAYS[way]() as peer:
        if action == "times":
            print(json.dumps(await times(peer)))
        elif action == "submit":
            print(json.dumps(await submitted(peer)))
        else:
            print(json.dumps([await is_finished(peer, task_id) for task_id in task_ids]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
