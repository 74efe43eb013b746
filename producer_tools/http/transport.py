"""One request to the API: token, headers, send, status, body."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
from pydantic import SecretStr

from producer_tools.concurrency.sync import start_in_background
from producer_tools.concurrency.to_the_end import SECONDS_TO_FINISH, to_the_end
from producer_tools.errors import ConfigurationError, ProducerToolError
from producer_tools.http.faults import connection_fault, refusal, retry_after, unreadable
from producer_tools.http.sessions import LoopSessions
from producer_tools.http.settings import resolve_token

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes that are read of one answer; 50 finished records with long lyrics take less than a sixteenth of it."""

CONNECT_SECONDS = 30
USER_AGENT = "producer-tools"


_Outcome = tuple[int, Mapping[str, str], bytes] | ProducerToolError | asyncio.CancelledError


class _TooLargeError(Exception):
    """The answer is longer than anything the API sends."""


class Transport:
    """Sends JSON to the API and returns the JSON of the answer, in any event loop.

    Args:
        base_url: the URL that the endpoints' paths are appended to.
        api_token: the client's own token, if it has one.
        session: a session of the caller's, which is used and never closed; else each event loop gets one.
        timeout: seconds for one paid request.
        lookup_timeout: seconds for one free request, unless ``timeout`` is shorter.
    """

    def __init__(
        self,
        base_url: str,
        api_token: SecretStr | None,
        session: aiohttp.ClientSession | None,
        *,
        timeout: float,
        lookup_timeout: float,
    ) -> None:
        self._base_url = base_url
        self._api_token = api_token
        self._borrowed = session
        self._paid_timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        self._free_timeout = aiohttp.ClientTimeout(total=min(timeout, lookup_timeout), sock_connect=CONNECT_SECONDS)
        self._sessions = LoopSessions()
        self._outliving: set[Future[_Outcome]] = set()

    async def post(self, endpoint: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        """Send one request and return the JSON object of its answer.

        A paid request, once sent, goes on when the caller is cancelled or the caller's event loop ends, for at most 30
        seconds. With a session of the caller's it cannot: that session works only in its own loop.

        Args:
            endpoint: the path below the base URL.
            body: the JSON object to send.
            paid: whether the call may cost money; it decides which error an unclear outcome becomes.

        Raises:
            MissingTokenError: there is no token to send.
            APIError: the service refused.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: a paid request was sent and its outcome is unknown.
            AnswerError: a free request was sent and brought no readable answer.
        """
        token = self.token()
        exchange = partial(self._exchange, endpoint, body, token, paid=paid)
        outcome = await (self._outlive(exchange) if paid else exchange())
        if isinstance(outcome, BaseException):
            # Without the traceback so far and the context: their frames are aiohttp's, which hold the token.
            raise outcome.with_traceback(None) from None
        status, headers, raw = outcome
        answer = _json_object(raw)
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            raise refusal(status, answer or {}, token, paid=paid, retry_after=retry_after(headers))
        if answer is None:
            raise unreadable(endpoint, _describe(raw), paid=paid)
        if answer.get("error") and not any(answer.get(key) for key in ("task_id", "id", "items")):
            raise refusal(HTTPStatus.OK, answer, token, paid=paid)
        return answer

    def token(self) -> SecretStr:
        """The token that a call made now carries.

        Raises:
            MissingTokenError: there is none.
        """
        return resolve_token(self._api_token)

    async def aclose(self) -> None:
        """Close the sessions that were made here.

        It waits at most 30 seconds for paid requests that are under way.
        """
        if self._outliving:
            await asyncio.wait(map(asyncio.wrap_future, self._outliving), timeout=SECONDS_TO_FINISH)
        await self._sessions.aclose()

    async def _outlive(self, exchange: Callable[[], Coroutine[Any, Any, _Outcome]]) -> _Outcome:
        """Run an exchange so that it outlives this task, and this event loop."""
        if self._borrowed:
            own = asyncio.create_task(exchange())
            return await to_the_end(lambda: own)
        exchanging = start_in_background(exchange)
        self._outliving.add(exchanging)
        exchanging.add_done_callback(self._outliving.discard)
        here = asyncio.wrap_future(exchanging)
        return await to_the_end(lambda: here)

    async def _exchange(self, endpoint: str, body: Mapping[str, Any], token: SecretStr, *, paid: bool) -> _Outcome:
        """Return the answer, or the error to raise.

        The error is returned, and raised by the caller outside the ``except`` block, so that aiohttp's exception is
        not its context: that one holds the request's headers, and with them the token. The same holds for a
        cancellation from outside, such as a timeout of the caller's.
        """
        session = _usable(self._borrowed) if self._borrowed else await self._sessions.current()
        try:
            async with session.post(
                self._base_url + endpoint,
                json=body,
                headers={"Authorization": f"Bearer {token.get_secret_value()}", "User-Agent": USER_AGENT},
                timeout=self._paid_timeout if paid else self._free_timeout,
                # A redirect would send the token to another address and turn the POST into a GET.
                allow_redirects=False,
            ) as response:
                return response.status, response.headers, await _read(response)
        except _TooLargeError as fault:
            return unreadable(endpoint, str(fault), paid=paid)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as fault:
            return connection_fault(fault, f"the service ({endpoint})", paid=paid)
        except asyncio.CancelledError as cancelled:
            cancelled.__context__ = None
            return cancelled


def _usable(borrowed: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Refuse a session that would fail in the middle of a request."""
    here = asyncio.get_running_loop()
    if borrowed.closed or borrowed._loop is not here:  # noqa: SLF001 - aiohttp has no public way to ask
        raise ConfigurationError(
            "configuration",
            "The given session works only while it is open, and only in the event loop it was made in. For sync "
            "calls and other event loops, use a client without a session of yours.",
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


def _json_object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _describe(raw: bytes) -> str:
    """Why the body is no JSON object."""
    if not raw.strip():
        return "it is empty"
    start = raw.lstrip()[:1]
    return {b"<": "it is HTML or XML", b"[": "it is a list", b"{": "it is incomplete"}.get(
        start, "it is not a JSON object"
    )
