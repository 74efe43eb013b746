"""Outages: times in which the service cannot make songs, in the ways that clients have seen."""

import threading
from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from producer_tools.sandbox.contract import Action
from producer_tools.sandbox.errors import ApiError

if TYPE_CHECKING:
    from typing_extensions import Self

OutageKind = Literal["no_capacity", "tasks_fail", "server_error", "unavailable", "retired"]


class _Effect(NamedTuple):
    """What a request gets during an outage.

    Attributes:
        code: The code of its error.
        message: The message of its error.
        status: The status of its answer; None if its task is accepted, and fails with the error when its time is over.
    """

    code: str
    message: str
    status: int | None

    def error(self) -> ApiError:
        return ApiError(self.code, self.message, self.status)


# How the service words these is known only roughly: clients must go by the status and the code.
_EFFECTS: dict[OutageKind, _Effect] = {
    "no_capacity": _Effect("api_error", "temporary capacity shortage of the model: please try again later", None),
    "tasks_fail": _Effect("api_error", "internal server error", None),
    "server_error": _Effect("api_error", "internal server error", 500),
    "unavailable": _Effect("api_error", "the service is temporarily unavailable", 503),
    "retired": _Effect("gone", "this action has been retired", 410),
}


class Outage:
    """An outage that has begun. Call `end`, or use it as a ``with`` block, to end it.

    Args:
        kind: What requests get.
        actions: The actions that it affects; empty for all.
        submits: How many requests it affects; None for all until it is ended.
    """

    def __init__(self, kind: OutageKind, actions: Collection[str], submits: int | None) -> None:
        self._effect = _EFFECTS[kind]
        self._actions = frozenset(actions)
        self._left = submits
        self._lock = threading.Lock()

    def end(self) -> None:
        """End the outage. A second call does nothing, and accepted tasks still fail."""
        with self._lock:
            self._left = 0

    def error(self, action: str | None, *, accepted: bool) -> ApiError | None:
        """The error of a request that has just arrived, which is counted; None if the outage does not affect it.

        Args:
            action: The request's action; None for an endpoint that has only one.
            accepted: Whether to ask for the error of an accepted task, and not for that of a refusal.
        """
        fits = accepted == (self._effect.status is None) and (not self._actions or action in self._actions)
        with self._lock:
            if not fits or self._left == 0:
                return None
            if self._left is not None:
                self._left -= 1
        return self._effect.error()

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class Outages:
    """The outages of one sandbox."""

    def __init__(self) -> None:
        self._outages: list[Outage] = []

    def begin(self, kind: OutageKind, actions: Collection[str], submits: int | None) -> Outage:
        """Begin an outage. Where several affect a request, the one that began first does.

        Raises:
            ValueError: There is no such kind or action, or ``submits`` is below one.
        """
        if kind not in _EFFECTS:
            raise ValueError(f"kind must be one of {', '.join(_EFFECTS)}, not {kind!r}")
        for action in actions:
            if action not in get_args(Action):
                raise ValueError(f"actions must be of {', '.join(get_args(Action))}, not {action!r}")
        if submits is not None and submits < 1:
            raise ValueError(f"submits must be one or more, not {submits}")
        outage = Outage(kind, actions, submits)
        self._outages.append(outage)
        return outage

    def check(self, action: str | None) -> None:
        """Refuse a paid request if an outage does so.

        Raises:
            ApiError: An outage refuses it.
        """
        error = self._first_error(action, accepted=False)
        if error is not None:
            raise error

    def failure(self, action: str) -> ApiError | None:
        """The error with which the task of an accepted request fails; None if no outage makes it fail."""
        return self._first_error(action, accepted=True)

    def _first_error(self, action: str | None, *, accepted: bool) -> ApiError | None:
        errors = (outage.error(action, accepted=accepted) for outage in self._outages)
        return next((error for error in errors if error is not None), None)
