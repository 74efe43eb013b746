"""Every paid tool with arguments that the sandbox takes, what it was charged for, and what was sent to it."""

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


def path_of(tool: Tool) -> str:
    """The endpoint that ``tool`` pays at."""
    endpoint: str = tool.model_fields["args_schema"].default.endpoint
    return endpoint


def raising(tool: Tool, client: ProducerClient) -> SubmittingTool:
    """``tool`` on ``client``; its errors are raised, not shown."""
    options: dict[str, Any] = {"client": client, "handle_tool_error": False}
    return tool(**options)


class Account:
    """A sandbox with one finished song, and what it charges for."""

    def __init__(self, sandbox: ProducerSandbox) -> None:
        self.sandbox = sandbox
        with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
            submitted = json.loads(ProducerGenerateMusic(client=client).invoke({"prompt": "x"}))
            song = json.loads(ProducerGetTask(client=client).invoke({"task_id": submitted["task_id"]}))
        self._given = {**_ARGUMENTS, "audio_id": song["results"][0]["audio_id"]}
        self._seen = len(sandbox.charges)

    def arguments(self, tool: Tool, key: str | None = None) -> dict[str, Any]:
        """What ``tool`` requires, and the key of the wish."""
        fields = tool.model_fields["args_schema"].default.model_fields
        required = {name: self._given[name] for name, field in fields.items() if field.is_required()}
        return {**required, "submission_key": key}

    def new_charges(self) -> tuple[Charge, ...]:
        """What was charged since this was last asked."""
        new = self.sandbox.charges[self._seen :]
        self._seen += len(new)
        return new


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[aiohttp.ClientSession, list[str]]]:
    """A session, and the path of each request that it has begun to send."""
    sent: list[str] = []

    async def note(_: aiohttp.ClientSession, __: Any, started: aiohttp.TraceRequestStartParams) -> None:
        sent.append(started.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        yield session, sent
