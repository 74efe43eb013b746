"""Writes tasks as JSON, in one of two vocabularies.

``record`` follows the newest specification: no field for the state, no ``success``, and ``response`` is null until
there is something to show. ``state`` is what released clients expect: a ``state`` at the top, ``response`` always an
object, which has ``success`` once the task is finished, and its ``data`` repeated at the top.
"""

from datetime import datetime, timezone
from typing import Any, Literal

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.files import AudioFormat
from producer_tools.sandbox.jobs import Audio, Lyrics, StoredTask

Vocabulary = Literal["record", "state"]


class Writer:
    """Writes tasks for one request.

    Args:
        vocabulary: Which form records have.
        base_url: Start of the URLs of files, without a trailing slash.
        audio_format: The format of songs, uploads and previews.
    """

    def __init__(self, vocabulary: Vocabulary, base_url: str, audio_format: AudioFormat) -> None:
        self._vocabulary = vocabulary
        self._audio_format = audio_format
        self._files_url = f"{base_url}/sandbox/files"

    def submitted(self, task: StoredTask) -> dict[str, Any]:
        """The answer to an asynchronous submit."""
        ids = {"task_id": task.id, "trace_id": task.trace_id}
        return {"success": True, **ids} if self._vocabulary == "state" else ids

    def result(self, task: StoredTask) -> dict[str, Any]:
        """The result of ``task``: the answer to a synchronous submit, and the body of a callback."""
        ids = {"task_id": task.id, "trace_id": task.trace_id}
        data = {} if isinstance(task.outcome, ApiError) else {"data": self._data(task, task.outcome, task.finished_at)}
        if task.error is not None:
            return {"success": False, **ids, "error": task.error.body(), **data}
        return {"success": True, **ids, **data}

    def record(self, task: StoredTask, now: float) -> dict[str, Any]:
        """The record of ``task`` in a look-up at ``now`` (Unix seconds)."""
        state = task.state(now)
        finished = state in {"complete", "failed"}
        record = {
            "id": task.id,
            "type": task.record_type,
            "trace_id": task.trace_id,
            "user_id": task.owner.user_id,
            "application_id": task.owner.application_id,
            "created_at": task.created_at,
            "started_at": None if state == "pending" else task.started_at,
            "finished_at": task.finished_at if finished else None,
            "elapsed": task.finished_at - task.started_at if finished else None,
            "request": task.request,
        }
        if self._vocabulary == "record":
            return record | {"response": self._response(task, now)}
        response = self._state_response(task, now)
        # producer-cli reads the state `failed` from an item at the top, but a failed task has no items.
        data = [{"id": task.id, "state": "failed"}] if state == "failed" else response["data"]
        return record | {"state": state, "response": response, "data": data}

    def _response(self, task: StoredTask, now: float) -> dict[str, Any] | None:
        """``response`` in the vocabulary ``record``: null until there is something to show."""
        state = task.state(now)
        if state == "failed":
            return self.result(task)
        if state == "pending" or isinstance(task.outcome, ApiError):
            return None
        return {"task_id": task.id, "data": self._data(task, task.outcome, now)}

    def _state_response(self, task: StoredTask, now: float) -> dict[str, Any]:
        """``response`` in the vocabulary ``state``: always an object, with a preview while the task is pending."""
        state = task.state(now)
        if state == "failed":
            return {"data": []} | self.result(task)
        if isinstance(task.outcome, ApiError):
            return {"task_id": task.id, "data": []}
        data = self._data(task, task.outcome, now)
        response = {"task_id": task.id, "data": data if isinstance(data, list) else [data]}
        return {"success": True, **response} if state == "complete" else response

    def _data(self, task: StoredTask, outcome: Audio | Lyrics, now: float) -> list[dict[str, Any]] | dict[str, Any]:
        """The items that ``task`` shows at ``now``."""
        if isinstance(outcome, Lyrics):
            data = {"title": outcome.title, "text": outcome.text, "status": "complete"}
            return data if self._vocabulary == "record" else data | {"lyrics": outcome.text}
        if task.product == "song":
            return [self._song(task, outcome, now)]
        if task.product == "stems":
            return [self._stems(task, outcome, now)]
        if task.product == "upload":
            return {
                "audio_id": outcome.id,
                "audio_url": self._file(outcome, f".{self._audio_format}"),
                "lyric": outcome.lyric,
            }
        if task.product == "video":
            return {"video_url": self._file(outcome, ".mp4")}
        wav = {"title": outcome.title, "file_url": self._file(outcome, ".wav")}
        return [wav] if self._vocabulary == "record" else wav

    def _song(self, task: StoredTask, audio: Audio, now: float) -> dict[str, Any]:
        ready = now >= task.finished_at
        return {
            "id": audio.id,
            "title": audio.title,
            "lyric": audio.lyric,
            "audio_url": self._file(audio, f"{'' if ready else '-preview'}.{self._audio_format}"),
            "image_url": self._file(audio, ".jpg"),
            "image_id": audio.id,
            "video_url": None,
            "seed": audio.seed,
            "sound": audio.prompt,
            "style": f"{audio.song.mode}, {audio.song.tempo:g} beats a minute",
            "model": audio.model,
            "created_at": datetime.fromtimestamp(audio.created_at, timezone.utc).isoformat().replace("+00:00", "Z"),
            "duration": str(audio.song.duration) if ready else None,
            **_status(task, now),
        }

    def _stems(self, task: StoredTask, audio: Audio, now: float) -> dict[str, Any]:
        return {
            "title": audio.title,
            "lyric": audio.lyric,
            "stems_url": self._file(audio, "-stems.zip") if now >= task.finished_at else None,
            "model": audio.model,
            **_status(task, now),
        }

    def _file(self, audio: Audio, ending: str) -> str:
        return f"{self._files_url}/{audio.id}{ending}"


def _status(task: StoredTask, now: float) -> dict[str, str]:
    """An item's progress and state. A finished item is ``succeeded``, where its record says ``complete``."""
    state = task.state(now)
    # The items of a task that fails after making them are finished too.
    return {"progress": f"{task.progress(now)}%", "state": state if now < task.finished_at else "succeeded"}
