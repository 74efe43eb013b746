"""The one place that decides what is sent a second time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from producer_tools.clock import Clock
from producer_tools.errors import (
    AnswerError,
    ProducerError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
)

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after which nothing is tried again."""

# A paid call is sent again only where it surely did no work: it never left, or was refused before any work began.
_SAFE_IF_PAID = (ServiceUnreachableError, RateLimitError)
_SAFE_IF_FREE = (*_SAFE_IF_PAID, ServerError, AnswerError)
_BACK_OFF = wait_exponential_jitter(initial=1, max=8, jitter=1)


async def with_retries(call: Callable[[], Awaitable[T]], clock: Clock, *, paid: bool) -> T:
    """Make a call, and make it again after a fault that allows it.

    Between two tries it waits 1, 2, 4, 8 seconds and up to one more, or as long as the service's ``Retry-After``
    asks. It gives up, with the last fault, when the next try would begin more than 30 seconds after the first.

    Args:
        call: makes the call once.
        clock: what time it is.
        paid: whether the call costs money.
    """
    began = clock.now()
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_SAFE_IF_PAID if paid else _SAFE_IF_FREE),
        wait=_pause,
        stop=lambda state: clock.now() + state.upcoming_sleep - began > DEADLINE,
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


def _pause(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ProducerError) else None
    return _BACK_OFF(state) if asked is None else asked
