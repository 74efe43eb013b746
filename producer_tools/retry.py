"""The one place that decides what is sent a second time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential,
    wait_exponential_jitter,
    wait_random,
)
from tenacity.wait import wait_base

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
_DOWNLOAD_BACK_OFF = wait_exponential(multiplier=2, max=8) + wait_random(0, 1)
_DOWNLOAD_TRIES = 4


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
        wait=lambda state: _pause(state, _BACK_OFF),
        stop=lambda state: clock.now() + state.upcoming_sleep - began > DEADLINE,
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


async def with_download_retries(call: Callable[[], Awaitable[T]], clock: Clock, until: float) -> T:
    """Make a call to a file's server, and make it again after a fault that may pass.

    Between its four tries it waits 2, 4, 8 seconds (faq) and up to one more, or as long as the server's
    ``Retry-After`` asks. It gives up, with the last fault, rather than wait longer than 30 seconds or try again
    after ``until``.

    Args:
        call: makes the call once.
        clock: what time it is.
        until: Unix seconds.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_SAFE_IF_FREE),
        wait=lambda state: _pause(state, _DOWNLOAD_BACK_OFF),
        stop=lambda state: (
            state.attempt_number >= _DOWNLOAD_TRIES or state.upcoming_sleep > min(DEADLINE, until - clock.now())
        ),
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


def _pause(state: RetryCallState, back_off: wait_base) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ProducerError) else None
    return back_off(state) if asked is None else asked
