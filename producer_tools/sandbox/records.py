"""Tasks as the API writes them, in either of the two vocabularies.

``record`` is the newest specification: no word for the state, no ``success``, ``response`` null until there is
something. ``state`` is what released clients look for: a ``state`` at the top, ``response`` always an object with
``success`` once the task is over, and its ``data`` once more at the top.
"""

from datetime import datetime, timezone
from typing import Any, Literal

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio, Lyrics, Product, Task

Vocabulary = Literal["record", "state"]

_TYPES: dict[Product, str] = {
    "song": "audios",
    "stems": "audios",
    "lyrics": "lyrics",
    "upload": "upload",
    "video": "videos",
    "wav": "wav",
}


class Writer:
    """Writes tasks for one request.

    Args:
        vocabulary: Which words to use.
        base_url: What the URLs of files start with, without a slash at the end.
    """

    def __init__(self, vocabulary: Vocabulary, base_url: str) -> None:
        self._vocabulary = vocabulary
        self._files = f"{base_url}/sandbox/files"

    def submitted(self, task: Task) -> dict[str, Any]:
        """The answer to a submit that does not wait."""
        ids = {"task_id": task.id, "trace_id": task.trace_id}
        return {"success": True, **ids} if self._vocabulary == "state" else ids

    def result(self, task: Task) -> dict[str, Any]:
        """How ``task`` ends: the answer to a submit that waits, and the body of a callback."""
        ids = {"task_id": task.id, "trace_id": task.trace_id}
        made = {} if isinstance(task.outcome, ApiError) else {"data": self._data(task, task.outcome, task.finished_at)}
        if task.error is not None:
            return {"success": False, **ids, "error": task.error.body(), **made}
        return {"success": True, **ids, **made}

    def record(self, task: Task, now: float) -> dict[str, Any]:
        """``task`` as a look-up at ``now`` (Unix seconds) finds it."""
        state = task.state(now)
        finished = state in {"complete", "failed"}
        record = {
            "id": task.id,
            "type": _TYPES[task.product],
            "trace_id": task.trace_id,
            "created_at": task.created_at,
            "started_at": None if state == "pending" else task.started_at,
            "finished_at": task.finished_at if finished else None,
            "elapsed": task.finished_at - task.started_at if finished else None,
            "request": task.request,
        }
        if self._vocabulary == "record":
            return record | {"response": self._response(task, now)}
        response = self._eager_response(task, now)
        # producer-cli looks for the word `failed` in an item at the top, where a failed task has none.
        shown = [{"id": task.id, "state": "failed"}] if state == "failed" else response["data"]
        return record | {"state": state, "response": response, "data": shown}

    def _response(self, task: Task, now: float) -> dict[str, Any] | None:
        """The specification's ``response``: null before there is something to show."""
        state = task.state(now)
        if state == "failed":
            return self.result(task)
        if state == "pending" or isinstance(task.outcome, ApiError):
            return None
        return {"task_id": task.id, "data": self._data(task, task.outcome, now)}

    def _eager_response(self, task: Task, now: float) -> dict[str, Any]:
        """The released clients' ``response``: always an object, with a preview from the first moment."""
        state = task.state(now)
        if state == "failed":
            return {"data": []} | self.result(task)
        if isinstance(task.outcome, ApiError):
            return {"task_id": task.id, "data": []}
        data = self._data(task, task.outcome, now)
        response = {"task_id": task.id, "data": data if isinstance(data, list) else [data]}
        return {"success": True, **response} if state == "complete" else response

    def _data(self, task: Task, outcome: Audio | Lyrics, now: float) -> list[dict[str, Any]] | dict[str, Any]:
        """What ``task`` has made by ``now``."""
        if isinstance(outcome, Lyrics):
            data = {"title": outcome.title, "text": outcome.text, "status": "complete"}
            return data if self._vocabulary == "record" else data | {"lyrics": outcome.text}
        if task.product == "song":
            return [self._song(task, outcome, now)]
        if task.product == "stems":
            return [self._stems(task, outcome, now)]
        if task.product == "upload":
            return {"audio_id": outcome.id, "audio_url": self._file(outcome, ".wav"), "lyric": outcome.lyric}
        if task.product == "video":
            return {"video_url": self._file(outcome, ".mp4")}
        wav = {"title": outcome.title, "file_url": self._file(outcome, ".wav")}
        return [wav] if self._vocabulary == "record" else wav

    def _song(self, task: Task, audio: Audio, now: float) -> dict[str, Any]:
        ready = now >= task.finished_at
        return {
            "id": audio.id,
            "title": audio.title,
            "lyric": audio.lyric,
            "audio_url": self._file(audio, ".wav" if ready else "-preview.wav"),
            "image_url": self._file(audio, ".png"),
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

    def _stems(self, task: Task, audio: Audio, now: float) -> dict[str, Any]:
        return {
            "title": audio.title,
            "lyric": audio.lyric,
            "stems_url": self._file(audio, "-stems.zip") if now >= task.finished_at else None,
            "model": audio.model,
            **_status(task, now),
        }

    def _file(self, audio: Audio, ending: str) -> str:
        return f"{self._files}/{audio.id}{ending}"


def _status(task: Task, now: float) -> dict[str, str]:
    """An item's own word for how far it is: another one than the record's when it is finished."""
    state = task.state(now)
    # A task that fails in part has items that are finished all the same.
    return {"progress": f"{task.progress(now)}%", "state": state if now < task.finished_at else "succeeded"}
