"""What was seen of one endpoint of the service: failures in a row, and whether paid calls stop because of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from typing_extensions import Self

from producer_tools.errors.base import shorten

RUN_SECONDS = 600.0
"""Failures count together if they happen within this time."""

PAUSE_SECONDS = 60.0
"""How long paid calls fail fast before one of them tries the service again."""

TRIAL_SECONDS = 600.0
"""How long a trial call may take. A task that has not ended after ten minutes is stuck (docs)."""

_FORGOTTEN_SECONDS = 3600.0
_CLOCK_DIFFERENCE = 60.0
_MOST_KEPT = 100
_LONGEST_WORDS = 120


@dataclass(frozen=True)
class Failure:
    """A submit or a task at which the service failed.

    Attributes:
        at: Unix seconds.
        words: the code and the message, in short.
        unknown_key: if the outcome of a submit is unknown, the key that the ledger has for it; else empty.
        account: the hash of the API token of that submit; empty for a task.
    """

    at: float
    words: str
    unknown_key: str = ""
    account: str = ""


@dataclass(frozen=True)
class ServiceState:
    """What was seen of an endpoint since its last success.

    Attributes:
        failures: the failures, oldest first; the newest ones if there are many.
        since: when the first of them happened; 0 if there is none (Unix seconds).
        retry_at: when the next trial may start; 0 if the service does not count as down.
        trial: the id of the call or task that tries the service now; empty if none does.
        trial_until: when that trial is given up.
        changed_at: when any of this was changed.
    """

    failures: tuple[Failure, ...] = ()
    since: float = 0.0
    retry_at: float = 0.0
    trial: str = ""
    trial_until: float = 0.0
    changed_at: float = 0.0

    @property
    def is_down(self) -> bool:
        """Whether paid calls fail at once, except for a trial."""
        return self.retry_at > 0

    def at(self, now: float) -> Self:
        """The state without what is too old to count."""
        oldest = now - (_FORGOTTEN_SECONDS if self.is_down else RUN_SECONDS)
        if not self.failures or self.failures[-1].at < oldest:
            return type(self)(changed_at=self.changed_at)
        trial = self.trial if now < self.trial_until else ""
        if self.is_down:
            return replace(self, trial=trial)
        recent = tuple(failure for failure in self.failures if failure.at >= oldest)
        return replace(self, failures=recent, since=recent[0].at, trial=trial)

    def failed(self, failure: Failure, names: frozenset[str], now: float, limit: int) -> Self:
        """The state after one more failure.

        Args:
            failure: what happened.
            names: the ids of the call and of the task that failed.
            now: Unix seconds.
            limit: how many failures in a row mean that the service is down.
        """
        before = self.at(now)
        failures = tuple(sorted((*before.failures, failure), key=lambda each: each.at))[-max(limit, _MOST_KEPT) :]
        another_tries = before.trial and before.trial not in names
        is_down = before.is_down or len(failures) >= limit
        return replace(
            before,
            failures=failures,
            since=min(before.since or failure.at, failure.at),
            retry_at=now + PAUSE_SECONDS if is_down and not another_tries else before.retry_at,
            trial=before.trial if another_tries else "",
        )

    def recovered(self, at: float) -> Self:
        """The state after a success at this time. What failed later still counts."""
        later = tuple(failure for failure in self.failures if failure.at > at)
        return replace(self, failures=later, since=later[0].at) if later else type(self)(changed_at=self.changed_at)

    def lets_a_call_pass(self, now: float) -> bool:
        """Whether a paid call may be sent: the service is not down, or a trial is due."""
        state = self.at(now)
        return not state.is_down or (not state.trial and now >= state.retry_at)

    def with_trial(self, call: str, now: float) -> Self:
        """The state in which this call tries the service, if it is down and a trial is due."""
        state = self.at(now)
        if not state.is_down or not state.lets_a_call_pass(now):
            return state
        return replace(state, trial=call, trial_until=now + TRIAL_SECONDS)

    def with_task(self, call: str, task_id: str) -> Self:
        """The state after the trial call was accepted: its task decides."""
        return replace(self, trial=task_id) if self.trial == call else self

    def without_trial(self, names: frozenset[str]) -> Self:
        """The state after a trial that decided nothing: the next call is another trial."""
        return replace(self, trial="") if self.trial in names else self

    def to_note(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {**asdict(self), "failures": [asdict(failure) for failure in self.failures]}

    @classmethod
    def from_note(cls, note: Mapping[str, Any], now: float) -> Self:
        """The state that `to_note` wrote, perhaps on a machine whose clock differs by up to a minute.

        Raises:
            ValueError, TypeError, KeyError: it is damaged. A time far in the future would stop paid calls for ever.
        """
        latest = now + _CLOCK_DIFFERENCE + TRIAL_SECONDS
        failures = [
            Failure(
                _time(each["at"], latest), in_short(str(each["words"])), str(each["unknown_key"]), str(each["account"])
            )
            for each in note["failures"][-_MOST_KEPT:]
        ]
        return cls(
            tuple(sorted(failures, key=lambda each: each.at)),
            _time(note["since"], latest),
            _time(note["retry_at"], latest),
            str(note["trial"]),
            _time(note["trial_until"], latest),
            _time(note["changed_at"], latest),
        )


def in_short(words: str) -> str:
    """Words of the service, at most 120 characters."""
    line = shorten(words)
    return line if len(line) <= _LONGEST_WORDS else line[: _LONGEST_WORDS - 1] + "…"


def _time(value: Any, latest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= latest:
        raise ValueError("this is not a time")
    return float(value)
