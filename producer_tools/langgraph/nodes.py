"""Nodes that approve, submit, wait and download. Each can be run again after a crash.

On failure a node sets ``error``, which says whether you may have been charged; later nodes skip. A fault that is safe
to retry, and still there after the client's own retries (10 to 30 seconds), is raised instead: for the graph's retry
policy, or for another run of the graph.
"""

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import ValidationError

from producer_tools.approval import DECISIONS, describe_call
from producer_tools.client import ProducerClient
from producer_tools.client.arguments import check_key
from producer_tools.errors import LedgerError, ProducerError, ProducerToolError, SubmissionUnknownError
from producer_tools.files.downloads import DEFAULT_DIRECTORY, Downloader
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE
from producer_tools.langgraph.node import Node, Update
from producer_tools.langgraph.state import SongError, SongRequest, is_request, is_unfinished, unknown_outcome
from producer_tools.payment.graph_keys import GraphKey, key_of_step, named_key
from producer_tools.payment.ledger import Ledger
from producer_tools.progress import into_graph
from producer_tools.requests import DELIVERY, PaidRequest
from producer_tools.tasks.task import Task
from producer_tools.tools.base import explain, request_of_model
from producer_tools.tools.catalog import PAID_REQUESTS
from producer_tools.tools.file_facts import file_values
from producer_tools.tools.output import task_artifact


class SubmitNode(Node):
    """Submits ``request`` once and sets ``task``; on failure it sets ``error`` and leaves ``task`` empty.

    When the step is run again, after a crash or by a retry, it finds the task in the ledger and sends nothing. The
    ledger is the client's, else the graph's store; it must outlive the process if the graph is to survive a crash. Time
    travel (a replay or a fork) makes a new request, unless the state has a ``key``. If another branch of the thread has
    run this node in a step with the same number, its task is returned, or the request is refused as a conflict: set
    another ``key`` for each branch. A function that calls this node several times must call it in the same order when
    it is run again; else set a ``key`` for each request.

    If the state's ``error`` says that the outcome of this request is unknown, the request belongs to that error's key:
    nothing is sent until ``client.adopt`` or ``client.release`` has settled it, and an adopted task is used.

    Args:
        client: the client to submit with.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._client = client

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Submit."""
        empty: Update = {"task": {}, "files": []}
        if state.get("request") is None:
            return {**empty, "error": state.get("error") or _missing("request", "so nothing was sent")}
        filed = self._filed(state, config)
        unknown, asked = unknown_outcome(state), _as_it_was_sent(state)
        try:
            request = _paid_request(asked)
            ledger = self._client.graph_ledger(runtime.store if runtime else None)
            was_sent = unknown is not None and unknown["key"] == filed.key
            task = await self._submit(request, filed, ledger, was_sent=was_sent)
        except ValidationError as error:
            message = explain(error).removeprefix("bad_request: ")
            return {**empty, "error": SongError(code="bad_request", message=message)}
        except ProducerToolError as error:
            return {**empty, "error": _with_key(error_for_state(error), filed.key, asked)}
        return {**empty, "task": task_artifact(task), "error": None}

    def _filed(self, state: Mapping[str, Any], config: RunnableConfig) -> GraphKey:
        """The key of the state's request.

        Raises:
            ConfigurationError: it is blank, or no text.
        """
        if (key := state.get("key")) is not None:
            check_key(key)
            return GraphKey(named_key(config, key))
        unknown = unknown_outcome(state)
        return GraphKey(unknown["key"]) if unknown and _is_unknown(state) else key_of_step(config)

    async def _submit(self, request: PaidRequest, filed: GraphKey, ledger: Ledger | None, *, was_sent: bool) -> Task:
        key, former_keys = filed
        refusal = await self._refusal()
        return await self._client.submit(
            request, key=key, ledger=ledger, former_keys=former_keys, was_sent=was_sent, refusal=refusal
        )

    async def _refusal(self) -> ProducerError | None:
        """Why no request is to be sent now. One that was sent before still gets its task."""
        return None


class ApproveNode(Node):
    """Interrupts the graph and asks a person before ``request`` is submitted.

    Question and answer have the form of LangChain's ``HumanInTheLoopMiddleware``. Resume with ``{"decisions":
    [decision]}``, where a decision is ``{"type": "approve"}``, ``{"type": "edit", "edited_action": {"name", "args"}}``
    or ``{"type": "reject", "message"}``. After any other answer it asks again. A rejected request is removed from the
    state, and ``error`` holds the message. It does not ask about a request that was sent and has an unknown outcome.

    Args:
        client: the client of the other nodes, whose prices are shown; this node sends nothing.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._client = client

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Ask."""
        request = state.get("request")
        if request is None:
            return {"error": state.get("error") or _missing("request", "so there is nothing to approve")}
        if _is_unknown(state):
            return {}  # it was approved before it was sent, and is not sent again unless a person releases it
        try:
            schema = _schema_of(request)
        except ProducerToolError as error:
            return {"error": error_for_state(error)}
        description = describe_call(request["name"], schema, request["args"], self._client)
        action = {**request, "description": description}
        review = {"action_name": request["name"], "allowed_decisions": list(DECISIONS)}
        question = {"action_requests": [action], "review_configs": [review]}
        while (decision := _decision(interrupt(question))) is None:
            pass  # LangGraph keeps an answer that it was given, so an invalid one needs another question
        if decision["type"] == "approve":
            return {"error": None}
        if decision["type"] == "edit":
            return {"request": decision["edited_action"], "error": None}
        reason = decision.get("message") or "A person does not want to pay for this."
        message = f"{reason} Nothing was sent and nothing was charged."
        return {"request": None, "error": SongError(code="rejected", message=message)}


class WaitNode(Node):
    """Waits until ``task`` is final and updates it. Progress goes into the graph's stream ``custom``.

    Args:
        client: the client to wait with.
        timeout_seconds: the longest wait. A task that is not finished by then gets the error ``not_finished``. It goes
            on, and can be waited for again.
    """

    def __init__(self, client: ProducerClient, *, timeout_seconds: float = 600) -> None:
        self._client = client
        self._timeout = timeout_seconds

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Wait."""
        if not state.get("task"):
            return {"error": state.get("error") or _missing("task", "so there is nothing to wait for")}
        if not is_unfinished(state):
            return {"error": _error_of(state["task"])}
        task_id = state["task"]["task_id"]
        try:
            batch = await self._client.wait([task_id], self._timeout, into_graph(runtime))
        except ProducerToolError as error:
            return {"error": error_for_state(error)}
        if not batch.tasks:
            return {"error": SongError(code="not_found", message=f"The service knows no task {task_id}.")}
        task = batch.tasks[0]
        artifact = task_artifact(task)
        return {"task": artifact, "error": _error_of(artifact) if task.is_final else self._not_finished(task)}

    def _not_finished(self, task: Task) -> SongError:
        message = (
            f"Task {task.task_id} is {task.state} after {self._timeout:g} seconds of waiting. It goes on, and can be "
            "waited for again. Do not submit again."
        )
        return SongError(code="not_finished", message=message)


class DownloadNode(Node):
    """Saves the files of the finished ``task`` and sets ``files``; it sets ``error`` if a file could not be saved.

    Args:
        client: the client to download with.
        directory: where the files go. A complete file that is there already is not downloaded again.
    """

    def __init__(self, client: ProducerClient, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY) -> None:
        self._downloader = Downloader(client, directory)

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Save the files."""
        task = state.get("task")
        if not task:
            return {"error": state.get("error") or _missing("task", "so there is nothing to save")}
        try:
            # An answer that was final at once may have no id to look it up by.
            downloads = await self._downloader.save(task["task_id"] or task_of(task))
        except ProducerToolError as error:
            return {"error": error_for_state(error)}
        failed = [f"{failed.kind}: {failed.error.message}" for failed in downloads.failed]
        return {
            "files": [file_values(file) for file in downloads.files],
            "error": SongError(code="download_failed", message="; ".join(failed)) if failed else _error_of(task),
        }


def error_for_state(error: ProducerToolError) -> SongError:
    """The error as the state holds it. Every unknown outcome gets the code ``unknown_outcome``.

    Raises:
        ProducerToolError: the error itself, if it is safe to retry.
    """
    if isinstance(error, (*SAFE_TO_RETRY_IF_FREE, LedgerError)):
        raise error
    code = "unknown_outcome" if isinstance(error, SubmissionUnknownError) else error.code
    return SongError(code=code, message=str(error).removeprefix(f"{code}: "))


def _missing(what: str, consequence: str) -> SongError:
    """The error of a node that finds nothing to work on in the state, and no error of an earlier node either."""
    message = f"The state has no {what}, {consequence}. An earlier node, or the graph's input, must set it."
    return SongError(code="bad_request", message=message)


def _is_unknown(state: Mapping[str, Any]) -> bool:
    """Whether the state says that its request was sent and has an unknown outcome."""
    unknown = unknown_outcome(state)
    if unknown is None:
        return False
    # An earlier version did not write down which request it was. If it was another, the ledger says so.
    return "request" not in unknown or _is_same(unknown["request"], state.get("request"))


def _as_it_was_sent(state: Mapping[str, Any]) -> SongRequest:
    """The state's request. If it was sent before, in the form in which it was sent: the ledger knows it by that."""
    unknown = unknown_outcome(state)
    asked: SongRequest = state["request"]
    return unknown.get("request", asked) if unknown and _is_unknown(state) else asked


def _is_same(request: SongRequest, other: Any) -> bool:
    """Whether two requests make the same: what is sent for them is equal, but for how the result is delivered."""
    try:
        return request == other or _sent(_paid_request(request)) == _sent(_paid_request(other))
    except (ProducerToolError, ValidationError):
        return False


def _sent(request: PaidRequest) -> tuple[str, dict[str, Any]]:
    return request.endpoint, {name: value for name, value in request.body().items() if name not in DELIVERY}


def _with_key(error: SongError, key: str | None, request: SongRequest) -> SongError:
    """The error with its key, and for an unknown outcome with the request."""
    if key is None:
        return error
    if error["code"] != "unknown_outcome":
        return {**error, "key": key}
    return {**error, "message": f"{error['message']} Then run the graph again.", "key": key, "request": request}


def _paid_request(request: SongRequest) -> PaidRequest:
    """The request as it is sent.

    Raises:
        ProducerToolError: it is not a request, or it names no paid tool.
        pydantic.ValidationError: the tool does not take its arguments.
    """
    return request_of_model(_schema_of(request), request["args"])


def _schema_of(request: SongRequest) -> type[PaidRequest]:
    """The arguments' schema of the tool that a request names.

    Raises:
        ProducerToolError: it is not a request, or it names no paid tool.
    """
    if not is_request(request):
        raise ProducerToolError("bad_request", f"A request needs a name and args, but this is {request!r}.")
    if request["name"] not in PAID_REQUESTS:
        raise ProducerToolError("bad_request", f"No paid tool is called {request['name']}. Nothing was sent.")
    return PAID_REQUESTS[request["name"]]


def _decision(answer: Any) -> dict[str, Any] | None:
    """The person's decision; ``None`` if the answer is not a valid one."""
    decisions = answer.get("decisions") if isinstance(answer, dict) else None
    decision = decisions[0] if isinstance(decisions, list) and len(decisions) == 1 else None
    if not isinstance(decision, dict) or decision.get("type") not in DECISIONS:
        return None
    return decision if decision["type"] != "edit" or is_request(decision.get("edited_action")) else None


def task_of(artifact: dict[str, Any]) -> Task:
    """The task that an artifact was made of."""
    # A checkpoint of an earlier version lacks the newer fields.
    return Task(**{field.name: artifact[field.name] for field in fields(Task) if field.name in artifact})


def _error_of(task: dict[str, Any]) -> SongError | None:
    error = task["error"]
    return error and SongError(code=error["code"], message=error["message"])
