"""MCP hosts for tests: the official client, in the process of the server or beside the real program."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.memory import create_connected_server_and_client_session as in_memory

from producer_tools.sandbox import ProducerSandbox
from tests.free_ports import free_port

__all__ = [
    "FAST_PROGRAM",
    "MORNING_PROGRAM",
    "Person",
    "connected",
    "http_program",
    "in_memory",
    "stdio_program",
    "text_of",
]

PROGRAM = "producer_tools.mcp"
FAST_PROGRAM = "tests.mcp.fast_program"
MORNING_PROGRAM = "tests.mcp.morning_program"
# Longer than a program takes to start or to end, however busy the machine is.
_PATIENCE_SECONDS = 120.0


class Person:
    """Answers every question of a server in the same way.

    Attributes:
        asked: what was asked.
    """

    def __init__(self, action: Any) -> None:
        self.action = action
        self.asked: list[str] = []

    async def __call__(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG002
        self.asked.append(params.message)
        return types.ElicitResult(action=self.action)


def text_of(result: types.CallToolResult) -> str:
    """The one text of an answer."""
    [content] = result.content
    assert isinstance(content, types.TextContent)
    return content.text


@asynccontextmanager
async def stdio_program(
    sandbox: ProducerSandbox, *options: str, module: str = PROGRAM, errors: Path | None = None, **callbacks: Any
) -> AsyncIterator[ClientSession]:
    """A session with the program over stdio.

    Args:
        sandbox: where its calls go.
        options: of the program.
        module: the program.
        errors: the file for what it writes to stderr.
        callbacks: of the session.
    """
    server = StdioServerParameters(command=sys.executable, args=["-m", module, *options], env=_environment(sandbox))
    with (
        (errors or Path(os.devnull)).open("w") as log,
        # The client kills a program that has not ended two seconds after its stdin: too soon on a busy machine.
        patch("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", _PATIENCE_SECONDS),
    ):
        async with stdio_client(server, errlog=log) as streams, ClientSession(*streams, **callbacks) as session:
            await session.initialize()
            yield session


@contextmanager
def http_program(sandbox: ProducerSandbox, errors: Path, token: str = "") -> Iterator[str]:
    """The URL of the program, which serves HTTP during the block.

    Args:
        sandbox: where its calls go.
        errors: the file for what it writes.
        token: its API token; default none, so that each request must bring one.
    """
    port = free_port()
    environment = {**os.environ, **_environment(sandbox), "ACEDATACLOUD_API_TOKEN": token}
    command = [sys.executable, "-m", PROGRAM, "--http", "--port", str(port)]
    with errors.open("w") as log:
        program = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_it_listens(port, program, errors)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        program.terminate()
        assert program.wait(_PATIENCE_SECONDS) == 0


@asynccontextmanager
async def connected(url: str, **headers: str) -> AsyncIterator[ClientSession]:
    """A session over HTTP, each of whose requests has these headers."""
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(url, http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def _wait_until_it_listens(port: int, program: subprocess.Popen[bytes], errors: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert program.poll() is None, errors.read_text()
        assert time.monotonic() < until, errors.read_text()
        time.sleep(0.05)


def _environment(sandbox: ProducerSandbox) -> dict[str, str]:
    return {
        "ACEDATACLOUD_API_TOKEN": sandbox.api_token,
        "ACEDATACLOUD_API_BASE_URL": sandbox.base_url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
