"""A graph that makes an album: each wish is a song on its own way, from words to files."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.base import RunnableLike, coerce_to_runnable
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, Send
from typing_extensions import TypedDict

from producer_tools.client import ProducerClient
from producer_tools.downloads import DEFAULT_DIRECTORY
from producer_tools.errors import ConfigurationError, SubmissionConflictError, SubmissionUnknownError, shorten
from producer_tools.langgraph.node import Node, Update
from producer_tools.langgraph.nodes import (
    MAY_PASS,
    ApproveNode,
    DownloadNode,
    SubmitNode,
    WaitNode,
    is_request,
)
from producer_tools.langgraph.state import SongError, SongRequest, SongState
from producer_tools.ledger import Ledger
from producer_tools.requests import PaidRequest
from producer_tools.task import Task

_logger = logging.getLogger("producer_tools")


class Song(SongState, total=False):
    """One song of an album.

    Attributes:
        number: its place on the album, from 1.
        wish: what a person wished for.
        calls: the paid calls so far.
        takes: the finished takes so far, oldest first, each a task as a tool's artifact shows it.
        task: in the end, the take that was kept.
        error: in the end, why there is no song, or why it could not be saved.
        take_error: why the last further take came to nothing; the song is the take before it.
    """

    number: int
    wish: str
    calls: int
    takes: list[dict[str, Any]]
    take_error: SongError | None


def in_order(songs: list[Song], news: list[Song]) -> list[Song]:
    """The album's songs by their numbers; a song that is told of again takes its old place."""
    by_number = {song["number"]: song for song in [*songs, *news]}
    return [by_number[number] for number in sorted(by_number)]


class AlbumState(TypedDict):
    """An album.

    Attributes:
        wishes: what to make, a song each.
        songs: what became of them, in the order of the wishes.
    """

    wishes: list[str]
    songs: Annotated[list[Song], in_order]


def as_wished(song: Song) -> SongRequest:
    """The wish as it is, as the prompt of a song."""
    return SongRequest(name="producer_generate_music", args={"prompt": song["wish"]})


def keep(song: Song) -> None:
    """Keep whatever was made."""


def vary(song: Song, **arguments: Any) -> SongRequest:
    """Ask for another take of a song's newest one.

    Args:
        song: a song with a finished take.
        arguments: further ones of ``producer_variation_music``.
    """
    return SongRequest(name="producer_variation_music", args={"audio_id": _newest(song)["audio_id"], **arguments})


def extend(song: Song, **arguments: Any) -> SongRequest:
    """Ask for a song's newest take to go on, from its end unless ``continue_at`` (seconds) is given.

    Args:
        song: a song with a finished take.
        arguments: further ones of ``producer_extend_music``.

    Raises:
        ValueError: its end is not known.
    """
    newest = _newest(song)
    if "continue_at" not in arguments and "duration_seconds" not in newest:
        raise ValueError("The service did not say how long the song is: give continue_at.")
    given = {"audio_id": newest["audio_id"], "continue_at": newest.get("duration_seconds"), **arguments}
    return SongRequest(name="producer_extend_music", args=given)


# The service makes a few songs at a time and refuses the others: this is half an hour at least.
_PATIENCE = RetryPolicy(retry_on=MAY_PASS, max_attempts=60, initial_interval=0.5, max_interval=30)

_WORDS_REFUSED = ("bad_request", "forbidden", "rejected")
"""Errors after which a song is written anew: the same words would meet the same answer."""

Author = RunnableLike[Song, SongRequest | None]
"""Who writes or reviews a song: a function, an async function, or a runnable."""


def album_graph(
    client: ProducerClient,
    *,
    write: Author = as_wished,
    review: Author = keep,
    approve: bool = False,
    takes: int = 3,
    download_dir: str | os.PathLike[str] = DEFAULT_DIRECTORY,
) -> StateGraph[AlbumState, Any, Any, Any]:
    """Build the graph of an album; compile it with the checkpointer and the store of your choice.

    The ``wishes`` fan out. Each song is written, submitted, awaited and reviewed; what a review asks for is submitted
    in its turn; the take that is kept is saved. A song that comes to nothing has an ``error``, and stops no other. A
    service that is busy or out of reach is asked again for half an hour; then the run ends, to be resumed.

    One thread is one album. Invoked again with the same wishes, and others behind them, it goes on with the songs that
    have an error, and leaves the rest alone; a wish at another place is another song. What was paid for is remembered
    by the client's ledger, or by the graph's store: for a run that must survive its process, give it one that does.

    Args:
        client: what it talks through.
        write: makes of a song's ``wish`` what to submit, as `as_wished` and `write_with` do; ``None``: nothing.
        review: looks at a song with a new take, and returns what to submit next, as `vary` and `extend` give it, or
            ``None`` to keep the take; `review_with` lets a model do so.
        approve: whether a person is asked before each submit, as `ApproveNode` asks.
        takes: how many takes of one song may be made.
        download_dir: where the files go.

    Raises:
        ConfigurationError: when it is run with ``wishes`` that are no list.

    Returns:
        A graph from `AlbumState`'s ``wishes`` to its ``songs``.
    """
    pay = "approve" if approve else "submit"
    song = StateGraph(_State)
    song.add_node("write", _Write(write))
    if approve:
        song.add_node("approve", ApproveNode(client))
        song.add_conditional_edges("approve", _unless_error("submit"), ["submit", "download"])
    song.add_node("submit", _Submit(client, may_adopt=not approve), retry_policy=_PATIENCE)
    song.add_node("wait", WaitNode(client), retry_policy=_PATIENCE)
    song.add_node("review", _Review(review, takes))
    song.add_node("download", _Download(client, download_dir), retry_policy=_PATIENCE)
    song.add_edge(START, "write")
    song.add_conditional_edges("write", _go_on(pay), ["wait", pay, "download"])
    song.add_conditional_edges("submit", _unless_error("wait"), ["wait", "download"])
    song.add_conditional_edges("wait", _unless_error("review"), ["review", "download"])
    song.add_conditional_edges("review", _go_on(pay), [pay, "download"])
    song.add_edge("download", END)

    album = StateGraph(AlbumState)
    album.add_node("song", song.compile(name="song"))
    album.add_conditional_edges(START, _unfinished, ["song", END])
    album.add_edge("song", END)
    return album


class _State(Song, total=False):
    songs: list[Song]


def _unfinished(state: AlbumState) -> list[Send]:
    """Send each wish on its way; one that has been on it before goes on where it failed."""
    if not isinstance(state["wishes"], list):
        raise ConfigurationError("configuration", f"wishes must be a list of texts, not {state['wishes']!r}.")
    known = {song["number"]: song for song in state.get("songs", [])}
    sent = []
    for number, wish in enumerate(state["wishes"], start=1):
        song = known.get(number)
        if song is None or song["wish"] != wish:
            sent.append(Send("song", Song(number=number, wish=wish, calls=1, takes=[])))
        elif song["error"]:
            sent.append(Send("song", _tried_again(song)))
    return sent


def _tried_again(song: Song) -> Song:
    if _is_under_way(song):
        return song
    refused = song["error"] is not None and song["error"]["code"] in _WORDS_REFUSED
    # A task that failed was not charged, and stays as it is: another call is another wish, with no task yet.
    failed = song.get("task", {}).get("success") is False
    request = None if refused else song.get("request")
    return {**song, "request": request, "calls": song["calls"] + failed, "task": {} if failed else song.get("task", {})}


def _is_under_way(song: Mapping[str, Any]) -> bool:
    """Whether a task was submitted for it that is not final yet."""
    return song.get("task", {}).get("success", False) is None


def _is_open(song: Mapping[str, Any]) -> bool:
    """Whether what was asked for last may have been paid for, and may still come."""
    return _is_under_way(song) or (song["error"] is not None and song["error"]["code"] == "unknown_outcome")


def _go_on(pay: str) -> Callable[[_State], str]:
    def step(state: _State) -> str:
        if _is_under_way(state):
            return "wait"  # submitted before, and not waited for to its end
        return pay if state["request"] else "download"

    return step


def _unless_error(step: str) -> Callable[[_State], str]:
    return lambda state: "download" if state["error"] else step


class _Write(Node):
    """Has the wish put into a request, unless the song goes on where it failed."""

    def __init__(self, write: Author) -> None:
        self._write = _runnable(write)

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        # Number and wish once more, so that a stream of updates tells which song this is.
        song = {"number": state["number"], "wish": state["wish"], "error": None}
        if state.get("request") or state["takes"]:
            return {**song, "request": state["request"]}
        try:
            request = _checked(await self._write.ainvoke(state, config))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an author's code raises must not end the other songs
            return {**song, "request": None, "error": _author_failed("not_written", error)}
        if request is None:
            song["error"] = SongError(code="not_written", message="Nothing was written, so nothing was sent.")
        return {**song, "request": request}


class _Submit(SubmitNode):
    """Submits under a key that neither checkpoints nor words have a part in: what a crash takes along is paid once."""

    def __init__(self, client: ProducerClient, *, may_adopt: bool) -> None:
        super().__init__(client)
        self._may_adopt = may_adopt

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        key = f"song {state['number']}, call {state['calls']}: {state['wish']}"
        return await super().update({**state, "key": key}, config, runtime)

    async def _submit(self, request: PaidRequest, key: str | None, ledger: Ledger | None) -> Task:
        try:
            return await super()._submit(request, key, ledger)
        except SubmissionConflictError as error:  # it was sent in other words, and they were lost in a crash
            if not self._may_adopt:
                raise  # a person has approved these words
            if error.task_id is None:
                raise SubmissionUnknownError("unknown_outcome", "It was sent before, in other words.") from None
            _logger.warning("%s was sent before, in other words: task %s is taken.", key, error.task_id)
            return Task(error.task_id, "pending")


class _Review(Node):
    """Has the new take looked at, unless there are enough."""

    def __init__(self, review: Author, takes: int) -> None:
        self._review = _runnable(review)
        self._takes = takes

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        if not state["task"]["results"]:
            return {"request": None, "error": SongError(code="empty", message="Finished, but nothing was made.")}
        takes = [*state["takes"], state["task"]]
        if len(takes) >= self._takes:
            return {"takes": takes, "request": None}
        try:
            request = _checked(await self._review.ainvoke({**state, "takes": takes}, config))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a take that nobody could review is kept
            return {"takes": takes, "request": None, "error": _author_failed("not_reviewed", error)}
        return {"takes": takes, "request": request, "calls": state["calls"] + bool(request)}


class _Download(DownloadNode):
    """Saves the newest take, if there is one, and hands the song over to the album."""

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        song = {name: value for name, value in state.items() if name != "songs"}
        if song["takes"] and not _is_open(song):
            take_error = song["error"] or song.get("take_error")  # the latter, if it is but saved once more
            song |= {"task": song["takes"][-1], "request": None, "take_error": take_error}
            song |= await super().update(song, config, runtime)
        return {"songs": [song]}


def _checked(request: Any) -> SongRequest | None:
    """What an author returned, if it is a request or nothing."""
    if request is None or is_request(request):
        return cast("SongRequest | None", request)
    raise TypeError(f"it must return a request, as vary and extend give it, or None; it returned {request!r}")


def _author_failed(code: str, error: Exception) -> SongError:
    _logger.warning("A song is %s.", code.replace("_", " "), exc_info=error)
    return SongError(code=code, message=shorten(f"{type(error).__name__}: {error}"))


def _runnable(author: Author) -> Runnable[Any, SongRequest | None]:
    return cast("Runnable[Any, SongRequest | None]", coerce_to_runnable(author))


def _newest(song: Song) -> dict[str, Any]:
    result: dict[str, Any] = song["takes"][-1]["results"][0]
    return result
