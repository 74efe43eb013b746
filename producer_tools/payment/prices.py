"""What paid calls are estimated to cost: by the caller's own prices, those that the platform lists, or old ones."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from producer_tools.errors import ConfigurationError
from producer_tools.requests import LYRICS, UPLOAD, MusicRequest, Request

Amount: TypeAlias = Decimal | float | str
"""A number of US dollars or credits."""

USD_PER_CREDIT = Decimal("0.095")
"""The price of a credit in common packages; each package has its own (faq)."""

_Unit = Literal["usd", "credits"]


class Price(NamedTuple):
    """What a call is estimated to cost.

    Attributes:
        usd: US dollars.
        credits: the same in credits.
        source: where the estimate comes from, in words.
    """

    usd: Decimal = Decimal(0)
    credits: Decimal = Decimal(0)
    source: str = ""


@dataclass(frozen=True)
class PriceTable:
    """A table of prices.

    It is checked when a price is looked up: an unknown action, or a price that is no number of 0 or more, is a
    `ConfigurationError`, and the call is not sent.

    Attributes:
        prices: the price by action (``generate``, ``upload_cover``) or by endpoint (``/producer/lyrics``). A call that
            is not in it has the built-in price. It is checked and copied when it is first used.
        unit: ``usd`` or ``credits``.
        usd_per_credit: what one credit costs in the account's package.
        date: when these prices held.
        source: where they come from, in words.
    """

    prices: Mapping[str, Amount]
    unit: _Unit = "usd"
    usd_per_credit: Amount = USD_PER_CREDIT
    date: str = ""
    source: str = "the application's own prices"

    def of(self, request: Request) -> Price | None:
        """The price of a request; ``None`` if it is not in the table.

        Raises:
            ConfigurationError: the table is not valid.
        """
        prices = self._checked_prices
        return next((self._price(name) for name in _names(request) if name in prices), None)

    def highest(self) -> Price:
        """The highest price in the table.

        Raises:
            ConfigurationError: the table is not valid.
        """
        return max(map(self._price, self._checked_prices), key=lambda price: price.usd, default=Price())

    def price_of(self, amount: object, what: str) -> Price:
        """An amount in the unit of this table as a price.

        Args:
            amount: the number.
            what: whose price it is, for the error.

        Raises:
            ConfigurationError: it is not a number of 0 or more.
        """
        number, rate = _number(amount, what), _number(self.usd_per_credit, "a credit")
        if not rate:
            raise ConfigurationError("invalid_price", "usd_per_credit must be above 0. Nothing was sent.")
        source = f"{self.source}, {self.date}" if self.date else self.source
        if self.unit == "credits":
            return Price(number * rate, number, source)
        return Price(number, round(number / rate, 4), source)

    def _price(self, name: str) -> Price:
        return self.price_of(self._checked_prices[name], name)

    @cached_property
    def _checked_prices(self) -> Mapping[str, Amount]:
        """A copy of the prices, whose unit and actions were checked when it was made, at the first use."""
        if self.unit not in get_args(_Unit):
            raise ConfigurationError("invalid_price", f"The unit of prices is usd or credits; it is {self.unit!r}.")
        known = actions()
        for name in self.prices:
            if not str(name).startswith("/") and name not in known:
                message = f"There is no action {name!r}, so it can have no price. The actions are {', '.join(known)}."
                raise ConfigurationError("invalid_price", message)
        return dict(self.prices)


PriceSource: TypeAlias = Mapping[str, Amount] | PriceTable | Callable[[Request], Amount]
"""Prices in US dollars by action or endpoint, a `PriceTable`, or a function that is given the request."""

BUILT_IN = PriceTable(
    {
        "generate": "0.08",
        "extend": "0.05",
        "cover": "0.10",
        "swap_vocals": "0.05",
        "swap_instrumentals": "0.05",
        LYRICS: "0.005",
        UPLOAD: "0.01",
    },
    date="read in November 2026",
    source="the provider's last price list (an old page of its FAQ, since withdrawn)",
)


class Prices:
    """The prices of one client: the given ones, else those of the platform's list once it was read, else built-in ones.

    Args:
        given: the application's own prices.
    """

    def __init__(self, given: PriceSource | None = None) -> None:
        self.given = given
        self._table = PriceTable(given) if isinstance(given, Mapping) else given
        self._listed: PriceTable | None = None

    def of(self, request: Request) -> Price:
        """What a request is estimated to cost.

        Raises:
            ConfigurationError: the given prices failed, or are not numbers of 0 or more.
        """
        if not request.paid:
            return Price()
        tables = [table for table in (self._table, self._listed, BUILT_IN) if isinstance(table, PriceTable)]
        try:
            if self._table is not None and not isinstance(self._table, PriceTable):
                own = PriceTable({}, source="the application's own prices")
                return own.price_of(self._table(request), f"a call of {request.endpoint}")
            found = next((price for table in tables if (price := table.of(request)) is not None), None)
            # Without a published price it counts as the most expensive one, or a budget could be overspent.
            return found or max((table.highest() for table in tables), key=lambda price: price.usd)
        except ConfigurationError:
            raise
        except Exception as fault:
            message = f"The application's prices failed ({type(fault).__name__}: {fault}). Nothing was sent."
            raise ConfigurationError("invalid_price", message) from fault

    def use(self, listed: Mapping[str, Amount], date: str) -> None:
        """Use prices in credits that the platform's list gives.

        Args:
            listed: credits by action or endpoint.
            date: when the list was read.
        """
        rate = self._table.usd_per_credit if isinstance(self._table, PriceTable) else USD_PER_CREDIT
        source = "the platform's price list"
        self._listed = PriceTable(listed, unit="credits", usd_per_credit=rate, date=date, source=source)


def estimate(request: Request) -> Decimal:
    """The estimated cost of a request in US dollars, by the built-in prices.

    `ProducerClient.price` uses the client's own prices. Without a published price a call counts as the most
    expensive one.

    Args:
        request: the request.
    """
    return Prices().of(request).usd


def actions() -> list[str]:
    """The actions that a price can be given for, as they are sent."""
    kinds = [kind for kind in _kinds_of(MusicRequest) if hasattr(kind, "action")]
    uploads = [f"upload_{kind.action}" for kind in kinds if "uploaded" in kind.model_fields]
    return list(dict.fromkeys([kind.action for kind in kinds] + uploads))


def _kinds_of(kind: type[MusicRequest]) -> Iterator[type[MusicRequest]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds_of(each)


def _names(request: Request) -> tuple[str, ...]:
    """The names that a request's price may stand under, the most exact one first."""
    if not isinstance(request, MusicRequest):
        return (request.endpoint,)
    return str(request.body()["action"]), request.action, request.endpoint


def _number(value: object, what: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _invalid(what, value) from None
    if not number.is_finite() or number < 0:
        raise _invalid(what, value)
    return number


def _invalid(what: str, amount: Any) -> ConfigurationError:
    message = f"The price of {what} must be a number of 0 or more; it is {amount!r}. Nothing was sent."
    return ConfigurationError("invalid_price", message)
