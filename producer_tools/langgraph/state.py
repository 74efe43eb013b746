"""What the nodes read and write: plain JSON-able values, so that any checkpointer brings them back."""

from typing import Any

from typing_extensions import NotRequired, TypedDict


class SongRequest(TypedDict):
    """One paid call, in the words of LangChain's ``Action``: a tool of this pack, and its arguments.

    Attributes:
        name: the tool's name, such as ``producer_generate_music``.
        args: what the tool takes, as in a model's tool call: what no model may set is left out.
    """

    name: str
    args: dict[str, Any]


class SongError(TypedDict):
    """Why there is no song.

    Attributes:
        code: the service's error code, or one of ours (``unknown_outcome``, ``not_finished``, ``rejected``, …).
        message: what happened, whether money may have been spent, and what to do next.
        key: the key of the wish, for ``client.allow_again`` and ``client.adopt``, where it was sent under one.
    """

    code: str
    message: str
    key: NotRequired[str]


class SongState(TypedDict, total=False):
    """One paid call on its way through a graph. A graph's own state inherits from it, or has the same keys.

    Attributes:
        request: what to submit; ``None`` where nothing is.
        key: a name for this wish within the thread: the same key is paid for once. It stays in a thread's state, so
            give it anew with each request. Without one, the step that submits is the wish, however often it is run.
        task: the task, as a tool's artifact shows it: ``task_id``, ``state``, ``success``, ``results``, …; empty where
            there is none.
        files: what was saved, as in `producer_tools.SavedFile`.
        error: why there is no finished song; ``None`` while all is well.
    """

    request: SongRequest | None
    key: str | None
    task: dict[str, Any]
    files: list[dict[str, Any]]
    error: SongError | None
