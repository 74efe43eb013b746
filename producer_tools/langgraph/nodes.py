"""Approve, submit, wait and download as nodes: each does one thing, and can be run again after a crash."""

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import ValidationError

from producer_tools.approval import describe
from producer_tools.client import ProducerClient
from producer_tools.downloads import DEFAULT_DIRECTORY, Downloader
from producer_tools.errors import (
    AnswerError,
    ProducerToolError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    SubmissionUnknownError,
)
from producer_tools.langgraph.node import Node, Update
from producer_tools.langgraph.state import SongError, SongRequest
from producer_tools.ledger import Ledger, StoreLedger, step_name, wish_key
from producer_tools.output import task_artifact
from producer_tools.progress import into_graph
from producer_tools.requests import PaidRequest
from producer_tools.task import Task
from producer_tools.tools import ALL_TOOLS
from producer_tools.tools.base import SubmittingTool, explain, without_forgeries

_PAID_TOOLS: dict[str, type[Any]] = {
    tool.model_fields["name"].default: tool for tool in ALL_TOOLS if issubclass(tool, SubmittingTool)
}


MAY_PASS = (RateLimitError, ServiceUnreachableError, ServerError, AnswerError)
"""Faults that cost nothing and may pass. The nodes raise them, when the client's own 30 seconds of retries are over:
for a retry policy of the graph, or for another run of it. Any other fault is written into the state."""


class SubmitNode(Node):
    """Sends what ``request`` asks for, once, and writes ``task``; or ``error``, if it cannot be had.

    A step that is run again, after a crash or by a retry, sends nothing: it finds the same task in the ledger. That is
    the client's, else the graph's store: one that outlives the process, if the graph shall. Time travel, to replay or
    to fork, is another wish, unless the state has a ``key``. Where there is nothing to send or to be had, ``task`` is
    empty, and the nodes behind this one do nothing.

    Args:
        client: what it talks through.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._client = client

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Submit."""
        nothing: Update = {"task": {}, "files": []}
        if state.get("request") is None:
            return nothing
        store = runtime.store if runtime else None
        key = wish_key(config, state.get("key") or step_name(config)) or state.get("key")
        try:
            request = paid_request(self._client, state["request"])
            ledger = StoreLedger(store) if store is not None else None
            task = await self._submit(request, key, ledger)
        except ValidationError as error:
            message = explain(error).removeprefix("bad_request: ")
            return {**nothing, "error": SongError(code="bad_request", message=message)}
        except ProducerToolError as error:
            told = song_error(error)
            return {**nothing, "error": told if key is None else SongError(**told, key=key)}
        return {**nothing, "task": task_artifact(task), "error": None}

    async def _submit(self, request: PaidRequest, key: str | None, ledger: Ledger | None) -> Task:
        return await self._client.submit(request, key=key, ledger=ledger)


class ApproveNode(Node):
    """Asks a person before ``request`` is submitted, by an interrupt of the graph.

    What is asked, and how it is answered, is what LangChain's ``HumanInTheLoopMiddleware`` has made customary: resume
    with ``{"decisions": [decision]}``, where a decision is ``{"type": "approve"}``, ``{"type": "edit", "edited_action":
    {"name", "args"}}`` or ``{"type": "reject", "message"}``; any other answer, and it asks again. What is rejected is
    no request any more, and ``error`` has the message.

    Args:
        client: of the submits to come; nothing is sent with it here.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._client = client

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Ask."""
        request = state["request"]
        try:
            tool = paid_tool(self._client, request)
        except ProducerToolError as error:
            return {"error": song_error(error)}
        call = ToolCall(name=request["name"], args=request["args"], id=None)
        action = {**request, "description": describe(tool, call)}
        decisions = {"action_name": request["name"], "allowed_decisions": ["approve", "edit", "reject"]}
        question = {"action_requests": [action], "review_configs": [decisions]}
        while (decision := _decision(interrupt(question))) is None:
            pass  # LangGraph keeps an answer: to one that cannot be read, only another question can follow
        if decision["type"] == "approve":
            return {"error": None}
        if decision["type"] == "edit":
            return {"request": decision["edited_action"], "error": None}
        reason = decision.get("message") or "A person does not want to pay for this."
        message = f"{reason} Nothing was sent and nothing was charged."
        return {"request": None, "error": SongError(code="rejected", message=message)}


class WaitNode(Node):
    """Waits until ``task`` is final, and writes it; progress goes into the graph's stream ``custom``.

    Args:
        client: what it talks through.
        timeout_seconds: longest wait. A task that is not finished by then gets the error ``not_finished``, and loses
            nothing: it goes on, and may be waited for again.
    """

    def __init__(self, client: ProducerClient, *, timeout_seconds: float = 600) -> None:
        self._client = client
        self._timeout = timeout_seconds

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Wait."""
        if not state["task"]:
            return {}
        if state["task"]["success"] is not None:
            return {"error": _error_of(state["task"])}
        task_id = state["task"]["task_id"]
        try:
            batch = await self._client.wait([task_id], self._timeout, into_graph(runtime))
        except ProducerToolError as error:
            return {"error": song_error(error)}
        if not batch.tasks:
            return {"error": SongError(code="not_found", message=f"The service knows no task {task_id}.")}
        task = task_artifact(batch.tasks[0])
        return {"task": task, "error": self._not_finished(task) if task["success"] is None else _error_of(task)}

    def _not_finished(self, task: dict[str, Any]) -> SongError:
        message = (
            f"Task {task['task_id']} is {task['state']} after {self._timeout:g} seconds of waiting. It goes on, and "
            "may be waited for again. Do not submit again."
        )
        return SongError(code="not_finished", message=message)


class DownloadNode(Node):
    """Saves what the finished ``task`` made, and writes ``files``; or ``error``, if something could not be saved.

    Args:
        client: what it talks through.
        directory: where the files go. What is there already, whole, is not downloaded again.
    """

    def __init__(self, client: ProducerClient, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY) -> None:
        self._downloader = Downloader(client, directory)

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Save the files."""
        task = state["task"]
        if not task:
            return {}
        try:
            # An answer that was final at once need not have had an id to look it up by.
            downloads = await self._downloader.save(task["task_id"] or _task_of(task))
        except ProducerToolError as error:
            return {"error": song_error(error)}
        failed = [f"{failed.kind}: {failed.error.message}" for failed in downloads.failed]
        return {
            "files": [asdict(file) for file in downloads.files],
            "error": SongError(code="download_failed", message="; ".join(failed)) if failed else _error_of(task),
        }


def is_request(value: Any) -> bool:
    """Whether it has the form of a `SongRequest`."""
    return isinstance(value, Mapping) and isinstance(value.get("name"), str) and isinstance(value.get("args"), Mapping)


def paid_tool(client: ProducerClient, request: SongRequest) -> SubmittingTool:
    """The tool that a request names.

    Raises:
        ProducerToolError: there is no such tool, or it costs nothing.
    """
    if not is_request(request):
        raise ProducerToolError("bad_request", f"A request has a name and args; this has not: {request!r}.")
    if request["name"] not in _PAID_TOOLS:
        raise ProducerToolError("bad_request", f"No paid tool is called {request['name']}. Nothing was sent.")
    tool: SubmittingTool = _PAID_TOOLS[request["name"]](client=client)
    return tool


def paid_request(client: ProducerClient, request: SongRequest) -> PaidRequest:
    """What would be sent.

    Raises:
        ProducerToolError: there is no such tool, or it costs nothing.
        pydantic.ValidationError: the arguments are not what the tool takes.
    """
    return paid_tool(client, request).request(without_forgeries(request["args"]))


def song_error(error: ProducerToolError) -> SongError:
    """An error as a state holds it: whatever made an outcome unknown, the code says that it is.

    Raises:
        ProducerToolError: the error itself, if it may pass.
    """
    if isinstance(error, MAY_PASS):
        raise error
    code = "unknown_outcome" if isinstance(error, SubmissionUnknownError) else error.code
    return SongError(code=code, message=str(error).removeprefix(f"{code}: "))


def _decision(answer: Any) -> dict[str, Any] | None:
    """The decision of a person, if it is one."""
    decisions = answer.get("decisions") if isinstance(answer, dict) else None
    decision = decisions[0] if isinstance(decisions, list) and len(decisions) == 1 else None
    if not isinstance(decision, dict) or decision.get("type") not in ("approve", "edit", "reject"):
        return None
    return decision if decision["type"] != "edit" or is_request(decision.get("edited_action")) else None


def _task_of(artifact: dict[str, Any]) -> Task:
    return Task(**{field.name: artifact[field.name] for field in fields(Task)})


def _error_of(task: dict[str, Any]) -> SongError | None:
    error = task["error"]
    return error and SongError(code=error["code"], message=error["message"])
