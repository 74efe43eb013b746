"""Names the steps of LangGraph's graphs, so that a step has the same name when it is run again.

A step is run again after a crash, by a resume or by a retry. What LangGraph itself offers changes with that: the ids of
tasks and checkpoints do after a crash, if the checkpoint was lost; the numbers of the calls of subgraphs and tasks do
in a retry, because LangGraph goes on counting. So a name is made of positions, and of numbers within one attempt.

LangGraph does not say in its public interface which step has called a subgraph or a task. So this module reads its
internal values. If a version of LangGraph has others, names are made as in the first version of this package: then two
calls of one subgraph by one node get one name.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from producer_tools.concurrency.shared_state import shared_state

_MOST_ATTEMPTS = 10_000


class Step(NamedTuple):
    """A step of a graph.

    Attributes:
        subgraphs: the steps that it is in, outermost first.
        name: its name within them.
        former_subgraphs: what earlier versions of this package had in the place of ``subgraphs``.
    """

    subgraphs: list[str]
    name: str
    former_subgraphs: list[list[str]]


class _Running(NamedTuple):
    """LangGraph's own objects for a step that is running: its task, and the loop of the graph that it is in."""

    task: Any
    loop: Any


class _Attempt(NamedTuple):
    """One attempt of a step in one run. The attempts of one run have the same first three values."""

    namespace: str
    task_id: str
    first_started_at: float | None
    number: int


_submits: OrderedDict[_Attempt, int] = OrderedDict()
_first_calls: OrderedDict[_Attempt, dict[int, int]] = OrderedDict()


def step_of(config: Mapping[str, Any]) -> Step | None:
    """The step of a graph that is running.

    Args:
        config: its ``RunnableConfig``.

    Returns:
        The step, or ``None`` outside a graph.
    """
    if "langgraph_node" not in config.get("metadata", {}):
        return None
    name, namespace = _name(config), _without_numbers(_namespace(config)[:-1])
    subgraphs: list[str] = []
    is_first_call = True
    while (running := _running(config)) is not None:
        config = running.loop.config
        if "langgraph_node" not in config.get("metadata", {}):  # no step has called this graph
            break
        number = _number_in_attempt(_attempt(config), _number_of_call(config))
        is_first_call = is_first_call and not number
        subgraphs.insert(0, _numbered(_name(config), number))
    else:  # the first version named a subgraph by its id
        subgraphs = [*_without_numbers(_namespace(config)[:-1]), *subgraphs]
    # The second version did not know that the namespace of a task holds its caller too.
    second = [*namespace[: max(0, len(namespace) - len(subgraphs))], *subgraphs]
    # The first version had one name for all calls of a subgraph: it is that of the first call.
    first = [namespace] if is_first_call and namespace != second else []
    return Step(subgraphs, name, [each for each in (second, *first) if each != subgraphs])


def next_submit(config: Mapping[str, Any]) -> int:
    """Count the submits of one attempt of a step: 0 for the first, 1 for the second."""
    attempt = _attempt(config)
    if attempt is None:
        return 0
    with shared_state:
        number = _submits.pop(attempt, -1) + 1
        _submits[attempt] = number
        _drop_oldest(_submits)
    return number


def runtime_of(config: Mapping[str, Any]) -> Any:
    """LangGraph's runtime of the step that is running; ``None`` outside a graph."""
    return config.get("configurable", {}).get("__pregel_runtime")


def has_checkpointer(config: Mapping[str, Any]) -> bool:
    """Whether the run is checkpointed, so that the numbers of its thread's steps go on from run to run."""
    return config.get("configurable", {}).get("__pregel_checkpointer") is not None


def _name(config: Mapping[str, Any]) -> str:
    """The name of a step within its graph."""
    metadata = config["metadata"]
    path = _path_in_attempt(metadata["langgraph_path"], _running(config))
    return "/".join(map(str, (metadata["langgraph_step"], *path)))


def _numbered(name: str, number: int) -> str:
    return f"{name}#{number}" if number else name


def _namespace(config: Mapping[str, Any]) -> list[str]:
    """The parts of a namespace: names with ids, and numbers of calls. Each number belongs to the part before it."""
    parts: list[str] = config["metadata"]["langgraph_checkpoint_ns"].split("|")
    return parts


def _number_of_call(config: Mapping[str, Any]) -> int:
    """Which call of a subgraph by its caller this is; ``config`` is the subgraph's own."""
    number = str(config.get("configurable", {}).get("checkpoint_ns", "")).rpartition("|")[2]
    return int(number) if number.isdigit() else 0


def _without_numbers(namespace: list[str]) -> list[str]:
    return [part for part in namespace if not part.isdigit()]


def _running(config: Mapping[str, Any]) -> _Running | None:
    """LangGraph's own objects for a step; ``None`` if this version of LangGraph, or this step, does not have them."""
    call = config.get("configurable", {}).get("__pregel_call")
    try:
        running = _Running(call.args[0](), call.keywords["schedule_task"].__self__)
    except (AttributeError, IndexError, KeyError, TypeError):
        return None
    return running if hasattr(running.loop, "config") and hasattr(running.task, "path") else None


def _path_in_attempt(path: Any, running: _Running | None) -> Any:
    """A step's path. If a function has called it as a task, the number of the call counts within the attempt."""
    if running is None or not _is_call(path):
        return path
    kind, caller, number, is_call = path
    return kind, _path_in_attempt(caller, running), number - _first_number(path, running), is_call


def _is_call(path: Any) -> bool:
    # Elsewhere in a path this place is a name, or False for a step that was sent to.
    return isinstance(path, tuple) and path[3:] == (True,)


def _first_number(path: Any, running: _Running) -> int:
    """The number of the first task that was called in the same attempt of the caller."""
    tasks = list(running.loop.tasks.values())
    caller = next((task for task in tasks if task.path == path[1]), None)
    called = next((task for task in tasks if task.path == path), None)
    if caller is None or called is None or not (caller.retry_policy or running.loop.retry_policy):
        return 0
    same_caller = [task for task in tasks if task.path[:2] == path[:2] and _is_call(task.path)]
    numbers: list[int] = [task.path[2] for task in same_caller if _caller_run(task) == _caller_run(called)]
    return min(numbers)


def _caller_run(task: Any) -> Any:
    """The id of the run of the function that has called a task. Each attempt is a run of its own."""
    return getattr(task.config.get("callbacks"), "parent_run_id", None)


def _attempt(config: Mapping[str, Any]) -> _Attempt | None:
    info = getattr(runtime_of(config), "execution_info", None)
    if info is None:
        return None
    return _Attempt(info.checkpoint_ns, info.task_id, info.node_first_attempt_time, info.node_attempt)


def _number_in_attempt(attempt: _Attempt | None, number: int) -> int:
    """The number of a call of a subgraph within the attempt of the step that calls it.

    LangGraph counts the calls of all attempts of one run. A later attempt is assumed to begin with the same call, of
    those that submit, as the first one. If none was seen then, because LangGraph skips the calls that had finished
    before a crash, it is assumed to begin with call 0.
    """
    if attempt is None:
        return 0
    run = attempt._replace(number=0)
    with shared_state:
        firsts = _first_calls.setdefault(run, {})
        _first_calls.move_to_end(run)
        first = firsts.setdefault(attempt.number, number)
        _drop_oldest(_first_calls)
        return number - first + firsts.get(1, 0)


def _drop_oldest(entries: OrderedDict[_Attempt, Any]) -> None:
    while len(entries) > _MOST_ATTEMPTS:
        entries.popitem(last=False)
