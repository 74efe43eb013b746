"""One request to the API: token, headers, send, status, body."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from pydantic import SecretStr
from yarl import URL

from producer_tools import telemetry
from producer_tools.concurrency.sync import start_background_loop, start_in_background
from producer_tools.concurrency.to_the_end import SECONDS_TO_FINISH, to_the_end
from producer_tools.errors import ProducerToolError
from producer_tools.http.answers import as_submitted, describe_unreadable, has_results, read_object
from producer_tools.http.faults import (
    connection_fault,
    is_of_hook,
    refusal,
    retry_after,
    type_and_line,
    unreadable,
    without_frames,
    work_may_have_begun,
)
from producer_tools.http.safe_text import LONGEST_ID, safe_text
from producer_tools.http.sessions import LoopSessions, usable
from producer_tools.http.settings import Settings
from producer_tools.http.tokens import OwnToken, ask, is_answered, is_in_block, resolve_token, token_id, token_of_call

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes that are read of one answer; 50 finished records with long lyrics take less than a sixteenth of it."""

CONNECT_SECONDS = 4.0
"""Seconds to make a connection, in which the system repeats a lost packet twice."""

_SLOWEST_BYTES_PER_SECOND = 100_000

USER_AGENT = "producer-tools"


class _TooLargeError(Exception):
    """The answer is longer than anything the API sends."""


class _Answer(NamedTuple):
    """An answer of the service.

    Attributes:
        status: the HTTP status.
        body: its JSON object, without the token; ``None`` if it has none.
        problem: why it has none.
        retry_after: the seconds of the header ``Retry-After``.
    """

    status: int
    body: dict[str, Any] | None
    problem: str
    retry_after: float | None


class PublicAnswer(NamedTuple):
    """An answer to a request without a token: the HTTP status, and the body as it came."""

    status: int
    body: bytes


_Outcome = _Answer | Exception | asyncio.CancelledError


class Transport:
    """Sends JSON to the API and returns the JSON of the answer, in any event loop.

    Args:
        settings: where it sends to, the timeouts, and whose token it needs. A look-up has the shorter of both timeouts.
        api_token: the client's own token, if it has one, or the function that returns the token of a call.
        session: a session of the caller's, which is used and never closed; else each event loop gets one. Its hooks
            and tracing see the header ``Authorization``, and with it the token.
    """

    def __init__(self, settings: Settings, api_token: OwnToken, session: aiohttp.ClientSession | None) -> None:
        self._base_url = settings.base_url
        self.own_token = api_token
        self._require_user_token = settings.require_user_token
        self._borrowed = session
        self._timeout = partial(
            aiohttp.ClientTimeout,
            # It includes the look-up of the host's name. In a session of the caller's it would also include the wait
            # for a free connection.
            connect=None if session else CONNECT_SECONDS,
            sock_connect=CONNECT_SECONDS,
        )
        self._paid_timeout = self._timeout(total=settings.request_timeout)
        self._free_seconds = min(settings.request_timeout, settings.lookup_timeout)
        self._free_timeout = self._timeout(total=self._free_seconds)
        self._sessions = LoopSessions()
        self._outliving: set[Future[_Outcome]] = set()

    async def post(self, endpoint: str, body: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
        """Send one request and return the JSON object of its answer, with a mark in place of the token.

        If the answer to a paid request names a task, it is about that task, whatever else it says: it is returned as
        the answer to a submit that was accepted, so that a look-up of the task decides. Only a clear refusal is raised.

        A paid request, once sent, goes on when the caller is cancelled or the caller's event loop ends, for at most 30
        seconds. With a session of the caller's it cannot: that session works only in its own loop.

        Args:
            endpoint: the path below the base URL.
            body: the JSON object to send.
            paid: whether the call may cost money; it decides which error an unclear outcome becomes. Before the first
                paid request, call `prepare`.

        Raises:
            MissingTokenError: there is no token to send.
            APIError: the service refused.
            ServiceUnreachableError: nothing was sent.
            SubmissionUnknownError: a paid request was sent and its outcome is unknown.
            AnswerError: a free request was sent and brought no readable answer.
        """
        token = self.token()
        timeout = self._paid_timeout if paid else self._free_timeout
        url = self._base_url + endpoint
        exchange = partial(self._exchange, url, endpoint, {"json": body}, token, timeout, paid=paid)
        answer = await _observed(partial(self._outlive, exchange) if paid else exchange, url, endpoint)
        body = answer.body or {}
        error = _error_in(answer, endpoint, token, paid=paid)
        if paid and (submitted := _task_to_look_up(answer.status, body, error)):
            return submitted
        if error is not None:
            raise error
        return body

    async def post_file(self, url: str, name: str, content_type: str, content: bytes) -> dict[str, Any]:
        """Send a file, which costs nothing, and return the JSON object of the answer, with a mark for the token.

        It may take as long as a look-up, and for a slow connection a second more for each 100,000 bytes.

        Args:
            url: the whole address, which is the provider's: it gets the token.
            name: a safe file name, in ASCII.
            content_type: the media type.
            content: the bytes.

        Raises:
            MissingTokenError: there is no token to send.
            APIError: the service refused.
            ServiceUnreachableError, AnswerError: nothing was sent, or no readable answer came.
        """
        token = self.token()
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(content), filename=name, content_type=content_type)
        timeout = self._timeout(total=self._free_seconds + len(content) / _SLOWEST_BYTES_PER_SECOND)
        exchange = partial(self._exchange, url, url, {"data": form}, token, timeout, paid=False)
        answer = await _observed(exchange, url, URL(url).path)
        if error := _error_in(answer, url, token, paid=False):
            raise error
        return answer.body or {}

    async def prepare(self) -> None:
        """Start the background loop of paid requests. No request is sent yet, so a cancellation here costs nothing."""
        if not self._borrowed:
            await start_background_loop()

    async def get_public(self, url: str, query: Mapping[str, str]) -> PublicAnswer:
        """Send one GET without a token, and return the answer whatever its status.

        It uses a session of its own, because one of the caller's may add headers that are meant for the API alone.

        Args:
            url: the whole URL.
            query: what is asked.

        Raises:
            ServiceUnreachableError: nothing was sent.
            AnswerError: no complete answer came.
        """
        session = await self._sessions.current()
        headers = {"User-Agent": USER_AGENT}
        try:
            with telemetry.request("GET", url, URL(url).path) as facts:
                async with session.get(
                    url, params=query, headers=headers, timeout=self._free_timeout, allow_redirects=False
                ) as response:
                    facts.status = response.status
                    return PublicAnswer(response.status, await _read(response))
        except _TooLargeError as fault:
            raise unreadable(url, str(fault), paid=False) from None
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as fault:
            raise connection_fault(fault, url, paid=False) from None

    def token(self) -> SecretStr:
        """The token that a call made now carries.

        Raises:
            MissingTokenError: there is none.
        """
        return resolve_token(self.own_token, require_user_token=self._require_user_token)

    @asynccontextmanager
    async def token_of_call(self) -> AsyncIterator[None]:
        """Ask the client's function, if it has one, for the token, and use it for all requests inside the block.

        Raises:
            MissingTokenError: the function returned none; nothing was sent.
        """
        own = self.own_token
        if not callable(own) or is_in_block() or is_answered(own):
            yield
        else:
            with token_of_call(own, await ask(own)):
                yield

    async def renewed_token(self, refused: SecretStr) -> SecretStr | None:
        """The token that the client's function returns now; ``None`` if there is none but the refused one.

        Raises:
            MissingTokenError: the function returned none.
        """
        own = self.own_token
        if not callable(own) or is_in_block():
            return None
        token = await ask(own)
        return None if token_id(token) == token_id(refused) else token

    async def aclose(self) -> None:
        """Close the sessions that were made here.

        It waits at most 30 seconds for paid requests that are under way.
        """
        if outliving := self._outliving.copy():  # other threads change it
            await asyncio.wait(map(asyncio.wrap_future, outliving), timeout=SECONDS_TO_FINISH)
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

    async def _exchange(
        self,
        url: str,
        name: str,
        content: Mapping[str, Any],
        token: SecretStr,
        timeout: aiohttp.ClientTimeout,
        *,
        paid: bool,
    ) -> _Outcome:
        """Return the answer, or the error to raise.

        Its caller raises it outside the ``except`` block, so that aiohttp's exception is not its context: that one has
        the request's headers, and with them the token. The same holds for a cancellation, and for errors of hooks.
        """
        session = usable(self._borrowed) if self._borrowed else await self._sessions.current()
        try:
            async with session.post(
                url,
                **content,
                headers={"Authorization": f"Bearer {token.get_secret_value()}", "User-Agent": USER_AGENT},
                timeout=timeout,
                # A redirect would send the token to another address and turn the POST into a GET.
                allow_redirects=False,
            ) as response:
                status, wait, raw = response.status, retry_after(response.headers), await _read(response)
        except _TooLargeError as fault:
            return unreadable(name, str(fault), paid=paid)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ProducerToolError) as fault:
            # Hooks of the caller's session may raise errors of ours too, which say nothing of this request.
            of_hook = self._borrowed is not None and is_of_hook(fault)
            return connection_fault(fault, f"the service ({name})", paid=paid, of_hook=of_hook)
        except asyncio.CancelledError as cancelled:
            return cancelled
        except Exception as fault:  # noqa: BLE001 - the caller raises it
            telemetry.logger.warning("A request failed with %s.", type_and_line(fault))
            return fault
        answer = read_object(raw, token)
        return _Answer(status, answer, describe_unreadable(raw) if answer is None else "", wait)


async def _observed(exchange: Callable[[], Awaitable[_Outcome]], url: str, name: str) -> _Answer:
    """The answer of an exchange, or its error is raised; with a log record and a span of what became of the request."""
    with telemetry.request("POST", url, name) as facts:
        outcome = await exchange()
        if isinstance(outcome, _Answer):
            trace_id = (outcome.body or {}).get("trace_id")
            facts.status = outcome.status
            facts.trace_id = safe_text(" ".join(trace_id.split()), LONGEST_ID) if isinstance(trace_id, str) else None
        else:
            facts.error = outcome.code if isinstance(outcome, ProducerToolError) else type(outcome).__name__
    if isinstance(outcome, BaseException):
        raise without_frames(outcome)
    return outcome


def _error_in(answer: _Answer, endpoint: str, token: SecretStr, *, paid: bool) -> ProducerToolError | None:
    """The error that an answer reports; ``None`` if it reports none, or the error is that of a task."""
    body = answer.body
    if not _is_success(answer.status):
        return refusal(answer.status, body or {}, token, paid=paid, retry_after=answer.retry_after)
    if body is None:
        return unreadable(endpoint, answer.problem, paid=paid)
    is_of_a_task = any(body.get(key) for key in ("task_id", "id", "items")) or (paid and has_results(body))
    return refusal(answer.status, body, token, paid=paid) if body.get("error") and not is_of_a_task else None


def _task_to_look_up(status: int, body: Mapping[str, Any], error: ProducerToolError | None) -> dict[str, Any] | None:
    """The answer to a submit that was accepted, if only a look-up can say what became of the task that is named."""
    if _is_success(status):
        is_clear = has_results(body) or (body.get("task_id") and not body.get("error"))
    else:
        is_clear = error is not None and not work_may_have_begun(error)
    return None if is_clear else as_submitted(body)


def _is_success(status: int) -> bool:
    return HTTPStatus(200) <= status < HTTPStatus(300)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise _TooLargeError(f"it is larger than {LARGEST_ANSWER // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)
