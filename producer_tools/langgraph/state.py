"""What the nodes read and write: plain JSON values, so that any checkpointer can restore them."""

from collections.abc import Mapping
from typing import Annotated, Any

from typing_extensions import NotRequired, TypedDict

from producer_tools.tasks.task import STUCK


class SongRequest(TypedDict):
    """One paid call, in the form of LangChain's ``Action``.

    Attributes:
        name: a paid tool of this package, such as ``producer_generate_music``.
        args: the tool's arguments, as in a model's tool call. Arguments that a model must not set are dropped.
    """

    name: str
    args: dict[str, Any]


class SongError(TypedDict):
    """Why there is no song.

    Attributes:
        code: the service's error code, or one of this package's (``unknown_outcome``, ``not_finished``,
            ``rejected``, …).
        message: what happened, whether you may have been charged, and what to do next.
        key: the idempotency key for ``client.release`` and ``client.adopt``, if the request was sent under one.
        request: the request whose outcome is unknown, if it was sent under a key.
    """

    code: str
    message: str
    key: NotRequired[str]
    request: NotRequired[SongRequest]


class SongState(TypedDict, total=False):
    """The state of one paid call in a graph. A graph's own state inherits from it, or has the same keys.

    Attributes:
        request: what to submit; ``None`` if there is nothing to submit.
        key: an idempotency key within the thread: the same key is paid for once. It stays in the thread's state, so
            set a new one with each new request. Without a key, each step that submits is paid for once, however often
            it is run again.
        task: the task, like a tool's artifact: ``task_id``, ``state``, ``success``, ``results``, …; empty if there is
            none.
        files: the saved files, each with the keys of `producer_tools.SavedFile`, and with ``findings``, a list of what
            is wrong with its audio.
        error: why there is no finished song; ``None`` if nothing went wrong. As long as it says that the outcome is
            unknown, the same request is not sent again. To make another song with the same request, set it to ``None``
            or set another ``key``.
    """

    request: SongRequest | None
    key: str | None
    task: dict[str, Any]
    files: list[dict[str, Any]]
    error: SongError | None


class Song(SongState, total=False):
    """One song of an album.

    Attributes:
        number: its place on the album, from 1.
        wish: what the person asked for.
        calls: the number of paid calls so far.
        takes: the finished takes so far, oldest first, each like a tool's artifact. One that was saved for its review
            also has ``files``, as above, but without ``downloaded``.
        task: at the end, the take that was kept.
        error: at the end, why there is no song, or why it could not be saved.
        take_error: why the last further take failed; the song is then the take before it.
    """

    number: int
    wish: str
    calls: int
    takes: list[dict[str, Any]]
    take_error: SongError | None


def in_order(songs: list[Song], updates: list[Song]) -> list[Song]:
    """The songs by their numbers. An update replaces the song with the same number."""
    by_number = {song["number"]: song for song in [*songs, *updates]}
    return [by_number[number] for number in sorted(by_number)]


class AlbumState(TypedDict):
    """An album.

    Attributes:
        wishes: what to make, one text for each song.
        songs: the songs in the order of the wishes.
    """

    wishes: list[str]
    songs: Annotated[list[Song], in_order]


def is_request(value: Any) -> bool:
    """Whether the value has the form of a `SongRequest`."""
    return isinstance(value, Mapping) and isinstance(value.get("name"), str) and isinstance(value.get("args"), Mapping)


def unknown_outcome(state: Mapping[str, Any]) -> SongError | None:
    """The error that says that a request was sent under a key and has an unknown outcome; ``None`` for no such error.

    The request must not be sent again under another key, and not under this one either before it is released.
    """
    error: SongError | None = state.get("error")
    return error if error and error["code"] == "unknown_outcome" and error.get("key") else None


def is_unfinished(song: Mapping[str, Any]) -> bool:
    """Whether a task was submitted for the song and may still finish; also one that was given up as stuck."""
    task = song.get("task") or {}
    return task.get("success", False) is None or (task.get("error") or {}).get("code") == STUCK
