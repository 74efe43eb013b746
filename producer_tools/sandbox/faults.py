"""Faults on purpose: which ones there are, and which requests they hit, planned or at random."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from random import Random
from typing import Any, Literal, NamedTuple, get_args

from producer_tools.sandbox.errors import ApiError

TASKS = "/producer/tasks"
ENDPOINTS = ("/producer/audios", "/producer/lyrics", "/producer/upload", "/producer/videos", "/producer/wav", TASKS)


class Fault(Enum):
    """A way for a request to fail. `does_work` says whether the request is carried out, and charged, nevertheless.

    A request with a wrong token or an invalid body is refused in the normal way.
    """

    RATE_LIMITED = "429 too_many_requests; no work"
    ERROR_BEFORE_WORK = "500 api_error; no work"
    ERROR_AFTER_WORK = "500 api_error; the work is done"
    GATEWAY_BEFORE_WORK = "a proxy's HTML page with status 502; no work"
    GATEWAY_AFTER_WORK = "a proxy's HTML page with status 502; the work is done"
    TIMEOUT_AFTER_WORK = "504 timeout; the work is done"
    RESET_BEFORE_WORK = "the connection is reset after the request is read; no work"
    RESET_AFTER_WORK = "the connection is reset before the first byte of the answer; the work is done"
    RESET_IN_ANSWER = "the connection is reset after half of the answer; the work is done"
    SILENCE_BEFORE_WORK = "no answer until the client gives up, or the sandbox closes; no work"
    SILENCE_AFTER_WORK = "no answer until the client gives up, or the sandbox closes; the work is done"
    CUT_OFF = "200 with the first half of the JSON and a Content-Length that fits it; the work is done"
    HTML = "200 with an HTML page; the work is done"
    EMPTY = "200 with an empty body; the work is done"
    LIST = "200 with the answer inside a JSON list; the work is done"
    OTHER_OBJECT = "200 with an unrelated JSON object; the work is done"
    HUGE = "200 with 50 MiB; the work is done"
    SLOW = "the correct answer, sent in parts over 0.2 seconds; the work is done"
    BACKWARDS = "a look-up that shows tasks in an earlier state: unfinished"

    @property
    def does_work(self) -> bool:
        """Whether the request is carried out, and charged, although its answer is faulty."""
        return self not in _WITHOUT_WORK

    def fits(self, path: str) -> bool:
        """Whether a request to ``path`` can have this fault."""
        return path == TASKS if self is Fault.BACKWARDS else path in ENDPOINTS


_WITHOUT_WORK = {
    Fault.RATE_LIMITED,
    Fault.ERROR_BEFORE_WORK,
    Fault.GATEWAY_BEFORE_WORK,
    Fault.RESET_BEFORE_WORK,
    Fault.SILENCE_BEFORE_WORK,
}


TaskIdPlace = Literal["top", "error", "data", "response"]


class Refusal(NamedTuple):
    """A planned answer with an error of the API.

    Attributes:
        error: The error.
        after_work: Whether the request is carried out, and charged, nevertheless.
        task_id_in: Where the answer names the task that was begun: at its top, or in one of its objects; None for
            nowhere.
    """

    error: ApiError
    after_work: bool = False
    task_id_in: TaskIdPlace | None = None

    def body(self, task_id: str | None) -> dict[str, Any]:
        """The answer without its trace id; ``task_id`` is that of the task that was begun."""
        body: dict[str, Any] = {"success": False, "error": self.error.body()}
        if task_id is None or self.task_id_in is None:
            return body
        named = {"task_id": task_id}
        if self.task_id_in == "top":
            return body | named
        return body | {self.task_id_in: body.get(self.task_id_in, {}) | named}


class _Planned(NamedTuple):
    fault: Fault | Refusal
    endpoint: str | None

    def fits(self, path: str) -> bool:
        possible = self.fault.fits(path) if isinstance(self.fault, Fault) else path in ENDPOINTS
        return possible and self.endpoint in {None, path}


class Faults:
    """Decides which requests fail, and how.

    Attributes:
        triggered: The faults that requests have had so far, in order.

    Args:
        rate: The share of requests, from 0 to 1, that fail at random.
        random: Source of the random faults.
    """

    def __init__(self, rate: float, random: Random) -> None:
        self.triggered: list[Fault | Refusal] = []
        self._rate = rate
        self._random = random
        self._planned: list[_Planned] = []
        self._missing: list[str] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault | Refusal, endpoint: str | None) -> None:
        """Make the next request that can have ``fault`` fail; further calls affect the requests after it.

        Args:
            fault: How it fails.
            endpoint: The path of the request; None for any.

        Raises:
            ValueError: There is no such endpoint, or no such place for a task id.
        """
        if endpoint is not None and endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint must be one of {', '.join(ENDPOINTS)}, not {endpoint!r}")
        if isinstance(fault, Refusal) and fault.task_id_in not in {None, *get_args(TaskIdPlace)}:
            places = ", ".join(get_args(TaskIdPlace))
            raise ValueError(f"task_id_in must be one of {places}, not {fault.task_id_in!r}")
        with self._lock:
            self._planned.append(_Planned(fault, endpoint))

    def next(self, path: str) -> Fault | Refusal | None:
        """The fault of the request to ``path`` that has just arrived; None for no fault."""
        with self._lock:
            fault = self._next_planned(path) or self._next_random(path)
            if fault is not None:
                self.triggered.append(fault)
            return fault

    @contextmanager
    def missing_files(self, kind: str) -> Iterator[None]:
        """Make the files of one kind missing inside the block."""
        self._missing.append(kind)
        try:
            yield
        finally:
            self._missing.remove(kind)

    def is_missing(self, kind: str) -> bool:
        """Whether the files of this kind are missing."""
        return kind in self._missing

    def _next_planned(self, path: str) -> Fault | Refusal | None:
        for at, planned in enumerate(self._planned):
            if planned.fits(path):
                return self._planned.pop(at).fault
        return None

    def _next_random(self, path: str) -> Fault | None:
        if path not in ENDPOINTS or self._random.random() >= self._rate:
            return None
        return self._random.choice([fault for fault in Fault if fault.fits(path)])
