"""When a failed call is made again, and after how long."""

from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeVar

from producer_tools import telemetry
from producer_tools.concurrency.clock import Clock
from producer_tools.errors import ProducerError, ServiceUnreachableError
from producer_tools.http.faults import SAFE_TO_RETRY_IF_FREE, SAFE_TO_RETRY_IF_PAID
from producer_tools.http.transport import CONNECT_SECONDS

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after the first attempt within which the last one starts."""

UNREACHABLE_DEADLINE = 10.0
"""Seconds after the first attempt within which the last one ends, if no connection can be made."""

# Seconds between the attempts. After five pauses the next one would end after the deadline.
_BACK_OFFS = (1.0, 2.0, 4.0, 8.0, 8.0)
_DOWNLOAD_BACK_OFFS = (2.0, 4.0, 8.0)


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
    faults = SAFE_TO_RETRY_IF_PAID if paid else SAFE_TO_RETRY_IF_FREE

    def is_in_time(fault: Exception, pause: float) -> bool:
        last_start = UNREACHABLE_DEADLINE - CONNECT_SECONDS if isinstance(fault, ServiceUnreachableError) else DEADLINE
        return clock.now() + pause - began <= last_start

    return await _with_pauses(what, call, clock, faults=faults, back_offs=_BACK_OFFS, is_in_time=is_in_time)


async def with_download_retries(call: Callable[[], Awaitable[T]], clock: Clock, until: float) -> T:
    """Make a call to a file's server, and make it again after a fault that is safe to retry.

    It waits 2, 4 and 8 seconds (faq) between its four attempts, or longer if the server's ``Retry-After`` asks for it,
    plus up to one second. It raises the last fault rather than wait longer than 30 seconds or beyond ``until``.

    Args:
        call: makes one attempt.
        clock: measures and waits.
        until: Unix seconds after which no attempt starts.
    """

    def is_in_time(_: Exception, pause: float) -> bool:
        return pause <= min(DEADLINE, until - clock.now())

    faults, back_offs = SAFE_TO_RETRY_IF_FREE, _DOWNLOAD_BACK_OFFS
    return await _with_pauses("download", call, clock, faults=faults, back_offs=back_offs, is_in_time=is_in_time)


async def _with_pauses(
    what: str,
    call: Callable[[], Awaitable[T]],
    clock: Clock,
    *,
    faults: tuple[type[ProducerError], ...],
    back_offs: tuple[float, ...],
    is_in_time: Callable[[Exception, float], bool],
) -> T:
    for back_off in back_offs:
        try:
            return await call()
        except faults as fault:
            pause = _pause(back_off, fault)
            if not is_in_time(fault, pause):
                raise
            telemetry.retrying(what, f"{fault.code}: {fault.message}", fault.code, pause)
        # Outside of the block above, so that the fault is not the context of what the next attempt raises.
        await clock.sleep(pause)
    return await call()


def _pause(back_off: float, fault: ProducerError) -> float:
    """The seconds until the next attempt. The server can only ask for more.

    A ``Retry-After`` of 0 must not make all clients of an overloaded service call again at once.
    """
    return max(back_off, fault.retry_after or 0.0) + uniform(0, 1)  # noqa: S311 - not a secret
