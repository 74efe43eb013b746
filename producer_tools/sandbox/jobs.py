"""Tasks and the audio they make: what is remembered of them, and how far they are at a moment."""

from dataclasses import dataclass
from typing import Any, Literal

from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.music import Song

Product = Literal["song", "stems", "lyrics", "upload", "video", "wav"]
State = Literal["pending", "processing", "complete", "failed"]

# The share of a task's time before the work on it starts.
_WAITING = 0.25


@dataclass(frozen=True, slots=True)
class Audio:
    """A song, or an upload, that other requests can name by its id.

    Attributes:
        id: The audio id.
        song: The music; files are rendered from it when somebody asks for one.
        title: As the caller gave it, else made up.
        lyric: What is sung.
        prompt: What was asked to be heard.
        model: The model that was asked for.
        seed: The seed it was made with.
        created_at: Unix seconds.
        ready_at: Unix seconds; before that there is a preview only.
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
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class Lyrics:
    """Words for a song."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """One submitted request and, known from the start, what becomes of it.

    Nothing runs while a task is unfinished: its state follows from the clock when somebody looks.

    Attributes:
        id: The task id.
        trace_id: The trace id of the submit.
        product: What the task makes.
        request: The body as it was received.
        created_at: Unix seconds.
        finished_at: Unix seconds, at which the outcome shows.
        outcome: What it makes, or why it fails.
        fault: Why it fails although it has made something: it fails in part.
    """

    id: str
    trace_id: str
    product: Product
    request: dict[str, Any]
    created_at: float
    finished_at: float
    outcome: Audio | Lyrics | ApiError
    fault: ApiError | None = None

    @property
    def error(self) -> ApiError | None:
        """Why it fails, if it does."""
        return self.outcome if isinstance(self.outcome, ApiError) else self.fault

    @property
    def started_at(self) -> float:
        """Unix seconds at which the work starts."""
        return self.created_at + _WAITING * (self.finished_at - self.created_at)

    def state(self, now: float) -> State:
        """The state at ``now`` (Unix seconds)."""
        if now >= self.finished_at:
            return "failed" if self.error else "complete"
        return "processing" if now >= self.started_at else "pending"

    def progress(self, now: float) -> int:
        """How much of its time has passed at ``now``, in percent; 100 only when it is finished."""
        if now >= self.finished_at:
            return 100
        return min(99, int(100 * (now - self.created_at) / (self.finished_at - self.created_at)))
