"""Fetches one file over HTTP: it checks every redirect, resumes broken downloads, keeps limits and sends no token."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from pydantic import SecretStr

from producer_tools import telemetry
from producer_tools.concurrency.clock import Clock
from producer_tools.concurrency.limits import Semaphores
from producer_tools.concurrency.threads import in_thread
from producer_tools.errors import AnswerError, ConfigurationError, DownloadError, RateLimitError, ServerError
from producer_tools.files.fetch.part_file import PartFile
from producer_tools.files.fetch.url_rules import CheckedResolver, UrlRules, read_url
from producer_tools.files.formats.types import FileType, describe, detect, largest
from producer_tools.http.faults import connection_fault, retry_after
from producer_tools.http.retries import with_download_retries
from producer_tools.http.sessions import LoopSessions
from producer_tools.http.tokens import token_id
from producer_tools.http.transport import CONNECT_SECONDS, USER_AGENT
from producer_tools.tasks.results import Kind

MOST_AT_ONCE = 4
"""Files of one task that are fetched at the same time."""

MOST_OF_A_HOST = 16
"""Files that one client fetches at the same time for one user from one host. It is more than those of one task, so that
a task of silent files holds up no other task."""

MOST_REDIRECTS = 5

SHORTEST_ATTEMPT = 1.0
"""Seconds that an attempt may take, even if less is left of the time for the file."""

_CHUNK = 256 * 1024
_SILENT_SECONDS = 60
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d{1,15})-\d{1,15}/(?P<total>\d{1,15})", re.ASCII)


class FileFetcher:
    """Fetches files, in any event loop.

    Args:
        base_url: the API's. If the API is on loopback, files may be there too.
        timeout: seconds for one file, all attempts together.
        clock: measures and waits.
        token: the token of the current call. It is not sent: it tells users apart, because files of one user that hang
            must not hold up the downloads of another.
    """

    def __init__(self, base_url: str, timeout: float, clock: Clock, token: Callable[[], SecretStr]) -> None:
        self._rules = UrlRules.beside(base_url)
        self._timeout = timeout
        self._clock = clock
        self._token = token
        self._places = Semaphores(MOST_OF_A_HOST)
        self._sessions = LoopSessions(self._new_session)

    async def fetch(self, url: str, part: PartFile, kind: Kind) -> FileType:
        """Write a whole file into ``part``.

        A download that breaks off is retried after 2, 4 and 8 seconds. If the server supports ranges and sends a strong
        ETag, the retry goes on where the download broke off; otherwise it starts again.

        Args:
            url: where the file is.
            part: where it is written.
            kind: what it should be.

        Returns:
            Its type, by its first bytes.

        Raises:
            DownloadError: the file is not available or cannot be written, and a retry would not help.
            ServiceUnreachableError, RateLimitError, ServerError, AnswerError: it is not available now.
        """
        async with self._places.hold(f"{self._user()} {read_url(url).host}"):
            await in_thread(part.restart)  # only now, so that no more files are open than are fetched
            until = self._clock.now() + self._timeout
            fetching = _Fetching(await self._sessions.current(), self._rules, url, part, kind)

            async def attempt() -> FileType:
                return await fetching.attempt(max(SHORTEST_ATTEMPT, until - self._clock.now()))

            return await with_download_retries(attempt, self._clock, until)

    async def aclose(self) -> None:
        """Close the sessions that were made here."""
        await self._sessions.aclose()

    def _user(self) -> str:
        """Whose download it is; empty if there is no token, or if the client's function was not asked for one."""
        try:
            return token_id(self._token())
        except ConfigurationError:
            return ""

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=CheckedResolver(self._rules)),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Sizes and ranges count the bytes as sent, before decompression.
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )


class _Fetching:
    """One download, with what it must remember between its attempts."""

    def __init__(self, session: aiohttp.ClientSession, rules: UrlRules, url: str, part: PartFile, kind: Kind) -> None:
        self._session = session
        self._rules = rules
        self._url = url
        self._part = part
        self._kind = kind
        self._largest = largest(kind)
        self._etag: str | None = None
        self._total: int | None = None

    async def attempt(self, seconds: float) -> FileType:
        """Fetch the missing rest of the file within ``seconds``, and return its type."""
        try:
            async with self._get(seconds) as response:
                _check_status(response)
                await self._begin_or_resume(response)
                await self._read(response)
                return await self._check()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as fault:
            raise connection_fault(fault, "the file's server", paid=False) from fault

    @asynccontextmanager
    async def _get(self, seconds: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a GET. Redirects are followed, and each URL on the way is checked."""
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS, sock_read=_SILENT_SECONDS)
        url = read_url(self._url)
        for _ in range(1 + MOST_REDIRECTS):
            self._rules.check(url)
            with telemetry.request("GET", str(url)) as facts:
                async with self._session.get(
                    url, headers=self._range(), timeout=timeout, allow_redirects=False
                ) as response:
                    facts.status = response.status
                    if response.status not in _REDIRECTS:
                        yield response
                        return
                url = url.join(read_url(response.headers.get("Location", "")))
        raise DownloadError("too_many_redirects", f"The file's URL redirects more than {MOST_REDIRECTS} times.")

    def _range(self) -> dict[str, str]:
        """The headers that ask for the rest of this very file; none if nothing proves that it is the same file."""
        if not self._part.size or self._etag is None:
            return {}
        return {"Range": f"bytes={self._part.size}-", "If-Range": self._etag}

    async def _begin_or_resume(self, response: aiohttp.ClientResponse) -> None:
        etag = _strong_etag(response)
        if response.status == HTTPStatus.OK:
            await in_thread(self._part.restart)
            self._etag, self._total = etag, response.content_length
        else:
            start, total = _content_range(response)
            # A length alone proves nothing: the rest could be another song's. A 206 repeats the ETag (RFC 9110).
            same = not self._part.size or (etag == self._etag is not None and total == (self._total or total))
            if total is None or start != self._part.size or not same:
                await in_thread(self._part.restart)
                self._etag = self._total = None
                raise AnswerError("wrong_range", "The file's server sent another range than the one asked for.")
            self._etag, self._total = etag, total
        if self._total is not None and self._total > self._largest:
            raise _too_large(self._largest)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        async for chunk in response.content.iter_chunked(_CHUNK):
            if self._part.size + len(chunk) > self._largest:
                raise _too_large(self._largest)
            await in_thread(self._part.write, chunk)
        if self._total is not None and self._part.size != self._total:
            raise AnswerError("incomplete", f"Only {self._part.size} of {self._total} bytes of the file arrived.")

    async def _check(self) -> FileType:
        file_type = detect(self._kind, self._part.head)
        if file_type is None:
            raise DownloadError("wrong_content", f"The file is not what it should be: {describe(self._part.head)}.")
        knows_length = self._total is not None
        if not await in_thread(self._part.is_whole, file_type, knows_length=knows_length):
            self._etag = None  # so that another attempt starts again
            # If the length of the answer was right, the file is as short on the server, and would be again.
            kind = DownloadError if knows_length else AnswerError
            raise kind("incomplete", f"Only {self._part.size} bytes arrived, and the file's header names more.")
        return file_type


def _check_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        return
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimitError(
            "http_429", "The file's server is busy.", status=status, retry_after=retry_after(response.headers)
        )
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ServerError(
            f"http_{status}", "The file's server failed.", status=status, retry_after=retry_after(response.headers)
        )
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise DownloadError(f"http_{status}", "The file is not there: results are kept for 90 days.", status=status)
    raise DownloadError(f"http_{status}", f"The file's server answered with HTTP {status}.", status=status)


def _content_range(response: aiohttp.ClientResponse) -> tuple[int, int | None]:
    """The first byte that the answer holds, and the length of the whole file; ``None`` if it does not say."""
    given = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status != HTTPStatus.PARTIAL_CONTENT or given is None:
        return 0, None
    return int(given["start"]), int(given["total"])


def _strong_etag(response: aiohttp.ClientResponse) -> str | None:
    """The ETag, if it is a strong one: a weak one does not promise the same bytes."""
    etag = response.headers.get("ETag")
    return etag if etag and etag.startswith('"') else None


def _too_large(largest: int) -> DownloadError:
    return DownloadError("too_large", f"The file is larger than {largest // 10**6} MB.")
