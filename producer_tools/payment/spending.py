"""What one call is estimated to cost, and the budgets that it counts in."""

from collections.abc import Iterator
from contextlib import contextmanager

from producer_tools.errors import ConfigurationError, ProducerError, SubmissionUnknownError
from producer_tools.payment.budget import Budget, account_scope, budgets_now
from producer_tools.payment.entry import Entry, Limit
from producer_tools.payment.ledger import Ledger, check_limits, guarded
from producer_tools.payment.prices import Price, Prices
from producer_tools.requests import PaidRequest
from producer_tools.telemetry import logger


class Spending:
    """The estimates and budgets of one client's calls.

    Args:
        prices: the client's prices.
        budget: the client's own budget.
    """

    def __init__(self, prices: Prices, budget: Budget | None) -> None:
        self._prices = prices
        self._budget = budget

    def price(self, request: PaidRequest) -> Price:
        """What a call is estimated to cost.

        If its budgets limit nothing but the number of calls, prices that fail do not stop it: it is filed with the
        built-in price.

        Raises:
            ConfigurationError: the client's prices failed, or are not numbers of 0 or more.
        """
        try:
            return self._prices.of(request)
        except ConfigurationError as error:
            budgets = budgets_now(self._budget)
            if not budgets or any(each.needs_prices for each in budgets):
                raise
            logger.warning("The call is filed with the built-in price. %s", error.message)
            return Prices().of(request)

    def scopes(self, account: str) -> tuple[str, ...]:
        """The scopes that a call made now counts in: that of its account, and those of its lasting budgets.

        It counts in its account's even without a budget, since another process may have one.
        """
        lasting = [each.limit(account, 0.0).scope for each in budgets_now(self._budget) if each.is_lasting]
        return tuple(dict.fromkeys([account_scope(account), *lasting]))

    def limits(self, entry: Entry) -> list[Limit]:
        """What the entry of a call made now must fit into."""
        budgets = budgets_now(self._budget)
        return [each.limit(entry.account, entry.begun_at) for each in budgets if each.is_lasting]

    async def check(self, entry: Entry, ledger: Ledger) -> None:
        """Check that a call would fit into its budgets now, before work that is of no use without it.

        Nothing is counted, so the call itself may still be refused.

        Raises:
            BudgetExceededError: it would not.
            LedgerError: the ledger cannot be read.
        """
        limits = self.limits(entry)
        check_limits(entry, limits, [await guarded(ledger.spent(each.scope, each.day)) for each in limits])
        for each in budgets_now(self._budget):
            each.check(entry.usd, entry.credits)

    @contextmanager
    def counted(self, entry: Entry) -> Iterator[None]:
        """Count one call in the budgets in memory, and give it back after an error that rules out a charge.

        After any other exception, such as a cancellation or an error of the caller's own code, the call stays counted.

        Raises:
            BudgetExceededError: the call does not fit into one of the budgets; then none of them counts it.
        """
        taken: list[Budget] = []
        try:
            for each in budgets_now(self._budget):
                each.take(entry.usd, entry.credits)
                taken.append(each)
            yield
        except ProducerError as error:
            if not isinstance(error, SubmissionUnknownError):
                for each in taken:
                    each.give_back(entry.usd, entry.credits)
            raise
