"""The paid tools with valid arguments, the charges of a sandbox, and a session that records requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from producer_tools import ProducerClient, ProducerGenerateMusic, ProducerGetTask
from producer_tools.sandbox import Charge, ProducerSandbox
from producer_tools.tools.base import SubmittingTool
from producer_tools.tools.catalog import ALL_TOOLS

Tool = type[SubmittingTool]

PAID: list[Tool] = [tool for tool in ALL_TOOLS if issubclass(tool, SubmittingTool)]

_ARGUMENTS: dict[str, Any] = {
    "prompt": "a slow waltz",
    "lyric": "[Verse]\nOne line",
    "title": "Waltz",
    "continue_at": 1,
    "replace_section_start": 1,
    "replace_section_end": 2,
    "audio_url": "https://audio.example/a.mp3",
}


def endpoint_of(tool: Tool) -> str:
    """The endpoint that a tool sends to."""
    endpoint: str = tool.model_fields["args_schema"].default.endpoint
    return endpoint


def raising(tool: Tool, client: ProducerClient) -> SubmittingTool:
    """The tool with a client. It raises its errors instead of returning them as messages."""
    options: dict[str, Any] = {"client": client, "handle_tool_error": False}
    return tool(**options)


def give_up_when_silent(client: ProducerClient) -> None:
    """Let the client's paid requests time out as soon as the service is silent for a moment.

    A limit for the whole request would have to be short, and could end before a busy machine has sent it.
    """
    client._transport._paid_timeout = aiohttp.ClientTimeout(total=None, sock_read=0.1)  # noqa: SLF001 - see above


class Account:
    """A sandbox with one finished song, and its charges."""

    def __init__(self, sandbox: ProducerSandbox) -> None:
        self.sandbox = sandbox
        with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
            submitted = json.loads(ProducerGenerateMusic(client=client).invoke({"prompt": "x"}))
            song = json.loads(ProducerGetTask(client=client).invoke({"task_id": submitted["task_id"]}))
        self._values = {**_ARGUMENTS, "audio_id": song["results"][0]["audio_id"]}
        self._seen = len(sandbox.charges)

    def arguments(self, tool: Tool, key: str | None = None) -> dict[str, Any]:
        """The arguments that a tool requires, and an idempotency key."""
        fields = tool.model_fields["args_schema"].default.model_fields
        required = {name: self._values[name] for name, field in fields.items() if field.is_required()}
        return {**required, "submission_key": key}

    def new_charges(self) -> tuple[Charge, ...]:
        """The charges since the last call."""
        new = self.sandbox.charges[self._seen :]
        self._seen += len(new)
        return new

    async def wait_for_charges(self, count: int, *, are_new: bool = True) -> tuple[Charge, ...]:
        """The charges since the last call, as soon as there are ``count``.

        A client that has given up on an answer may be ahead of the sandbox.

        Args:
            count: how many to wait for.
            are_new: whether the next call returns only the charges after these.
        """
        while len(self.sandbox.charges) < self._seen + count:
            await asyncio.sleep(0.001)
        return self.new_charges() if are_new else self.sandbox.charges[self._seen :]


@asynccontextmanager
async def recorded_session() -> AsyncIterator[tuple[aiohttp.ClientSession, list[str]]]:
    """A session, and the paths of the requests that it sends."""
    paths: list[str] = []

    async def record(_: aiohttp.ClientSession, __: Any, started: aiohttp.TraceRequestStartParams) -> None:
        paths.append(started.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(record)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        yield session, paths
