"""Adds the audio of newly saved songs to the messages that a chat model is called with."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable

from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.sync import sync_twin
from producer_tools.concurrency.threads import in_thread
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.tools.clips import Clip, clip_of, not_played, songs_in
from producer_tools.tools.file_facts import is_saved_file
from producer_tools.tools.hearing import takes_audio

MOST_SONGS = 2
"""Songs in one model call."""

_INTRODUCTION = (
    "Sent by the application, not by the user: the songs that were just saved, for you to hear. They are played once. "
    "To hear one again later, save it again, which costs nothing."
)


def is_from_listener(message: BaseMessage) -> bool:
    """Whether a `Listener` has added the message, so that it is not the user's."""
    return isinstance(message, HumanMessage) and message.text.startswith(_INTRODUCTION)


class Listener:
    """Lets a chat model hear the songs that a `ProducerDownloadResults` with ``listen=True`` has saved.

    In an agent, use `producer_tools.langgraph.listening.ListenMiddleware`.

    Args:
        directory: the directory of the downloads. Files elsewhere are not read, because the messages of a server's
            user may name any file. Users who must not hear each other's songs need a directory each. A relative one is
            made absolute as `producer_tools.Downloader` does it.
        hears: whether the models take audio; by default what a model's ``profile`` says about ``audio_inputs``, and no
            if that is not known.
    """

    def __init__(self, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY, *, hears: bool | None = None) -> None:
        self._directory = absolute_path(directory)
        self._hears = hears

    async def with_audio(self, messages: Sequence[BaseMessage], model: Runnable[Any, Any]) -> list[BaseMessage]:
        """Add the audio of the songs that were saved since the model's last message.

        It comes in one `HumanMessage` right after the tools' messages: for each song a text that says which one it is,
        and its audio as LangChain's standard content block; for a song that cannot be played, a text that says why. At
        most two songs of at most 4 MB and eight minutes are played. MP3 and WAV files are played as they are; other
        ones, and larger ones, are converted to MP3, which needs the extra ``sound``.

        Pass the returned messages to the model and keep the given ones, which are not changed. Then no audio gets into
        a state or a checkpoint, and each song is heard in one call only.

        Args:
            messages: the conversation.
            model: the chat model that will be called, with its tools if they are bound. If it does not take audio,
                nothing is added; the tool's result has the measured facts.

        Returns:
            The messages to call the model with.
        """
        given = list(messages)
        end, files = _newly_saved(given)
        songs = songs_in(files)
        if not songs or not takes_audio(model, self._hears):
            return given
        content: list[str | dict[str, Any]] = [{"type": "text", "text": _INTRODUCTION}]
        for clip in await in_thread(self._clips, songs):
            content += clip.blocks
        return [*given[:end], HumanMessage(content), *given[end:]]

    with_audio_sync = sync_twin(with_audio)

    def _clips(self, songs: Iterable[Mapping[str, Any]]) -> list[Clip]:
        clips: list[Clip] = []
        for song in songs:
            if sum(clip.audio is not None for clip in clips) < MOST_SONGS:
                clips.append(clip_of(song, self._directory))
            else:
                reason = f"at most {MOST_SONGS} songs are played at once; save it again alone to hear it"
                clips.append(not_played(song, reason))
        return clips


def _newly_saved(messages: list[BaseMessage]) -> tuple[int, list[Mapping[str, Any]]]:
    """Where the last tool message since the model's last message ends, and the files that may be heard."""
    end, files = 0, list[Mapping[str, Any]]()
    for place in range(len(messages), 0, -1):
        message = messages[place - 1]
        if isinstance(message, AIMessage):
            break
        if isinstance(message, ToolMessage):
            end = end or place
            files[:0] = _marked_files(message.artifact)
    return end, files


def _marked_files(artifact: Any) -> list[Mapping[str, Any]]:
    if not isinstance(artifact, dict) or artifact.get("listen") is not True:
        return []
    files = artifact.get("files")
    return list(filter(is_saved_file, files)) if isinstance(files, list) else []
