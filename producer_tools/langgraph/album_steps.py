"""The steps of one song of an album: write, submit, review, download."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.base import RunnableLike, coerce_to_runnable
from langgraph.errors import GraphBubbleUp

from producer_tools.client import ProducerClient
from producer_tools.errors import (
    ConfigurationError,
    ProducerError,
    ProducerToolError,
    SubmissionConflictError,
    SubmissionUnknownError,
)
from producer_tools.errors.base import shorten
from producer_tools.files.directory import DirectoryCheck
from producer_tools.files.downloads import Downloader
from producer_tools.langgraph.node import Node, Update
from producer_tools.langgraph.nodes import DownloadNode, SubmitNode, task_of
from producer_tools.langgraph.state import Song, SongError, SongRequest, is_request, is_unfinished, unknown_outcome
from producer_tools.payment.graph_keys import GraphKey, named_key
from producer_tools.payment.ledger import Ledger
from producer_tools.requests import PaidRequest
from producer_tools.tasks.task import Task
from producer_tools.telemetry import logger
from producer_tools.tools.file_facts import file_values

Author = RunnableLike[Song, SongRequest | None]
"""Writes or reviews a song: a function, an async function or a runnable. It returns a request, or ``None`` for none."""


class WriteStep(Node):
    """Lets the author turn the wish into a request, unless the song continues where it failed before."""

    def __init__(self, write: Author) -> None:
        self._write = _runnable(write)

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        """Write."""
        # Number and wish are repeated so that a stream of updates shows which song this is.
        song = {"number": state["number"], "wish": state["wish"], "error": unknown_outcome(state)}
        if state.get("request") or state["takes"]:
            return {**song, "request": state["request"]}
        try:
            request = _checked(await self._write.ainvoke(state, config))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - an error in an author's code must not end the other songs
            return {**song, "request": None, "error": _author_failed("not_written", error)}
        if request is None:
            song["error"] = SongError(code="not_written", message="Nothing was written, so nothing was sent.")
        return {**song, "request": request}


class SubmitStep(SubmitNode):
    """Submits under a key made of the song's number, call and wish.

    The key depends neither on checkpoints nor on what the author wrote. So a crash that loses either of them does not
    lead to a second payment.

    Args:
        client: the client to submit with.
        directory: where the song will be saved. If no file can be written there, nothing is sent; a request
            that was sent before still gets its task.
        accept_other_words: whether a task that was submitted under the same key, but with other words, is accepted.
    """

    def __init__(self, client: ProducerClient, directory: str | os.PathLike[str], *, accept_other_words: bool) -> None:
        super().__init__(client)
        self._check_directory = DirectoryCheck(directory)
        self._accept_other_words = accept_other_words

    def _filed(self, state: Mapping[str, Any], config: RunnableConfig) -> GraphKey:
        call, wish = f"song {state['number']}, call {state['calls']}", state["wish"]
        former = named_key(config, f"{call}: {wish}")
        unknown = unknown_outcome(state)
        if unknown and unknown["key"] == former:
            return GraphKey(former)
        # Keys are logged, and a wish is a person's own words, so the key holds only its hash.
        key = named_key(config, f"{call}: {hashlib.sha256(wish.encode(errors='surrogatepass')).hexdigest()[:16]}")
        return GraphKey(key, (former,))

    async def _submit(self, request: PaidRequest, filed: GraphKey, ledger: Ledger | None, *, was_sent: bool) -> Task:
        try:
            return await super()._submit(request, filed, ledger, was_sent=was_sent)
        except SubmissionConflictError as error:
            # The request was sent with another wording, which a crash has lost.
            if not self._accept_other_words:
                raise  # a person has approved this wording and no other
            if error.task_id is None:
                unknown = SubmissionUnknownError("unknown_outcome", "This song was sent before, with another wording.")
                unknown.key = filed.key
                raise unknown from None
            logger.warning("%r was sent before, with another wording: task %s is used.", filed.key, error.task_id)
            return Task(error.task_id, "pending")

    async def _refusal(self) -> ProducerError | None:
        try:
            await self._check_directory()
        except ConfigurationError as error:
            return error
        return None


class ReviewStep(Node):
    """Lets the author review a new take, unless the song has enough takes.

    Args:
        review: the author.
        takes: the most takes of a song.
        downloader: saves a take before it is reviewed; ``None`` if the review needs no files.
    """

    def __init__(self, review: Author, takes: int, downloader: Downloader | None) -> None:
        self._review = _runnable(review)
        self._takes = takes
        self._downloader = downloader

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        """Review."""
        if not state["task"]["results"]:
            return {"request": None, "error": SongError(code="empty", message="Finished, but nothing was made.")}
        takes = [*state["takes"], state["task"]]
        if len(takes) >= self._takes:
            return {"takes": takes, "request": None}
        takes[-1] = await self._with_files(takes[-1])
        try:
            request = _checked(await self._review.ainvoke({**state, "takes": takes}, config))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - if the review fails, the take is kept
            return {"takes": takes, "request": None, "error": _author_failed("not_reviewed", error)}
        return {"takes": takes, "request": request, "calls": state["calls"] + bool(request)}

    async def _with_files(self, take: dict[str, Any]) -> dict[str, Any]:
        """The take with its saved files. If they cannot be saved, it is reviewed without them."""
        if self._downloader is None:
            return take
        try:
            downloads = await self._downloader.save(task_of(take))
        except ProducerToolError as error:  # the last step reports it, if it saves this take
            logger.warning("The files of a take could not be saved for its review.", exc_info=error)
            return {**take, "files": []}
        files = [file_values(file) for file in downloads.files]
        for file in files:
            del file["downloaded"]  # a step that is run again after a crash must write the same state
        return {**take, "files": files}


class DownloadStep(DownloadNode):
    """Saves the newest take, if there is one, and adds the song to the album.

    Args:
        client: the client to download with.
        directory: where the files go.
    """

    def __init__(self, client: ProducerClient, directory: str | os.PathLike[str]) -> None:
        super().__init__(client, directory)

    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any) -> Update:
        """Save the files."""
        song = {name: value for name, value in state.items() if name != "songs"}
        if song["takes"] and not _may_still_come(song):
            take_error = song["error"] or song.get("take_error")  # the latter if the song is only saved once more
            song |= {"task": song["takes"][-1], "request": None, "take_error": take_error}
            song |= await super().update(song, config, runtime)
        return {"songs": [song]}


def _may_still_come(song: Mapping[str, Any]) -> bool:
    """Whether the newest request may have been paid for and may still bring a result."""
    return is_unfinished(song) or (song["error"] is not None and song["error"]["code"] == "unknown_outcome")


def _checked(request: Any) -> SongRequest | None:
    """What an author returned, if it is a request or ``None``."""
    if request is None or is_request(request):
        return cast("SongRequest | None", request)
    raise TypeError(f"it must return a request, as vary and extend do, or None; it returned {request!r}")


def _author_failed(code: str, error: Exception) -> SongError:
    logger.warning("A song is %s.", code.replace("_", " "), exc_info=error)
    return SongError(code=code, message=shorten(f"{type(error).__name__}: {error}"))


def _runnable(author: Author) -> Runnable[Any, SongRequest | None]:
    return cast("Runnable[Any, SongRequest | None]", coerce_to_runnable(author))
