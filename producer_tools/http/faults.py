"""Which error each failure of a call becomes: refusals of the service, broken connections, unreadable answers."""

import asyncio
import os
from collections.abc import Mapping
from http import HTTPStatus
from traceback import walk_tb
from typing import Any

import aiohttp
from pydantic import SecretStr

from producer_tools.errors import (
    AnswerError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    EndpointNotFoundError,
    InsufficientBalanceError,
    ProducerToolError,
    RateLimitError,
    RetiredError,
    ServerError,
    ServiceDisabledError,
    ServiceUnreachableError,
    SubmissionUnknownError,
)
from producer_tools.http.answers import has_results, named_task, names_a_task
from producer_tools.http.safe_text import LONGEST_ID, safe_text, without_token

SAFE_TO_RETRY_IF_PAID = (ServiceUnreachableError, RateLimitError)
"""Faults after which a paid call may be sent again: it was never sent, or it was refused before any work began."""

SAFE_TO_RETRY_IF_FREE = (*SAFE_TO_RETRY_IF_PAID, ServerError, AnswerError)
"""Faults after which a free call may be sent again. A paid call never raises the last two."""

# What aiohttp raises while it connects, so before a byte of the request was sent.
_NOTHING_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_LONGEST_RETRY_AFTER = 3600.0
_UNREADABLE = "unreadable_answer"
# Characters of a message, which is shortened further where it is shown.
_LONGEST_MESSAGE = 2000

_BY_CODE: dict[str, type[APIError]] = {
    "bad_request": BadRequestError,
    "api_not_implemented": BadRequestError,
    "no_token": AuthenticationError,
    "invalid_token": AuthenticationError,
    "token_expired": AuthenticationError,
    "token_mismatched": AuthenticationError,
    "used_up": InsufficientBalanceError,
    "disabled": ServiceDisabledError,
    "forbidden": ContentModerationError,
    "no_api": EndpointNotFoundError,
    "too_many_requests": RateLimitError,
    "rate_limited": RateLimitError,
    "api_error": ServerError,
    "timeout": ServerError,
}
_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    404: EndpointNotFoundError,
    429: RateLimitError,
}


def class_of_code(code: str) -> type[APIError] | None:
    """The class of error that one of the service's codes stands for; ``None`` if the code is not known."""
    return _BY_CODE.get(code)


def is_service_failure(error: ProducerToolError) -> bool:
    """Whether the service itself failed on a paid call: a 5xx, or a time-out. Its outcome is unknown then.

    A connection that breaks does not count, because the network in between may be the cause.
    """
    failed = (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR or class_of_code(error.code) is ServerError
    return isinstance(error, SubmissionUnknownError) and failed


def error_class(status: int, code: str, *, paid: bool) -> type[ProducerToolError]:
    """The class of error that a refusal becomes.

    Args:
        status: the HTTP status of the answer.
        code: the service's error code, or ``""``.
        paid: whether the call costs money. If it does, an answer that is not clearly a refusal means that the outcome
            of the submission is unknown.
    """
    known = class_of_code(code) or _BY_STATUS.get(status)
    work_may_have_begun = known is ServerError or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    work_may_have_begun = work_may_have_begun or status == HTTPStatus.REQUEST_TIMEOUT
    refused = not work_may_have_begun and (known is not None or status >= HTTPStatus.BAD_REQUEST)
    if refused and status == HTTPStatus.GONE:
        return RetiredError
    if refused:
        return known or APIError
    return SubmissionUnknownError if paid else ServerError


def refusal_may_concern_one_task(error: ProducerToolError) -> bool:
    """Whether an error is a refused look-up of several tasks that may have been refused because of one of them.

    It was not if the service refuses the token, the endpoint or the number of calls, or has failed.
    """
    of_every_call = (AuthenticationError, InsufficientBalanceError, ServiceDisabledError, RateLimitError, ServerError)
    return (
        isinstance(error, APIError | RetiredError)
        and not isinstance(error, of_every_call)
        and error.code not in ("no_api", "api_not_implemented")
    )


def failure_may_concern_one_task(error: ProducerToolError) -> bool:
    """Whether an error is a failed look-up of several tasks that may have failed because of one of them.

    The service may fail on its record, or the record may be so long that the answer cannot be read.
    """
    return isinstance(error, ServerError) or error.code == _UNREADABLE


def work_may_have_begun(error: ProducerToolError) -> bool:
    """Whether work may have begun on a paid call with this error, so that a task which its answer names exists.

    A call over a limit is refused before any work, but not if its answer names a task.
    """
    over_a_limit = isinstance(error, RateLimitError) or error.status == HTTPStatus.TOO_MANY_REQUESTS
    return over_a_limit or isinstance(error, SubmissionUnknownError)


def refusal(
    status: int, answer: Mapping[str, Any], token: SecretStr, *, paid: bool, retry_after: float | None = None
) -> ProducerToolError:
    """The error for an answer that refuses a call. If the service quotes the token, it is replaced."""
    detail = answer.get("error")
    fields = detail if isinstance(detail, dict) else {"message": detail}
    code = _clean(fields.get("code"), token) or f"http_{status}"
    message = (
        _clean(fields.get("message") or answer.get("detail"), token, _LONGEST_MESSAGE)
        or f"HTTP {status} without a reason."
    )
    kind = error_class(status, code, paid=paid)
    if paid and kind is RateLimitError and (names_a_task(answer) or has_results(answer)):
        kind = SubmissionUnknownError  # work has begun, so the call must not be made again
    return kind(
        code,
        message,
        status=status,
        trace_id=_clean(answer.get("trace_id"), token),
        task_id=named_task(answer),
        retry_after=retry_after,
    )


def connection_fault(fault: Exception, server: str, *, paid: bool, of_hook: bool = False) -> ProducerToolError:
    """The error for a call that aiohttp could not complete.

    Args:
        fault: what aiohttp, asyncio or the operating system raised.
        server: who was called, for the message: ``the service``.
        paid: whether the call costs money.
        of_hook: whether a hook of the caller's session has raised it, perhaps after the request was sent.
    """
    kind = SubmissionUnknownError if paid else AnswerError
    if of_hook:
        hook = f"a hook or middleware of the given aiohttp session raised {type(fault).__name__}"
        return kind("session_hook", f"No answer from {server} was read: {hook}.")
    if isinstance(fault, _NOTHING_SENT):
        return ServiceUnreachableError("connection_error", f"No connection to {server}: {fault}")
    if isinstance(fault, asyncio.TimeoutError):
        return kind("timeout", f"No complete answer from {server} in time.")
    return kind("connection_error", f"The connection to {server} broke during the answer ({type(fault).__name__}).")


def is_of_hook(fault: BaseException) -> bool:
    """Whether a call of an aiohttp session has failed in code that is not aiohttp's: in a hook or middleware.

    A hook that reports to another server may fail as a request does that was never sent.
    """
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(fault.__traceback__)]
    # The first frame is the caller's, and the functions of this module call the hooks.
    return not all(name.startswith("aiohttp.") and name != "aiohttp.tracing" for name in modules[1:])


def without_frames(fault: BaseException) -> BaseException:
    """The error without the traceback so far, and without those that it came from: frames of aiohttp hold the token."""
    fault.__cause__ = fault.__context__ = None
    return fault.with_traceback(None)


def type_and_line(error: Exception) -> str:
    """The type of an error and the line that raised it, such as ``ValueError (users.py, line 7)``.

    Without the line if the frame that caught the error has raised it. The message, which may hold a token, is left out.
    """
    name, traceback = type(error).__name__, error.__traceback__ and error.__traceback__.tb_next
    if traceback is None:
        return name
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    file = os.path.basename(traceback.tb_frame.f_code.co_filename)  # noqa: PTH119 - a name, not a file
    return f"{name} ({file}, line {traceback.tb_lineno})"


def unreadable(endpoint: str, reason: str, *, paid: bool) -> ProducerToolError:
    """The error for an answer that came completely but cannot be read, such as HTML or an empty body."""
    kind = SubmissionUnknownError if paid else AnswerError
    return kind(_UNREADABLE, f"{endpoint} answered with something that cannot be read: {reason}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header ``Retry-After``, where it is a number. The form with a date is ignored."""
    value = headers.get("Retry-After", "")
    return min(float(value), _LONGEST_RETRY_AFTER) if value.isdecimal() else None


def _clean(value: object, token: SecretStr, longest: int = LONGEST_ID) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    # The token is replaced first: cut in two, it would not be recognised. A line break could imitate a line of a log.
    line = " ".join(without_token(value, token).split())
    return safe_text(line, longest)
