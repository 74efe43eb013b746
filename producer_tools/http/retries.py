"""When a failed call is made again, and after how long."""

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

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import ProducerError
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE, SAFE_TO_RETRY_IF_PAID

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after the first attempt within which the last one starts."""

_BACK_OFF = wait_exponential_jitter(initial=1, max=8, jitter=1)
_DOWNLOAD_BACK_OFF = wait_exponential(multiplier=2, max=8) + wait_random(0, 1)
_DOWNLOAD_ATTEMPTS = 4


async def with_retries(call: Callable[[], Awaitable[T]], clock: Clock, *, paid: bool) -> T:
    """Make a call, and make it again after a fault that is safe to retry.

    It waits 1, 2, 4 and 8 seconds between attempts, plus up to one second, or as long as the service's
    ``Retry-After`` asks. It raises the last fault if the next attempt would start more than 30 seconds after the first.

    Args:
        call: makes one attempt.
        clock: measures and waits.
        paid: whether the call costs money; fewer faults are then safe to retry.
    """
    began = clock.now()
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SAFE_TO_RETRY_IF_PAID if paid else SAFE_TO_RETRY_IF_FREE),
        wait=lambda state: _pause(state, _BACK_OFF),
        stop=lambda state: clock.now() + state.upcoming_sleep - began > DEADLINE,
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


async def with_download_retries(call: Callable[[], Awaitable[T]], clock: Clock, until: float) -> T:
    """Make a call to a file's server, and make it again after a fault that is safe to retry.

    It waits 2, 4 and 8 seconds (faq) between its four attempts, plus up to one second, or as long as the server's
    ``Retry-After`` asks. It raises the last fault rather than wait longer than 30 seconds or beyond ``until``.

    Args:
        call: makes one attempt.
        clock: measures and waits.
        until: Unix seconds after which no attempt starts.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SAFE_TO_RETRY_IF_FREE),
        wait=lambda state: _pause(state, _DOWNLOAD_BACK_OFF),
        stop=lambda state: (
            state.attempt_number >= _DOWNLOAD_ATTEMPTS or state.upcoming_sleep > min(DEADLINE, until - clock.now())
        ),
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


def _pause(state: RetryCallState, back_off: wait_base) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ProducerError) else None
    return back_off(state) if asked is None else asked
