"""Idempotency keys, and fingerprints of requests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from producer_tools.requests import DELIVERY


def fingerprint(endpoint: str, body: Mapping[str, Any]) -> str:
    """A hash of a request. The fields that only say how the result is delivered do not change it."""
    asked = {name: value for name, value in body.items() if name not in DELIVERY}
    return hashlib.sha256(f"{endpoint} {json.dumps(asked, sort_keys=True)}".encode()).hexdigest()


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
