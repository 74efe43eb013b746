"""Budgets: how many paid calls, and how many estimated US dollars or credits, may be spent."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any, Literal, get_args, overload

from typing_extensions import Self

from producer_tools.concurrency.shared_state import shared_state
from producer_tools.errors import BudgetExceededError, ConfigurationError
from producer_tools.payment.entry import Limit, Spent, day_of
from producer_tools.payment.prices import Amount

Period = Literal["day"]

_of_blocks: ContextVar[tuple["Budget", ...]] = ContextVar("producer_tools_budgets", default=())


@dataclass
class Budget:
    """A spending limit: for a client, or for everything inside ``with budget:``.

    Without ``per`` and ``scope`` it counts in memory, for one run. Threads, event loops and blocks may share it.

    With ``per`` or ``scope`` it is a lasting budget. It counts in the ledger, so it holds over restarts, and for all
    processes and machines that share the ledger. The client's ledger must last too: the default one is in memory.

    A call is counted before it is sent. The count is undone if the service did no work. A call with an unknown outcome
    stays counted, and so does a task that fails.

    Attributes:
        max_calls: the most paid calls; ``None`` for no limit.
        max_usd: the most US dollars, by the client's estimates; ``None`` for no limit.
        max_credits: the most credits, by the client's estimates; ``None`` for no limit.
        per: ``day``: the limit is that of each day (UTC). ``None``: of all time.
        scope: a name for what the limit is about, such as ``user 42``: all budgets of this name count the same calls.
            With ``per`` and no scope it is the account: all calls with the same API token.
        calls: paid calls that this object has counted. If the budget is lasting, the ledger also counts the calls of
            other objects and processes.
        usd: the same in US dollars, estimated.
        credits: the same in credits, estimated.

    Raises:
        ConfigurationError: a limit is not valid.
    """

    max_calls: int | None = None
    max_usd: Amount | None = None
    max_credits: Amount | None = None
    per: Period | None = field(default=None, kw_only=True)
    scope: str | None = field(default=None, kw_only=True)
    calls: int = field(default=0, init=False)
    usd: Decimal = field(default=Decimal(0), init=False)
    credits: Decimal = field(default=Decimal(0), init=False)

    def __post_init__(self) -> None:
        if isinstance(self.max_calls, bool) or not isinstance(self.max_calls, int | None):
            raise _invalid("max_calls must be a whole number", self.max_calls)
        for name in ("max_calls", "max_usd", "max_credits"):
            if (limit := getattr(self, name)) is not None and not _is_amount(limit):
                raise _invalid(f"{name} must be a number of 0 or more", limit)
        if self.per not in (None, *get_args(Period)):
            raise _invalid("per must be 'day' or None", self.per)
        if self.scope is not None and (not isinstance(self.scope, str) or not self.scope.strip()):
            raise _invalid("scope must be a name", self.scope)

    @property
    def is_lasting(self) -> bool:
        """Whether it counts in the ledger."""
        return self.per is not None or self.scope is not None

    @property
    def needs_prices(self) -> bool:
        """Whether it limits more than the number of calls."""
        return self.max_usd is not None or self.max_credits is not None

    def limit(self, account: str, now: float) -> Limit:
        """The limit that the ledger checks.

        Args:
            account: the hash of the API token.
            now: when the call is made, Unix seconds.
        """
        return Limit(
            scope=account_scope(account) if self.scope is None else self.scope,
            day=None if self.per is None else day_of(now),
            max_calls=self.max_calls,
            max_usd=_decimal(self.max_usd),
            max_credits=_decimal(self.max_credits),
        )

    def check(self, usd: str, in_credits: str) -> Spent:
        """What is spent after one more call. Nothing is counted.

        Args:
            usd: the estimated cost in US dollars.
            in_credits: the same in credits.

        Raises:
            BudgetExceededError: it does not fit into the budget. A lasting budget is checked by the ledger instead.
        """
        with shared_state:
            spent = Spent(self.calls, self.usd, self.credits).plus(usd, in_credits)
            if not self.is_lasting and spent.exceeds(self.limit("", 0.0)):
                raise BudgetExceededError(
                    "budget_exceeded",
                    f"This call (an estimated {Decimal(usd):.3f} USD) does not fit into the budget: spent "
                    f"{self.calls} calls, an estimated {self.usd:.3f} USD; left {self._left()}.",
                )
            return spent

    def take(self, usd: str, in_credits: str) -> None:
        """Count one call, whose cost is given as in `check`.

        Raises:
            BudgetExceededError: it does not fit into the budget; nothing is counted.
        """
        with shared_state:
            self.calls, self.usd, self.credits = self.check(usd, in_credits)

    def give_back(self, usd: str, in_credits: str) -> None:
        """Undo `take` for a call for which the service did no work."""
        with shared_state:
            self.calls -= 1
            self.usd -= Decimal(usd)
            self.credits -= Decimal(in_credits)

    def _left(self) -> str:
        left = [] if self.max_calls is None else [f"{self.max_calls - self.calls} calls"]
        if (usd := _decimal(self.max_usd)) is not None:
            left.append(f"an estimated {usd - self.usd:.3f} USD")
        if (in_credits := _decimal(self.max_credits)) is not None:
            left.append(f"an estimated {in_credits - self.credits:.3f} credits")
        return ", ".join(left)

    def __enter__(self) -> Self:
        _of_blocks.set((*_of_blocks.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not with the variable's token: several tasks and threads may be inside blocks of one budget.
        budgets = list(_of_blocks.get())
        places = [place for place, each in enumerate(budgets) if each is self]
        if places:
            del budgets[places[-1]]
        _of_blocks.set(tuple(budgets))

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_lasting:
            raise ConfigurationError(
                "configuration",
                "A Budget that counts in memory cannot be pickled or copied: its copy would allow the same spending "
                "again. Make the budget in the worker, or use one that counts in the ledger, such as "
                'Budget(max_usd=1, scope="user 42").',
            )
        return _restored, (self.max_calls, self.max_usd, self.max_credits, self.per, self.scope)


@overload
def budget(shared: Budget, /) -> Budget: ...


@overload
def budget(
    max_calls: int | None = None,
    max_usd: Amount | None = None,
    max_credits: Amount | None = None,
    *,
    per: Period | None = None,
    scope: str | None = None,
) -> Budget: ...


def budget(
    max_calls: int | Budget | None = None,
    max_usd: Amount | None = None,
    max_credits: Amount | None = None,
    *,
    per: Period | None = None,
    scope: str | None = None,
) -> Budget:
    """Limit what all calls inside a ``with`` block spend together, such as one run of an agent.

    The limit also holds in tasks started inside the block and in sync calls. The client's own budget and those of
    surrounding blocks hold as well.

    A budget that is made for a block is for one run: the next run has a new one. For what a user may spend in all or
    per day, give it a ``scope`` or a ``per``.

    Args:
        max_calls: the most paid calls; or a `Budget`, which several blocks then share.
        max_usd: the most US dollars, by the client's estimates.
        max_credits: the most credits, by the client's estimates.
        per: see `Budget`.
        scope: see `Budget`.

    Returns:
        The budget, whose ``with`` block it limits.

    Raises:
        ConfigurationError: a limit is not valid.
    """
    if not isinstance(max_calls, Budget):
        return Budget(max_calls, max_usd, max_credits, per=per, scope=scope)
    if (max_usd, max_credits, per, scope) != (None, None, None, None):
        raise ConfigurationError("configuration", "Give budget() either a Budget, or the limits of a new one.")
    return max_calls


def budgets_now(of_client: Budget | None) -> list[Budget]:
    """Every budget that a call made now must fit into, each once.

    Args:
        of_client: the client's own budget.
    """
    found: dict[int, Budget] = {id(each): each for each in (*_of_blocks.get(), of_client) if each is not None}
    return list(found.values())


def account_scope(account: str) -> str:
    """The scope of all calls of an account.

    Args:
        account: the hash of the API token.
    """
    return f"account {account}"


def _restored(*limits: Any) -> Budget:
    max_calls, max_usd, max_credits, per, scope = limits
    return Budget(max_calls, max_usd, max_credits, per=per, scope=scope)


def _decimal(limit: Amount | None) -> Decimal | None:
    return None if limit is None else Decimal(str(limit))


def _is_amount(limit: object) -> bool:
    try:
        amount = Decimal(str(limit))
    except InvalidOperation:
        return False
    return not amount.is_nan() and amount >= 0


def _invalid(rule: str, value: object) -> ConfigurationError:
    return ConfigurationError("configuration", f"A budget's {rule}; it is {value!r}.")
