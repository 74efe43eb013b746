"""One request to the API, from token to JSON object, and what each way it can go wrong means."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from pydantic import SecretStr

from producer_tools import config
from producer_tools.errors import (
    AnswerError,
    ConfigurationError,
    ProducerToolError,
    ServiceUnreachableError,
    SubmissionUnknownError,
    error_class,
)
from producer_tools.requests import Endpoint
from producer_tools.sessions import LoopSessions

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes that are read of one answer; 50 finished records with long lyrics take less than a sixteenth of it."""

_CONNECT_SECONDS = 30
_LONGEST_RETRY_AFTER = 3600.0
USER_AGENT = "producer-tools"
# Faults that aiohttp raises while it connects, so before a byte of the request was sent.
NOTHING_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


Headers = Mapping[str, str]


class _TooLargeError(Exception):
    """An answer that goes on for longer than anything the API sends."""


class Transport:
    """Sends JSON to the API and brings JSON back, in whichever event loop it is called.

    Args:
        base_url: where the endpoints' paths begin.
        api_token: the client's own token, if it has one.
        session: a session of the caller's, used and never closed; else one is made for each event loop.
        timeout: seconds for one request.
    """

    def __init__(
        self, base_url: str, api_token: SecretStr | None, session: aiohttp.ClientSession | None, timeout: float
    ) -> None:
        self._base_url = base_url
        self._api_token = api_token
        self._borrowed = session
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT_SECONDS)
        self._sessions = LoopSessions()

    async def post(self, endpoint: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the JSON object of its answer.

        Raises:
            MissingTokenError: there is no token to send.
            APIError: the service refused.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: a paid request was sent, and its outcome is not known.
            AnswerError: a free request was sent, and brought nothing that can be read.
        """
        token = self.token()
        outcome = await self._exchange(endpoint, body, token)
        if isinstance(outcome, ProducerToolError):
            raise outcome
        status, headers, raw = outcome
        answer = _json_object(raw)
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            raise _refusal(endpoint, status, answer or {}, token, retry_after(headers))
        if answer is None:
            raise unreadable(endpoint, _describe(raw))
        if answer.get("error") and not any(answer.get(key) for key in ("task_id", "id", "items")):
            raise _refusal(endpoint, HTTPStatus.OK, answer, token)
        return answer

    def token(self) -> SecretStr:
        """The token that a call made now carries.

        Raises:
            MissingTokenError: there is none.
        """
        return config.resolve_token(self._api_token)

    async def aclose(self) -> None:
        """Close the sessions made here."""
        await self._sessions.aclose()

    async def _exchange(
        self, endpoint: Endpoint, body: dict[str, Any], token: SecretStr
    ) -> tuple[int, Headers, bytes] | ProducerToolError:
        """What came back; or the error for what did not, to be raised where aiohttp's exception is out of sight.

        That one knows the request's headers, and with them the token.
        """
        session = _usable(self._borrowed) if self._borrowed else await self._sessions.current()
        try:
            async with session.post(
                self._base_url + endpoint.path,
                json=body,
                headers={"Authorization": f"Bearer {token.get_secret_value()}", "User-Agent": USER_AGENT},
                timeout=self._timeout,
                # A redirect would carry the token elsewhere, and turn the POST into a GET.
                allow_redirects=False,
            ) as response:
                return response.status, response.headers, await _read(response)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, _TooLargeError) as fault:
            return _fault(endpoint, fault)


def _usable(borrowed: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Refuse a session that would fail half-way through a request."""
    here = asyncio.get_running_loop()
    if borrowed.closed or borrowed._loop is not here:  # noqa: SLF001 - aiohttp has no public way to ask
        raise ConfigurationError(
            "configuration",
            "The given session works only while it is open, and in the event loop it was made in. Sync calls and "
            "other loops need a client without a session of yours.",
        )
    return borrowed


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise _TooLargeError(f"it is larger than {LARGEST_ANSWER // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


def unreadable(endpoint: Endpoint, what: str) -> ProducerToolError:
    """The error for an answer that came whole and says nothing that can be understood."""
    kind = SubmissionUnknownError if endpoint.paid else AnswerError
    return kind("unreadable_answer", f"{endpoint.path} answered with something that cannot be read: {what}.")


def _fault(endpoint: Endpoint, fault: Exception) -> ProducerToolError:
    if isinstance(fault, NOTHING_SENT):
        return ServiceUnreachableError("connection_error", f"No connection to the service: {fault}")
    if isinstance(fault, _TooLargeError):
        return unreadable(endpoint, str(fault))
    kind = SubmissionUnknownError if endpoint.paid else AnswerError
    if isinstance(fault, asyncio.TimeoutError):
        return kind("timeout", f"{endpoint.path} did not answer in time.")
    return kind("connection_error", f"The connection broke while {endpoint.path} was answering ({_name(fault)}).")


def _refusal(
    endpoint: Endpoint, status: int, answer: dict[str, Any], token: SecretStr, retry_after: float | None = None
) -> ProducerToolError:
    """The error that an answer stands for; what the service quotes of the token is taken out."""
    detail = answer.get("error")
    fields = detail if isinstance(detail, dict) else {"message": detail}
    code = _clean(fields.get("code"), token) or f"http_{status}"
    message = _clean(fields.get("message") or answer.get("detail"), token) or f"HTTP {status} without a reason."
    return error_class(status, code, paid=endpoint.paid)(
        code,
        message,
        status=status,
        trace_id=_clean(answer.get("trace_id"), token),
        task_id=_clean(answer.get("task_id"), token),
        retry_after=retry_after,
    )


def _clean(value: object, token: SecretStr) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    return value.strip().replace(token.get_secret_value(), "[api token]")


def retry_after(headers: Headers) -> float | None:
    """Seconds, from the header's form that is a number; as a date it has not been seen here."""
    value = headers.get("Retry-After", "")
    return min(float(value), _LONGEST_RETRY_AFTER) if value.isdecimal() else None


def _json_object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _describe(raw: bytes) -> str:
    if not raw.strip():
        return "it is empty"
    start = raw.lstrip()[:1]
    return {b"<": "it is HTML or XML", b"[": "it is a list", b"{": "it is broken off"}.get(
        start, "it is no JSON object"
    )


def _name(fault: Exception) -> str:
    return type(fault).__name__
