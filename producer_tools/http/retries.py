"""When a failed call is made again, and after how long."""

from collections.abc import Awaitable, Callable
from functools import partial
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from producer_tools import telemetry
from producer_tools.concurrency.clock import Clock
from producer_tools.errors import ProducerError, ServiceUnreachableError
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE, SAFE_TO_RETRY_IF_PAID
from producer_tools.http.transport import CONNECT_SECONDS

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after the first attempt within which the last one starts."""

UNREACHABLE_DEADLINE = 10.0
"""Seconds after the first attempt within which the last one ends, if no connection can be made."""

_DOWNLOAD_ATTEMPTS = 4
_LONGEST_BACK_OFF = 8.0


async def with_retries(what: str, call: Callable[[], Awaitable[T]], clock: Clock, *, paid: bool) -> T:
    """Make a call, and make it again after a fault that is safe to retry.

    It waits 1, 2, 4 and 8 seconds between attempts, or longer if the service's ``Retry-After`` asks for it, plus up to
    one second. It raises the last fault if the next attempt would start more than 30 seconds after the first. If no
    connection can be made, it raises that within 10 seconds.

    Args:
        what: the path of the API that is called, for the log.
        call: makes one attempt.
        clock: measures and waits.
        paid: whether the call costs money; fewer faults are then safe to retry.
    """
    began = clock.now()
    retrying = _retrying(
        what,
        SAFE_TO_RETRY_IF_PAID if paid else SAFE_TO_RETRY_IF_FREE,
        1,
        lambda state: clock.now() + state.upcoming_sleep - began > _latest_start(state),
        clock,
    )
    return await retrying(call)


async def with_download_retries(call: Callable[[], Awaitable[T]], clock: Clock, until: float) -> T:
    """Make a call to a file's server, and make it again after a fault that is safe to retry.

    It waits 2, 4 and 8 seconds (faq) between its four attempts, or longer if the server's ``Retry-After`` asks for it,
    plus up to one second. It raises the last fault rather than wait longer than 30 seconds or beyond ``until``.

    Args:
        call: makes one attempt.
        clock: measures and waits.
        until: Unix seconds after which no attempt starts.
    """
    retrying = _retrying(
        "download",
        SAFE_TO_RETRY_IF_FREE,
        2,
        lambda state: (
            state.attempt_number >= _DOWNLOAD_ATTEMPTS or state.upcoming_sleep > min(DEADLINE, until - clock.now())
        ),
        clock,
    )
    return await retrying(call)


def _retrying(
    what: str,
    faults: tuple[type[Exception], ...],
    first_pause: float,
    give_up: "Callable[[RetryCallState], bool]",
    clock: Clock,
) -> "AsyncRetrying":
    from tenacity import AsyncRetrying, retry_if_exception_type  # noqa: PLC0415 - imported with the first call

    return AsyncRetrying(
        retry=retry_if_exception_type(faults),
        wait=partial(_pause, first_pause),
        stop=give_up,
        sleep=clock.sleep,
        before_sleep=partial(_log, what),
        reraise=True,
    )


def _latest_start(state: "RetryCallState") -> float:
    """Seconds after the first attempt until which another one may start."""
    fault = state.outcome.exception() if state.outcome else None
    return UNREACHABLE_DEADLINE - CONNECT_SECONDS if isinstance(fault, ServiceUnreachableError) else DEADLINE


def _log(what: str, state: "RetryCallState") -> None:
    fault = state.outcome.exception() if state.outcome else None
    if isinstance(fault, ProducerError):
        telemetry.retrying(what, f"{fault.code}: {fault.message}", fault.code, state.upcoming_sleep)


def _pause(first: float, state: "RetryCallState") -> float:
    """The seconds until the next attempt: they double each time, and the server can only ask for more.

    A ``Retry-After`` of 0 must not make all clients of an overloaded service call again at once.
    """
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.retry_after if isinstance(fault, ProducerError) else None
    back_off = min(first * 2.0 ** (state.attempt_number - 1), _LONGEST_BACK_OFF)
    return max(back_off, asked or 0.0) + uniform(0, 1)  # noqa: S311 - not a secret
