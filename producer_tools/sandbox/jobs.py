"""Tasks and the audio they make: what is stored, and how far a task is at a given time."""

from dataclasses import dataclass
from typing import Any, Literal

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.music import Song
from producer_tools.sandbox.users import User

Product = Literal["song", "stems", "lyrics", "upload", "video", "wav"]
State = Literal["pending", "processing", "complete", "failed"]

# A task is pending for this share of its time, and then processing.
_PENDING_SHARE = 0.25

_RECORD_TYPES: dict[Product, str] = {
    "song": "audios",
    "stems": "audios",
    "lyrics": "lyrics",
    "upload": "upload",
    "video": "videos",
    "wav": "wav",
}


@dataclass(frozen=True, slots=True)
class Audio:
    """A song, or an upload, that other requests can refer to by its id.

    Attributes:
        id: The audio id.
        song: The music; its files are rendered when they are first requested.
        title: The title that the caller gave, or a made-up one.
        lyric: The words that are sung.
        prompt: The description of the music in the request.
        model: The model in the request.
        seed: The seed it was made with.
        created_at: Unix seconds.
        ready_at: Unix seconds; before that, only a preview can be downloaded.
        owner: The account whose requests can refer to it.
        uploaded: Whether it came from ``/producer/upload``.
    """

    id: str
    song: Song
    title: str
    lyric: str
    prompt: str
    model: str
    seed: str
    created_at: float
    ready_at: float
    owner: User
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class Lyrics:
    """The title and the words of a song."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class StoredTask:
    """One accepted request and its outcome, which is known from the start.

    Nothing runs while a task is unfinished: its state is computed from the clock at each look-up.

    Attributes:
        id: The task id.
        owner: The account that sent the request.
        trace_id: The trace id of the submit.
        product: What the task makes.
        request: The body as it was received.
        created_at: Unix seconds.
        finished_at: Unix seconds; look-ups show the outcome from then on.
        outcome: What it makes, or the error it fails with.
        partial_failure: The error of a task that fails although it has made its outcome.
    """

    id: str
    owner: User
    trace_id: str
    product: Product
    request: dict[str, Any]
    created_at: float
    finished_at: float
    outcome: Audio | Lyrics | ApiError
    partial_failure: ApiError | None = None

    @property
    def record_type(self) -> str:
        """The ``type`` in its record."""
        return _RECORD_TYPES[self.product]

    @property
    def error(self) -> ApiError | None:
        """The error it fails with; None if it succeeds."""
        return self.outcome if isinstance(self.outcome, ApiError) else self.partial_failure

    @property
    def started_at(self) -> float:
        """Unix seconds at which the work starts."""
        return self.created_at + _PENDING_SHARE * (self.finished_at - self.created_at)

    def state(self, now: float) -> State:
        """The state at ``now`` (Unix seconds)."""
        if now >= self.finished_at:
            return "failed" if self.error else "complete"
        return "processing" if now >= self.started_at else "pending"

    def progress(self, now: float) -> int:
        """The share of its time that has passed at ``now``, in percent; 100 only when it is finished."""
        if now >= self.finished_at:
            return 100
        return min(99, int(100 * (now - self.created_at) / (self.finished_at - self.created_at)))
