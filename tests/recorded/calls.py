"""Calls the tools as a model does, sync or async, and tells which requests were sent."""

import json
from typing import Any, NamedTuple

from langchain_core.messages import ToolMessage
from vcr.cassette import Cassette

from producer_tools import ProducerToolkit
from producer_tools.concurrency.clock import Clock

# A song takes about a minute, and each look-up waits five seconds.
_MOST_LOOK_UPS = 200


class Service(NamedTuple):
    """The server that the client of a test calls.

    Attributes:
        base_url: its address.
        api_token: the token to send.
        clock: the client's clock.
    """

    base_url: str
    api_token: str
    clock: Clock


class Caller:
    """Calls tools and returns what a model reads.

    Args:
        toolkit: the tools.
        how: ``sync`` or ``async``.
        cassette: the recording that is being made or played.
    """

    def __init__(self, toolkit: ProducerToolkit, how: str, cassette: Cassette) -> None:
        self._tools = {tool.name: tool for tool in toolkit.get_tools()}
        self._how = how
        self._cassette = cassette

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The bodies of the requests sent so far. When a recording is played: those of all its requests."""
        return [request.body for request in self._cassette.requests]

    async def __call__(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, assert that it succeeds, and return its content."""
        return self.content(await self.message(name, **arguments))

    async def error(self, name: str, **arguments: Any) -> str:
        """Call a tool, assert that it fails, and return its error message."""
        message = await self.message(name, **arguments)
        assert message.status == "error", message.content
        return message.text

    async def by_application(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool with arguments that only an application may set, and return its content."""
        tool = self._tools[name]
        content = tool.invoke(arguments) if self._how == "sync" else await tool.ainvoke(arguments)
        answer = json.loads(content)
        assert isinstance(answer, dict)
        return answer

    @staticmethod
    def content(message: ToolMessage) -> dict[str, Any]:
        """The JSON object in a successful message."""
        assert message.status == "success", message.content
        content = json.loads(message.text)
        assert isinstance(content, dict)
        return content

    async def look_up_until_final(self, task_id: str) -> list[dict[str, Any]]:
        """Look up a task until it is final, and return the content of every look-up."""
        contents: list[dict[str, Any]] = []
        while not contents or contents[-1]["success"] is None:
            assert len(contents) < _MOST_LOOK_UPS, contents[-1]
            contents.append(await self("producer_get_task", task_id=task_id))
        return contents

    async def result(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Submit a request, wait until its task is complete, and return its first result."""
        submitted = await self(name, **arguments)
        assert (submitted["success"], submitted["results"]) == (None, [])
        content = (await self.look_up_until_final(submitted["task_id"]))[-1]
        assert (content["task_id"], content["state"], content["success"]) == (submitted["task_id"], "complete", True)
        result = content["results"][0]
        assert isinstance(result, dict)
        return result

    async def song(self) -> str:
        """Make a song and return its audio id."""
        song = await self.result("producer_generate_music", prompt="a calm piano song", seed="7")
        return str(song["audio_id"])

    async def message(self, name: str, **arguments: Any) -> ToolMessage:
        """Call a tool and return the message that a model reads, a success or an error."""
        tool, call = self._tools[name], {"type": "tool_call", "id": "call-1", "name": name, "args": arguments}
        message = tool.invoke(call) if self._how == "sync" else await tool.ainvoke(call)
        assert isinstance(message, ToolMessage)
        return message
