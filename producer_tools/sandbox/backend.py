"""The service behind the endpoints: its tasks, its audio and its account, all in memory."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

from anyio import CancelScope

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox import actions, lyrics
from producer_tools.sandbox.contract import AudioBody, AudiosBody, LyricsBody, UploadBody
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio, Lyrics, Product, StoredTask
from producer_tools.sandbox.music import uploaded
from producer_tools.sandbox.music.encoding import check_installed
from producer_tools.sandbox.users import User


class Charge(NamedTuple):
    """One request that was charged.

    Attributes:
        task_id: The task that the request created.
        endpoint: Its path, such as ``/producer/audios``.
        action: Its action; None for endpoints that have only one.
        request: The body of the request.
        user_id: The account that paid.
    """

    task_id: str
    endpoint: str
    action: str | None
    request: dict[str, Any]
    user_id: str


class ReceivedRequest(NamedTuple):
    """One request that reached an endpoint with the right token and a JSON object as its body.

    Attributes:
        endpoint: Its path, such as ``/producer/tasks``.
        body: Its body, as received.
        received_at: Unix seconds by the sandbox's clock.
        user_id: The account whose token it had.
    """

    endpoint: str
    body: dict[str, Any]
    received_at: float
    user_id: str


class Backend:
    """Accepts requests and stores what they make.

    Use it only in the thread of the server's event loop while the server runs.

    Attributes:
        render_seconds: How long new tasks of ``/producer/audios`` take.
        tasks: All tasks by id.
        audio: All audio by id.
        charges: The charged requests, in order.
        requests: The requests received, in order.
        partial_failures: Errors for the next songs: each makes one song's task fail after the song is made.

    Args:
        clock: The current time, and how to wait.
        random: Source of ids and seeds.
        render_seconds: How long tasks of ``/producer/audios`` take.
        balance: How many charged requests each account can pay for; None for no limit.
        max_unfinished: How many songs of an account may be unfinished at once; None for no limit.
    """

    def __init__(
        self, clock: Clock, random: Random, render_seconds: float, balance: int | None, max_unfinished: int | None
    ) -> None:
        self.render_seconds = render_seconds
        self.tasks: dict[str, StoredTask] = {}
        self.audio: dict[str, Audio] = {}
        self.charges: list[Charge] = []
        self.requests: list[ReceivedRequest] = []
        self.partial_failures: deque[ApiError] = deque()
        self._clock = clock
        self._random = random
        self._balance = balance
        self._max_unfinished = max_unfinished
        self._waits: set[CancelScope] = set()

    def new_trace_id(self) -> str:
        """A new trace id, recognisable as the sandbox's."""
        return f"sandbox-{self._new_id()}"

    def log_request(self, endpoint: str, body: dict[str, Any], user: User) -> None:
        """Add a request to `requests`."""
        self.requests.append(ReceivedRequest(endpoint, body, self._clock.now(), user.user_id))

    def check_balance(self, user: User) -> None:
        """Check that the account can pay for one more request.

        Raises:
            ApiError: ``used_up``.
        """
        if self._balance is None:
            return
        if sum(charge.user_id == user.user_id for charge in self.charges) >= self._balance:
            raise ApiError("used_up", f"the sandbox's balance of {self._balance} paid requests is used up")

    def find(self, audio_id: str, user: User) -> Audio:
        """The finished song or upload ``audio_id`` of an account.

        Raises:
            ApiError: ``bad_request``: it does not exist, is another account's, or is not finished.
        """
        audio = self.audio.get(audio_id)
        if audio is None or audio.owner != user:
            raise ApiError("bad_request", f"there is no audio {audio_id!r} in this sandbox")
        if self._clock.now() < audio.ready_at:
            raise ApiError("bad_request", f"audio {audio_id} is not finished: what can be heard of it is a preview")
        return audio

    def check_unfinished(self, user: User) -> None:
        """Check that the account may have one more unfinished song.

        Raises:
            ApiError: ``too_many_requests``.
        """
        if self._max_unfinished is None:
            return
        now = self._clock.now()
        if sum(task.owner == user and task.finished_at > now for task in self.tasks.values()) >= self._max_unfinished:
            raise ApiError("too_many_requests", f"{self._max_unfinished} songs of this token are unfinished")

    def find_tasks(self, task_ids: Iterable[str], user: User) -> list[StoredTask]:
        """The tasks of an account with these ids, each once; unknown ids and those of other accounts are left out."""
        tasks = (self.tasks.get(task_id) for task_id in dict.fromkeys(task_ids))
        return [task for task in tasks if task is not None and task.owner == user]

    def audios(self, body: AudiosBody, request: dict[str, Any], user: User, outage: ApiError | None) -> StoredTask:
        """Start a task for a song or for stems. An impossible one is accepted too, and fails when its time is over.

        Args:
            body: What to make.
            request: The body as it was received.
            user: The account that sent it.
            outage: The error with which the task fails because the service is down; None if it is not.
        """
        now = self._clock.now()
        ready_at = now + self.render_seconds
        product: Product = "stems" if body.action == "stems" else "song"
        outcome: Audio | ApiError
        try:
            outcome = outage or (
                self.find(body.audio_id, user) if product == "stems" else self._make(body, user, now, ready_at)
            )
        except ApiError as error:
            outcome = error
        failure = self.partial_failures.popleft() if self.partial_failures and outage is None else None
        return self._accept(
            product,
            request,
            outcome,
            user,
            created_at=now,
            finished_at=ready_at,
            endpoint="/producer/audios",
            action=body.action,
            partial_failure=failure,
        )

    def lyrics(self, body: LyricsBody, request: dict[str, Any], user: User) -> StoredTask:
        """Write lyrics at once."""
        return self._accept_finished("lyrics", request, lyrics.write(body.prompt), user, "/producer/lyrics")

    def upload(self, body: UploadBody, request: dict[str, Any], user: User, seed: str) -> StoredTask:
        """Import outside audio at once. Nothing is fetched: a song that depends on ``seed`` takes its place."""
        now = self._clock.now()
        name = unquote(urlsplit(body.audio_url).path).rpartition("/")[2] or "audio"
        audio = Audio(
            id=self._new_id(),
            song=uploaded(seed),
            title=f"Sandbox upload: {name}",
            lyric="",
            prompt="",
            model="FUZZ-2.0",
            seed=seed,
            created_at=now,
            ready_at=now,
            owner=user,
            uploaded=True,
        )
        self.audio[audio.id] = audio
        return self._accept_finished("upload", request, audio, user, "/producer/upload")

    def video(self, body: AudioBody, request: dict[str, Any], user: User) -> StoredTask:
        """Make a video of a song at once.

        Raises:
            ApiError: ``bad_request``: there is no such song. ``api_not_implemented``: the extra ``sound`` is not
                installed.
        """
        audio = self.find(body.audio_id, user)
        try:
            check_installed("a video")
        except ImportError as missing:
            raise ApiError("api_not_implemented", f"in the sandbox, {missing}") from None
        return self._accept_finished("video", request, audio, user, "/producer/videos")

    def wav(self, body: AudioBody, request: dict[str, Any], user: User) -> StoredTask:
        """Make a lossless file of a song at once.

        Raises:
            ApiError: ``bad_request``: there is no such song.
        """
        return self._accept_finished("wav", request, self.find(body.audio_id, user), user, "/producer/wav")

    def finish_now(self) -> None:
        """Move the end of every unfinished task to the present, and wake everything that waits for one."""
        now = self._clock.now()
        for task in list(self.tasks.values()):
            if task.finished_at > now:
                self._finish(task, now)
        for wait in list(self._waits):
            wait.cancel()

    async def wait_until_finished(self, task: StoredTask) -> None:
        """Return when ``task`` is finished, by the clock or by `finish_now`."""
        with CancelScope() as wait:
            self._waits.add(wait)
            try:
                await self._clock.sleep(task.finished_at - self._clock.now())
            finally:
                self._waits.discard(wait)

    def _finish(self, task: StoredTask, now: float) -> None:
        outcome = task.outcome
        if isinstance(outcome, Audio) and outcome.ready_at > now:
            outcome = self.audio[outcome.id] = replace(outcome, ready_at=now)
        self.tasks[task.id] = replace(task, finished_at=now, outcome=outcome)

    def _make(self, body: AudiosBody, user: User, now: float, ready_at: float) -> Audio:
        source = None if body.action == "generate" else self.find(body.audio_id, user)
        seed = body.seed or str(self._random.getrandbits(31))
        draft = actions.edit(body, source, seed) if source else actions.generate(body, seed)
        audio = Audio(
            id=self._new_id(),
            song=draft.song,
            title=draft.title,
            lyric=draft.lyric,
            prompt=draft.prompt,
            model=body.model,
            seed=seed,
            created_at=now,
            ready_at=ready_at,
            owner=user,
        )
        self.audio[audio.id] = audio
        return audio

    def _accept_finished(
        self, product: Product, request: dict[str, Any], outcome: Audio | Lyrics, user: User, endpoint: str
    ) -> StoredTask:
        now = self._clock.now()
        return self._accept(
            product, request, outcome, user, created_at=now, finished_at=now, endpoint=endpoint, action=None
        )

    def _accept(
        self,
        product: Product,
        request: dict[str, Any],
        outcome: Audio | Lyrics | ApiError,
        user: User,
        *,
        created_at: float,
        finished_at: float,
        endpoint: str,
        action: str | None,
        partial_failure: ApiError | None = None,
    ) -> StoredTask:
        task = StoredTask(
            self._new_id(),
            user,
            self.new_trace_id(),
            product,
            request,
            created_at,
            finished_at,
            outcome,
            partial_failure,
        )
        self.tasks[task.id] = task
        if task.error is None:
            self.charges.append(Charge(task.id, endpoint, action, request, user.user_id))
        return task

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
