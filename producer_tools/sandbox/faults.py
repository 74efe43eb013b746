"""What goes wrong on purpose: which faults there are, and which request meets which, scripted or by chance."""

import threading
from enum import Enum
from random import Random
from typing import NamedTuple

from producer_tools.sandbox.errors import ApiError

TASKS = "/producer/tasks"
ENDPOINTS = ("/producer/audios", "/producer/lyrics", "/producer/upload", "/producer/videos", "/producer/wav", TASKS)


class Fault(Enum):
    """A way for a request to go wrong. `does_work` says whether what it asks for is done, and charged, all the same.

    A request that is refused anyway, for a wrong token or a wrong body, is refused as ever.
    """

    RATE_LIMITED = "429 too_many_requests; no work"
    ERROR_BEFORE_WORK = "500 api_error; no work"
    ERROR_AFTER_WORK = "500 api_error; the work is done"
    GATEWAY_BEFORE_WORK = "a proxy's 502 page in HTML; no work"
    GATEWAY_AFTER_WORK = "a proxy's 502 page in HTML; the work is done"
    TIMEOUT_AFTER_WORK = "504 timeout; the work is done"
    RESET_BEFORE_WORK = "the connection is reset once the request is read; no work"
    RESET_AFTER_WORK = "the connection is reset before a byte of the answer; the work is done"
    RESET_IN_ANSWER = "the connection is reset after half of the answer; the work is done"
    SILENCE_BEFORE_WORK = "no answer until the client gives up, or the sandbox closes; no work"
    SILENCE_AFTER_WORK = "no answer until the client gives up, or the sandbox closes; the work is done"
    CUT_OFF = "200 with half of the JSON, and no more announced; the work is done"
    HTML = "200 with a page in HTML; the work is done"
    EMPTY = "200 with nothing; the work is done"
    LIST = "200 with the answer in a JSON list; the work is done"
    OTHER_OBJECT = "200 with a JSON object of something else; the work is done"
    HUGE = "200 with 50 MiB; the work is done"
    SLOW = "the true answer, in drips over 0.2 seconds; the work is done"
    BACKWARDS = "a look-up that shows tasks as they were earlier: unfinished"

    @property
    def does_work(self) -> bool:
        """Whether the work is done, and charged, although the answer goes wrong."""
        return self not in _WITHOUT_WORK

    def fits(self, path: str) -> bool:
        """Whether a request to ``path`` can go wrong so."""
        return path == TASKS if self is Fault.BACKWARDS else path in ENDPOINTS


_WITHOUT_WORK = {
    Fault.RATE_LIMITED,
    Fault.ERROR_BEFORE_WORK,
    Fault.GATEWAY_BEFORE_WORK,
    Fault.RESET_BEFORE_WORK,
    Fault.SILENCE_BEFORE_WORK,
}


class _Planned(NamedTuple):
    fault: Fault | ApiError
    endpoint: str | None

    def fits(self, path: str) -> bool:
        possible = self.fault.fits(path) if isinstance(self.fault, Fault) else path in ENDPOINTS
        return possible and self.endpoint in {None, path}


class Faults:
    """Decides which request goes wrong, and how.

    Attributes:
        happened: What has gone wrong so far, in order.

    Args:
        rate: The share of requests, from 0 to 1, that go wrong by chance.
        random: Where the chance comes from.
    """

    def __init__(self, rate: float, random: Random) -> None:
        self.happened: list[Fault | ApiError] = []
        self._rate = rate
        self._random = random
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault | ApiError, endpoint: str | None) -> None:
        """Let the next request that ``fault`` fits go wrong; each further call the one after.

        Args:
            fault: How; an `ApiError` for a refusal before anything is done.
            endpoint: Its path; None for any.

        Raises:
            ValueError: There is no such endpoint.
        """
        if endpoint is not None and endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint must be one of {', '.join(ENDPOINTS)}, not {endpoint!r}")
        with self._lock:
            self._planned.append(_Planned(fault, endpoint))

    def next(self, path: str) -> Fault | ApiError | None:
        """What goes wrong with the request to ``path`` that has just come in."""
        with self._lock:
            fault = self._scripted(path) or self._by_chance(path)
            if fault is not None:
                self.happened.append(fault)
            return fault

    def _scripted(self, path: str) -> Fault | ApiError | None:
        for at, planned in enumerate(self._planned):
            if planned.fits(path):
                return self._planned.pop(at).fault
        return None

    def _by_chance(self, path: str) -> Fault | None:
        if path not in ENDPOINTS or self._random.random() >= self._rate:
            return None
        return self._random.choice([fault for fault in Fault if fault.fits(path)])
