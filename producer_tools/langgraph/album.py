"""A graph that makes an album: each wish becomes a song that is written, submitted, waited for, reviewed and saved."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, Send

from producer_tools.client import ProducerClient
from producer_tools.errors import ConfigurationError
from producer_tools.files.downloads import DEFAULT_DIRECTORY, Downloader
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE
from producer_tools.langgraph.album_steps import Author, DownloadStep, ReviewStep, SubmitStep, WriteStep
from producer_tools.langgraph.nodes import ApproveNode, WaitNode
from producer_tools.langgraph.songs import keep, prompt_from_wish
from producer_tools.langgraph.state import AlbumState, Song, is_unfinished, unknown_outcome

BUSY_SERVICE = RetryPolicy(retry_on=SAFE_TO_RETRY_IF_FREE, max_attempts=60, initial_interval=0.5, max_interval=30)
"""Retries for half an hour or longer, because the service makes only a few songs at a time and refuses the others."""

_WORDS_REFUSED = ("bad_request", "forbidden", "rejected")
"""Codes of errors after which a song is written again, because the same words would be refused again."""


def album_graph(
    client: ProducerClient,
    *,
    write: Author = prompt_from_wish,
    review: Author = keep,
    approve: bool = False,
    takes: int = 3,
    download_dir: str | os.PathLike[str] = DEFAULT_DIRECTORY,
    retry_policy: RetryPolicy = BUSY_SERVICE,
) -> StateGraph[AlbumState, Any, Any, Any]:
    """Build the graph of an album. Compile it with a checkpointer and a store of your choice.

    Each of the ``wishes`` becomes a song, and the songs run at the same time. A song is written, submitted, waited for
    and reviewed; the review may ask for further takes; the newest take is saved. A song that fails has an ``error`` and
    does not stop the others. If the service is busy or unreachable, the graph retries for half an hour or longer;
    then the run ends with the error and can be resumed.

    One thread is one album. If you invoke it again with the same wishes, possibly followed by new ones, it continues
    the songs that have an error and leaves the finished ones alone. The same wish at another place in the list is
    another song. What was paid for is recorded in the client's ledger, else in the graph's store. If the album must
    survive a crash of its process, that one must outlive the process too.

    Args:
        client: the client that all steps use.
        write: turns a song's ``wish`` into a request, or returns ``None`` for no song. The default uses the wish as
            the prompt; `write_with` lets a model write.
        review: looks at a song with a new take. It returns a request for another take, as `vary` and `extend` make
            it, or ``None`` to keep the take. `review_with` lets a model review.
        approve: whether a person is asked before each submit, as `ApproveNode` asks.
        takes: the most takes of one song.
        download_dir: where the files go. Takes are saved in its folder ``takes`` before they are reviewed, so that the
            review knows what was measured of them.
        retry_policy: the retry policy of the steps that call the service.

    Raises:
        ConfigurationError: when the graph is run, if ``wishes`` is not a list.

    Returns:
        A graph that takes `AlbumState`'s ``wishes`` and returns its ``songs``.
    """
    pay = "approve" if approve else "submit"
    save = None if review is keep else Downloader(client, Path(download_dir) / "takes")
    song = StateGraph(_State)
    song.add_node("write", WriteStep(write))
    if approve:
        song.add_node("approve", ApproveNode(client))
        song.add_conditional_edges("approve", _submit_unless_error, ["submit", "download"])
    song.add_node("submit", SubmitStep(client, download_dir, accept_other_words=not approve), retry_policy=retry_policy)
    song.add_node("wait", WaitNode(client), retry_policy=retry_policy)
    song.add_node("review", ReviewStep(review, takes, save))
    song.add_node("download", DownloadStep(client, download_dir), retry_policy=retry_policy)
    song.add_edge(START, "write")
    song.add_conditional_edges("write", _wait_or(pay), ["wait", pay, "download"])
    song.add_conditional_edges("submit", _unless_error("wait"), ["wait", "download"])
    song.add_conditional_edges("wait", _unless_error("review"), ["review", "download"])
    song.add_conditional_edges("review", _wait_or(pay), [pay, "download"])
    song.add_edge("download", END)

    album = StateGraph(AlbumState)
    album.add_node("song", song.compile(name="song"))
    album.add_conditional_edges(START, _songs_to_make, ["song", END])
    album.add_edge("song", END)
    return album


class _State(Song, total=False):
    songs: list[Song]


def _songs_to_make(state: AlbumState) -> list[Send]:
    """Start a song for each new wish, and continue each song that has an error."""
    if not isinstance(state["wishes"], list):
        raise ConfigurationError("configuration", f"wishes must be a list of texts, not {state['wishes']!r}.")
    known = {song["number"]: song for song in state.get("songs", [])}
    sent = []
    for number, wish in enumerate(state["wishes"], start=1):
        song = known.get(number)
        if song is None or song["wish"] != wish:
            sent.append(Send("song", Song(number=number, wish=wish, calls=1, takes=[])))
        elif song["error"]:
            sent.append(Send("song", _continued(song)))
    return sent


def _continued(song: Song) -> Song:
    """The song as it goes on after an error."""
    if is_unfinished(song):
        return song
    refused = song["error"] is not None and song["error"]["code"] in _WORDS_REFUSED
    # A failed task was not charged and stays failed. Another attempt is another call, which has no task yet.
    failed = song.get("task", {}).get("success") is False
    request = None if refused else song.get("request")
    return {**song, "request": request, "calls": song["calls"] + failed, "task": {} if failed else song.get("task", {})}


def _wait_or(pay: str) -> Callable[[_State], str]:
    def next_step(state: _State) -> str:
        if is_unfinished(state):
            return "wait"  # submitted in an earlier run
        return pay if state["request"] else "download"

    return next_step


def _unless_error(step: str) -> Callable[[_State], str]:
    return lambda state: "download" if state["error"] else step


def _submit_unless_error(state: _State) -> str:
    # A request with an unknown outcome is submitted under its old key, to find out whether it was adopted or released.
    return "download" if state["error"] and not unknown_outcome(state) else "submit"
