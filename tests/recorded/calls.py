"""Calls of the tools as a model makes them, sync or async, and what was sent for them."""

import json
from typing import Any, NamedTuple

from langchain_core.messages import ToolMessage
from vcr.cassette import Cassette

from producer_tools import ProducerToolkit
from producer_tools.concurrency.clock import Clock

# A song takes a minute or so, and each look five seconds.
_MOST_LOOKS = 200


class Service(NamedTuple):
    """What the client of a test talks to, and by which clock."""

    base_url: str
    api_token: str
    clock: Clock


class Caller:
    """Calls tools, and gives what a model is shown.

    Args:
        toolkit: the tools.
        how: ``sync`` or ``async``.
        cassette: the recording that is made or played.
    """

    def __init__(self, toolkit: ProducerToolkit, how: str, cassette: Cassette) -> None:
        self._tools = {tool.name: tool for tool in toolkit.get_tools()}
        self._how = how
        self._cassette = cassette

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The bodies of the requests; in a recording that is played, of all that it holds."""
        return [request.body for request in self._cassette.requests]

    async def __call__(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The content of a call that succeeds."""
        return self.content(await self.message(name, **arguments))

    async def refused(self, name: str, **arguments: Any) -> str:
        """The error message of a call that fails."""
        message = await self.message(name, **arguments)
        assert message.status == "error", message.content
        return message.text

    async def by_application(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The content of a call with arguments that a model may not give."""
        tool = self._tools[name]
        content = tool.invoke(arguments) if self._how == "sync" else await tool.ainvoke(arguments)
        found = json.loads(content)
        assert isinstance(found, dict)
        return found

    @staticmethod
    def content(message: ToolMessage) -> dict[str, Any]:
        """The JSON object of a success."""
        assert message.status == "success", message.content
        content = json.loads(message.text)
        assert isinstance(content, dict)
        return content

    async def looks(self, task_id: str) -> list[dict[str, Any]]:
        """Every look at a task, up to the one that finds it final."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["success"] is None:
            assert len(found) < _MOST_LOOKS, found[-1]
            found.append(await self("producer_get_task", task_id=task_id))
        return found

    async def result(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The one result of a submit, once its task is complete."""
        submitted = await self(name, **arguments)
        assert (submitted["success"], submitted["results"]) == (None, [])
        content = (await self.looks(submitted["task_id"]))[-1]
        assert (content["task_id"], content["state"], content["success"]) == (submitted["task_id"], "complete", True)
        result = content["results"][0]
        assert isinstance(result, dict)
        return result

    async def song(self) -> str:
        """The audio id of a new song."""
        song = await self.result("producer_generate_music", prompt="a calm piano song", seed="7")
        return str(song["audio_id"])

    async def message(self, name: str, **arguments: Any) -> ToolMessage:
        """The message that a model is shown, of a success or an error."""
        tool, call = self._tools[name], {"type": "tool_call", "id": "call-1", "name": name, "args": arguments}
        message = tool.invoke(call) if self._how == "sync" else await tool.ainvoke(call)
        assert isinstance(message, ToolMessage)
        return message
