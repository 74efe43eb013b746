"""The platform's public list of prices, as far as its shape is understood."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import RateLimitError, ServerError
from producer_tools.http.answers import describe_unreadable, json_object
from producer_tools.http.retries import with_retries
from producer_tools.http.safe_text import LONGEST_ID, safe_text
from producer_tools.http.transport import PublicAnswer, Transport
from producer_tools.payment.prices import actions
from producer_tools.requests import AUDIOS, LYRICS, UPLOAD, VIDEOS, WAV

_APIS = "/api/v1/apis/"
_ENDPOINTS = (AUDIOS, LYRICS, UPLOAD, VIDEOS, WAV)
_LONGEST_COST = 500


class ListedPrice(NamedTuple):
    """What the platform lists for one endpoint.

    Attributes:
        endpoint: the endpoint.
        credits: the prices that are used, in credits, by action or endpoint.
        stage: how ready the platform says the endpoint is: ``Alpha``, ``Beta`` or ``Production``.
        cost: the listed cost as JSON text, as it came, in at most 500 characters; empty if there is none.
        problem: what is not used, and why; empty if all is.
    """

    endpoint: str
    credits: Mapping[str, Decimal]
    stage: str = ""
    cost: str = ""
    problem: str = ""

    def __str__(self) -> str:
        prices = ", ".join(f"{name} {amount} credits" for name, amount in self.credits.items())
        return f"{self.endpoint}: {'; '.join(filter(None, (prices, self.problem)))}"


@dataclass(frozen=True)
class ListedPrices:
    """What the platform's price list says. Its numbers are taken as credits, which is what the service bills in (faq).

    Attributes:
        url: the address of the list.
        date: the day on which it was read (UTC).
        prices: what was found for each paid endpoint.
    """

    url: str
    date: str
    prices: tuple[ListedPrice, ...]

    @property
    def credits(self) -> dict[str, Decimal]:
        """All prices that are used, in credits, by action or endpoint."""
        return {name: amount for each in self.prices for name, amount in each.credits.items()}

    def __str__(self) -> str:
        return "\n".join([f"{self.url}, read on {self.date}:", *map(str, self.prices)])


class PriceList:
    """Reads the list.

    Args:
        transport: sends the requests.
        clock: measures and waits.
        base_url: the platform's address.
    """

    def __init__(self, transport: Transport, clock: Clock, base_url: str) -> None:
        self._transport = transport
        self._clock = clock
        self._url = base_url.rstrip("/") + _APIS

    async def read(self) -> ListedPrices:
        """Read what is listed for each paid endpoint.

        Raises:
            ServiceUnreachableError: no connection could be made within 10 seconds.
            AnswerError, RateLimitError, ServerError: there was no good answer for 30 seconds.
        """
        reading = (with_retries(_APIS, partial(self._listed, each), self._clock, paid=False) for each in _ENDPOINTS)
        listed: list[ListedPrice] = []
        # All of them are waited for, so that none goes on behind the caller's back after another has failed.
        for each in await asyncio.gather(*reading, return_exceptions=True):
            if isinstance(each, BaseException):
                raise each
            listed.append(each)
        date = datetime.fromtimestamp(self._clock.now(), timezone.utc).date().isoformat()
        return ListedPrices(self._url, date, tuple(listed))

    async def _listed(self, endpoint: str) -> ListedPrice:
        answer = await self._transport.get_public(self._url, {"path": endpoint})
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServerError(f"http_{answer.status}", "The price list cannot be read now.", status=answer.status)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitError("rate_limited", "The price list was read too often.", status=answer.status)
        return _read(endpoint, answer)


def _read(endpoint: str, answer: PublicAnswer) -> ListedPrice:
    """What an answer says about an endpoint. It never raises, whatever the answer holds."""
    if answer.status != HTTPStatus.OK:
        return ListedPrice(endpoint, {}, problem=f"not listed (HTTP {answer.status})")
    found = json_object(answer.body)
    if found is None:
        return ListedPrice(endpoint, {}, problem=f"not understood ({describe_unreadable(answer.body)})")
    items = found.get("items")
    if not isinstance(items, list):
        return ListedPrice(endpoint, {}, problem="not understood (it has no list of items)")
    item = next((each for each in items if isinstance(each, Mapping) and each.get("path") == endpoint), None)
    return ListedPrice(endpoint, {}, problem="not listed") if item is None else _read_item(endpoint, item)


def _read_item(endpoint: str, item: Mapping[str, Any]) -> ListedPrice:
    cost = item.get("cost")
    named = cost if isinstance(cost, Mapping) else {endpoint: cost}
    # Neither an action that no request has nor an amount that would let every call fit a budget must be used.
    usable = set(actions()) if endpoint == AUDIOS and named is cost else {endpoint}
    amounts = {name: _amount(value) if name in usable else None for name, value in named.items()}
    unused = [safe_text(str(name), LONGEST_ID) for name, amount in amounts.items() if amount is None]
    stage = item.get("stage")
    return ListedPrice(
        endpoint,
        {name: amount for name, amount in amounts.items() if amount is not None},
        stage=safe_text(stage, LONGEST_ID) if isinstance(stage, str) else "",
        cost="" if cost in (None, "", {}, []) else safe_text(_as_text(cost), _LONGEST_COST),
        problem=f"not understood: {', '.join(unused[:20])}" if unused else "",
    )


def _amount(value: object) -> Decimal | None:
    """A number above 0, also one that is written as text. A paid call that is listed as free would fit every budget."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and amount > 0 else None


def _as_text(cost: object) -> str:
    try:
        return json.dumps(cost, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "(nested too deeply)"
