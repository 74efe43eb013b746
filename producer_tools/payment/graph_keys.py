"""Idempotency keys of the requests in a graph. A key stays the same when the graph runs the request's step again."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from producer_tools.payment.graph_steps import has_checkpointer, next_submit, runtime_of, step_of


class GraphKey(NamedTuple):
    """How a request in a graph is filed.

    Attributes:
        key: its idempotency key; ``None`` outside a graph.
        former_keys: the keys under which an earlier version of this package filed the same request.
    """

    key: str | None
    former_keys: tuple[str, ...] = ()


def named_key(config: Mapping[str, Any], name: str) -> str:
    """The key of a request that the application has named: its name within the thread, or else within the run.

    Args:
        config: the run's ``RunnableConfig``.
        name: the application's name for the request.
    """
    scope = thread_of(config) or _run_of(config)
    return f"{scope}/{name}" if scope else name


def key_of_step(config: Mapping[str, Any]) -> GraphKey:
    """The key of a request that a step of a graph sends: its n-th submit.

    It is the same when the step is run again after a crash, by a resume or by a retry, if the step then submits in the
    same order. Another run of the graph has other keys.

    Args:
        config: the step's ``RunnableConfig``.
    """
    step = step_of(config)
    # The steps of an unsaved thread are numbered from the start in each run, so they are named within the run.
    scope = thread_of(config) if has_checkpointer(config) else None
    scope = scope or _run_of(config)
    if step is None or not scope:
        return GraphKey(None)
    number = next_submit(config)
    name = f"{step.name}#{number}" if number else step.name
    key, *former = ("/".join([scope, *steps, name]) for steps in (step.subgraphs, *step.former_subgraphs))
    return GraphKey(key, tuple(former))


def key_of_tool_call(runtime: Any) -> GraphKey:
    """The key of a request that a model has made with a tool call.

    The id of a call alone does not name it: some models number their calls from 0 in each message. So the key holds the
    message too. A message without an id is named by its place in the state.

    Args:
        runtime: LangGraph's ``ToolRuntime``.
    """
    config, call_id = getattr(runtime, "config", None) or {}, getattr(runtime, "tool_call_id", None)
    scope = thread_of(config) or _run_of(config)
    if not call_id or not scope:
        return key_of_step(config)
    found = messages_with(call_id, getattr(runtime, "state", None))
    messages = list(dict.fromkeys(getattr(message, "id", None) or f"message {place}" for place, message in found))
    step = step_of(config)
    places = [step.subgraphs, *step.former_subgraphs] if step else [[]]
    key, *former = ("/".join([scope, *steps, *messages[-1:], call_id]) for steps in places)
    if not messages[1:]:  # the first version had one key for all calls with this id: it is that of the first one
        former.append(f"{scope}/{call_id}")
    return GraphKey(key, tuple(each for each in former if each != key))


def messages_with(call_id: str, state: Any) -> Iterator[tuple[int, Any]]:
    """The messages that hold a tool call, oldest first, each with its place in the state.

    Args:
        call_id: the id of the tool call.
        state: a graph's state.
    """
    for messages in _lists_in(state):
        for place, message in enumerate(messages):
            calls = getattr(message, "tool_calls", None)
            # A state may hold other software's messages too, whose calls are objects.
            if isinstance(calls, list) and any(
                isinstance(call, Mapping) and call.get("id") == call_id for call in calls
            ):
                yield place, message


def store_of(config: Mapping[str, Any]) -> Any:
    """The store of the graph that is running; ``None`` if there is none."""
    return getattr(runtime_of(config), "store", None)


def thread_of(config: Mapping[str, Any]) -> str | None:
    """The id of the thread that a graph runs in; ``None`` outside a thread."""
    thread = config.get("configurable", {}).get("thread_id")
    return None if thread is None else str(thread)


def _run_of(config: Mapping[str, Any]) -> str:
    """The name of the outermost step, with its id, which is a new one in each run of a graph without a thread."""
    # When a node is retried, the steps of its subgraph get a new namespace; only the first part stays the same.
    namespace: str = config.get("metadata", {}).get("langgraph_checkpoint_ns", "")
    return namespace.partition("|")[0]


def _lists_in(state: Any) -> list[Any]:
    """The lists in a graph's state, which may be a list itself, a mapping, or an object with attributes."""
    if isinstance(state, list | tuple):
        return [state]
    if is_dataclass(state):  # with slots it has no `__dict__`
        values: Mapping[str, Any] = {field.name: getattr(state, field.name, None) for field in fields(state)}
    else:
        values = state if isinstance(state, Mapping) else getattr(state, "__dict__", {})
    # The usual name comes last, so that what it holds counts as the newest.
    named = sorted(values.items(), key=lambda item: item[0] == "messages")
    return [value for _, value in named if isinstance(value, list | tuple)]
