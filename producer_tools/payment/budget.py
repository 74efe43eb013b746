"""Budgets: how many paid calls, and how many US dollars, a client or a run may spend."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn

from producer_tools.errors import BudgetExceededError, ConfigurationError, ProducerError, SubmissionUnknownError


@dataclass
class Budget:
    """A spending limit. Threads and event loops may share it.

    A call is counted before it is sent. The count is undone if the service did no work. A call with an unknown outcome
    stays counted.

    Attributes:
        max_calls: the most paid calls; ``None`` for no limit.
        max_usd: the most US dollars, by the estimates of `producer_tools.estimate`; ``None`` for no limit.
        calls: paid calls so far.
        usd: US dollars so far, by the same estimates.
    """

    max_calls: int | None = None
    max_usd: float | Decimal | None = None
    calls: int = field(default=0, init=False)
    usd: Decimal = field(default=Decimal(0), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def take(self, usd: Decimal) -> None:
        """Count one call.

        Args:
            usd: the estimated cost in US dollars.

        Raises:
            BudgetExceededError: it does not fit into the budget; nothing is counted.
        """
        with self._lock:
            calls, spent = self.calls + 1, self.usd + usd
            too_many = self.max_calls is not None and calls > self.max_calls
            too_much = self.max_usd is not None and spent > Decimal(str(self.max_usd))
            if too_many or too_much:
                raise BudgetExceededError(
                    "budget_exceeded",
                    f"This call (about {usd:.3f} USD) does not fit into the budget: spent {self._spent()}; "
                    f"left {self._left()}.",
                )
            self.calls, self.usd = calls, spent

    def give_back(self, usd: Decimal) -> None:
        """Undo `take` for a call for which the service did no work."""
        with self._lock:
            self.calls -= 1
            self.usd -= usd

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "configuration",
            "A Budget that counts in memory cannot be pickled or copied: its copy would allow the same spending again. "
            "Make the budget in the worker.",
        )

    def _spent(self) -> str:
        return f"{self.calls} calls, about {self.usd:.3f} USD"

    def _left(self) -> str:
        left = [] if self.max_calls is None else [f"{self.max_calls - self.calls} calls"]
        if self.max_usd is not None:
            left.append(f"about {Decimal(str(self.max_usd)) - self.usd:.3f} USD")
        return ", ".join(left)


_of_runs: ContextVar[tuple[Budget, ...]] = ContextVar("producer_tools_budgets", default=())


@contextmanager
def budget(max_calls: int | None = None, max_usd: float | Decimal | None = None) -> Iterator[Budget]:
    """Limit what all calls inside the block spend together, such as one run of an agent.

    The limit also holds in tasks started inside the block and in sync calls. The client's own budget and those of
    surrounding blocks hold as well.

    Args:
        max_calls: the most paid calls.
        max_usd: the most US dollars, by the estimates of `producer_tools.estimate`.
    """
    own = Budget(max_calls, max_usd)
    reset = _of_runs.set((*_of_runs.get(), own))
    try:
        yield own
    finally:
        _of_runs.reset(reset)


@contextmanager
def counted(usd: Decimal, of_client: Budget | None) -> Iterator[None]:
    """Count one call in every budget that applies, and give it back after an error that rules out a charge.

    After any other exception, such as a cancellation or an error of the caller's own code, the call stays counted.

    Args:
        usd: the estimated cost in US dollars.
        of_client: the client's own budget.

    Raises:
        BudgetExceededError: the call does not fit into one of the budgets; then none of them counts it.
    """
    taken: list[Budget] = []
    try:
        for each in (*_of_runs.get(), *([of_client] if of_client else [])):
            each.take(usd)
            taken.append(each)
        yield
    except ProducerError as error:
        if not isinstance(error, SubmissionUnknownError):
            for each in taken:
                each.give_back(usd)
        raise
