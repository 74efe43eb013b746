"""The sandbox's memory: its tasks, its audio and its account."""

from collections import deque
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox import actions, lyrics
from producer_tools.sandbox.contract import AudioBody, AudiosBody, LyricsBody, UploadBody
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio, Lyrics, Product, Task
from producer_tools.sandbox.music import uploaded


class Charge(NamedTuple):
    """One request that was charged.

    Attributes:
        task_id: The task that the request made.
        endpoint: Its path, such as ``/producer/audios``.
        action: Its action, where the endpoint has several.
        request: The body that asked for it.
    """

    task_id: str
    endpoint: str
    action: str | None
    request: dict[str, Any]


class Studio:
    """Takes orders and remembers what becomes of them.

    Attributes:
        tasks: All tasks by id.
        audio: All audio by id.
        charges: The charged requests, in order.
        spoiled: Why the next songs fail, one each, after they have been made.

    Args:
        clock: What time it is.
        random: Where ids and seeds come from.
        render_seconds: How long a task of ``/producer/audios`` takes.
        balance: How many charged requests there are in the account; None for no end of them.
        max_unfinished: How many songs may be unfinished at once; None for no end of them.
    """

    def __init__(
        self, clock: Clock, random: Random, render_seconds: float, balance: int | None, max_unfinished: int | None
    ) -> None:
        self.tasks: dict[str, Task] = {}
        self.audio: dict[str, Audio] = {}
        self.charges: list[Charge] = []
        self.spoiled: deque[ApiError] = deque()
        self._clock = clock
        self._random = random
        self._render_seconds = render_seconds
        self._balance = balance
        self._max_unfinished = max_unfinished

    def new_trace_id(self) -> str:
        """A trace id that says where it is from."""
        return f"sandbox-{self._new_id()}"

    def check_balance(self) -> None:
        """Let a request pass that can be paid for.

        Raises:
            ApiError: ``used_up``.
        """
        if self._balance is not None and len(self.charges) >= self._balance:
            raise ApiError("used_up", f"the sandbox's balance of {self._balance} paid requests is used up")

    def find(self, audio_id: str) -> Audio:
        """The finished song or upload ``audio_id``.

        Raises:
            ApiError: ``bad_request``.
        """
        audio = self.audio.get(audio_id)
        if audio is None:
            raise ApiError("bad_request", f"there is no audio {audio_id!r} in this sandbox")
        if self._clock.now() < audio.ready_at:
            raise ApiError("bad_request", f"audio {audio_id} is not finished: what can be heard of it is a preview")
        return audio

    def audios(self, body: AudiosBody, request: dict[str, Any]) -> Task:
        """Take an order for a song or for stems; one that cannot be filled fails when its time is over.

        Raises:
            ApiError: ``too_many_requests``.
        """
        now = self._clock.now()
        self._check_unfinished(now)
        ready_at = now + self._render_seconds
        product: Product = "stems" if body.action == "stems" else "song"
        outcome: Audio | ApiError
        try:
            outcome = self.find(body.audio_id) if product == "stems" else self._make(body, now, ready_at)
        except ApiError as error:
            outcome = error
        fault = self.spoiled.popleft() if self.spoiled else None
        return self._accept(
            product, request, outcome, now, ready_at, endpoint="/producer/audios", action=body.action, fault=fault
        )

    def lyrics(self, body: LyricsBody, request: dict[str, Any]) -> Task:
        """Write words at once."""
        return self._accept_finished("lyrics", request, lyrics.write(body.prompt), "/producer/lyrics")

    def upload(self, body: UploadBody, request: dict[str, Any]) -> Task:
        """Take in outside audio at once. Nothing is fetched: a song of the sandbox's own stands in for it."""
        now = self._clock.now()
        name = unquote(urlsplit(body.audio_url).path).rpartition("/")[2] or "audio"
        audio = Audio(
            id=self._new_id(),
            song=uploaded(body.audio_url),
            title=f"Sandbox upload: {name}",
            lyric="",
            prompt="",
            model="FUZZ-2.0",
            seed=body.audio_url,
            created_at=now,
            ready_at=now,
            uploaded=True,
        )
        self.audio[audio.id] = audio
        return self._accept_finished("upload", request, audio, "/producer/upload")

    def video(self, body: AudioBody, request: dict[str, Any]) -> Task:
        """Make a video of a song at once.

        Raises:
            ApiError: ``bad_request``: there is no such song.
        """
        return self._accept_finished("video", request, self.find(body.audio_id), "/producer/videos")

    def wav(self, body: AudioBody, request: dict[str, Any]) -> Task:
        """Make a lossless file of a song at once.

        Raises:
            ApiError: ``bad_request``: there is no such song.
        """
        return self._accept_finished("wav", request, self.find(body.audio_id), "/producer/wav")

    def _check_unfinished(self, now: float) -> None:
        if self._max_unfinished is None:
            return
        if sum(task.finished_at > now for task in self.tasks.values()) >= self._max_unfinished:
            raise ApiError("too_many_requests", f"{self._max_unfinished} songs of this token are unfinished")

    def _make(self, body: AudiosBody, now: float, ready_at: float) -> Audio:
        source = None if body.action == "generate" else self.find(body.audio_id)
        seed = body.seed or str(self._random.getrandbits(31))
        work = actions.edit(body, source, seed) if source else actions.generate(body, seed)
        audio = Audio(
            id=self._new_id(),
            song=work.song,
            title=work.title,
            lyric=work.lyric,
            prompt=work.prompt,
            model=body.model,
            seed=seed,
            created_at=now,
            ready_at=ready_at,
        )
        self.audio[audio.id] = audio
        return audio

    def _accept_finished(
        self, product: Product, request: dict[str, Any], outcome: Audio | Lyrics, endpoint: str
    ) -> Task:
        now = self._clock.now()
        return self._accept(product, request, outcome, now, now, endpoint=endpoint, action=None)

    def _accept(
        self,
        product: Product,
        request: dict[str, Any],
        outcome: Audio | Lyrics | ApiError,
        created_at: float,
        finished_at: float,
        *,
        endpoint: str,
        action: str | None,
        fault: ApiError | None = None,
    ) -> Task:
        task = Task(self._new_id(), self.new_trace_id(), product, request, created_at, finished_at, outcome, fault)
        self.tasks[task.id] = task
        if task.error is None:
            self.charges.append(Charge(task.id, endpoint, action, request))
        return task

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
