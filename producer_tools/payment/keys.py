"""Idempotency keys, and fingerprints of requests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, get_args

from producer_tools.requests import DELIVERY, Model, MusicRequest, PaidRequest

_VERSION = "2:"
_NOT_ASKED = DELIVERY | {"submission_key", "runtime"}


def fingerprint(request: PaidRequest) -> str:
    """A hash of what the caller asked, with its version.

    Neither the fields that were filled in, such as a default model, nor those that only say how the result is
    delivered change it. So it is the same after a default has changed, and in a version that has more fields.
    """
    asked = request.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    action = request.action if isinstance(request, MusicRequest) else ""
    return _VERSION + _hash(f"{request.endpoint} {action}", asked, _NOT_ASKED)


def is_same_request(request: PaidRequest, asked: str) -> bool:
    """Whether a fingerprint, also one of the first version, is that of a request.

    The first version hashed the whole body, with the model that was the default then.
    """
    if asked.startswith(_VERSION):
        return asked == fingerprint(request)
    body = request.body()
    bodies = [body]
    if "model" in body and "model" not in request.model_fields_set:
        bodies = [{**body, "model": model} for model in get_args(Model)]
    return asked in {_hash(request.endpoint, body, DELIVERY) for body in bodies}


def ledger_key(key: str, account: str) -> str:
    """The key that an entry is filed under: each account has its own keys.

    Args:
        key: the caller's idempotency key.
        account: the hash of the API token.
    """
    return f"{account}/{key}"


def _hash(name: str, values: Mapping[str, Any], left_out: frozenset[str]) -> str:
    asked = {field: value for field, value in values.items() if field not in left_out}
    return hashlib.sha256(f"{name} {json.dumps(asked, sort_keys=True)}".encode()).hexdigest()


def graph_key(config: Mapping[str, Any], name: str | None) -> str | None:
    """The idempotency key of a request in a graph: its name within the thread, or else within the run.

    Args:
        config: the run's ``RunnableConfig``.
        name: what stays the same when the step is run again, such as the id of a tool call.

    Returns:
        The key, or ``None`` outside a graph.
    """
    thread = config.get("configurable", {}).get("thread_id")
    # When a node is retried, the steps of its subgraph get a new namespace; only the first part stays the same.
    scope = thread or config.get("metadata", {}).get("langgraph_checkpoint_ns", "").partition("|")[0]
    return f"{scope}/{name}" if scope and name else None


def step_name(config: Mapping[str, Any]) -> str | None:
    """The name of a graph's step, which stays the same when the step is run again after a crash or by a retry.

    It is made of the step's position in the graph, and of the id of the subgraph that the step is in, if any. Other
    ids of tasks and checkpoints cannot be used: after a crash, a lost checkpoint is written again under a new id.

    Args:
        config: the run's ``RunnableConfig``.

    Returns:
        The name, or ``None`` outside a graph.
    """
    metadata = config.get("metadata", {})
    if "langgraph_node" not in metadata:
        return None
    subgraphs = [part for part in metadata["langgraph_checkpoint_ns"].split("|")[:-1] if not part.isdigit()]
    return "/".join([*subgraphs, *map(str, (metadata["langgraph_step"], *metadata["langgraph_path"]))])
