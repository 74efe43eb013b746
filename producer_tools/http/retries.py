"""When a failed call is made again, and after how long."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from producer_tools.concurrency.clock import Clock
from producer_tools.errors import ProducerError
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE, SAFE_TO_RETRY_IF_PAID

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState
    from tenacity.wait import wait_base

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after the first attempt within which the last one starts."""

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
    from tenacity import wait_exponential_jitter  # noqa: PLC0415 - tenacity is imported with the first call

    began = clock.now()
    retrying = _retrying(
        SAFE_TO_RETRY_IF_PAID if paid else SAFE_TO_RETRY_IF_FREE,
        wait_exponential_jitter(initial=1, max=8, jitter=1),
        lambda state: clock.now() + state.upcoming_sleep - began > DEADLINE,
        clock,
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
    from tenacity import wait_exponential, wait_random  # noqa: PLC0415 - tenacity is imported with the first call

    retrying = _retrying(
        SAFE_TO_RETRY_IF_FREE,
        wait_exponential(multiplier=2, max=8) + wait_random(0, 1),
        lambda state: (
            state.attempt_number >= _DOWNLOAD_ATTEMPTS or state.upcoming_sleep > min(DEADLINE, until - clock.now())
        ),
        clock,
    )
    return await retrying(call)


def _retrying(
    faults: tuple[type[Exception], ...],
    back_off: "wait_base",
    give_up: "Callable[[RetryCallState], bool]",
    clock: Clock,
) -> "AsyncRetrying":
    from tenacity import AsyncRetrying, retry_if_exception_type  # noqa: PLC0415 - as above

    return AsyncRetrying(
        retry=retry_if_exception_type(faults),
        wait=partial(_pause, back_off),
        stop=give_up,
        sleep=clock.sleep,
        reraise=True,
    )


def _pause(back_off: "wait_base", state: "RetryCallState") -> float:
    """The seconds that the server asked for, else those of the back-off."""
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ProducerError) else None
    return back_off(state) if asked is None else asked
