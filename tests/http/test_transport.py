"""One request: what is sent, how the answer is read, and what an error keeps of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from producer_tools import (
    BadRequestError,
    ConfigurationError,
    ProducerToolError,
    RateLimitError,
    ServiceUnreachableError,
)
from producer_tools.http.settings import Settings
from producer_tools.http.transport import Transport
from producer_tools.requests import AUDIOS, TASKS
from tests.raw_server import RESET, RawServer, Reply, answering, http, nobody_listening

TOKEN = "secret-token-of-a-test"


@asynccontextmanager
async def opened(
    *replies: Reply, session: aiohttp.ClientSession | None = None
) -> AsyncIterator[tuple[Transport, RawServer]]:
    """A transport, and the server that it sends to."""
    async with answering(*replies) as server:
        transport = transport_to(server.base_url, session)
        yield transport, server
        await transport.aclose()


def transport_to(base_url: str, session: aiohttp.ClientSession | None = None) -> Transport:
    settings = Settings(base_url, request_timeout=20, lookup_timeout=20, poll_interval=0, max_paid_in_flight=1)
    return Transport(settings, SecretStr(TOKEN), session)


async def error_of(reply: Reply) -> ProducerToolError:
    """The error that a look-up raises when it is answered with ``reply``."""
    async with opened(reply) as (transport, _):
        with pytest.raises(ProducerToolError) as caught:
            await transport.post(TASKS, {}, paid=False)
    return caught.value


async def test_the_head_and_body_of_a_request() -> None:
    """Without the user agent, the service's operators cannot see which library calls them."""
    async with opened(http({"id": "t"})) as (transport, server):
        assert await transport.post(TASKS, {"id": "t"}, paid=False) == {"id": "t"}
    head, _, body = server.requests[0].lower().partition(b"\r\n\r\n")
    assert head.startswith(b"post /producer/tasks http/1.1\r\n")
    assert b"\r\nauthorization: bearer secret-token-of-a-test\r\n" in head + b"\r\n"
    assert b"\r\nuser-agent: producer-tools\r\n" in head + b"\r\n"
    assert body == b'{"id": "t"}'


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"\n <html>", "it is HTML or XML"),
        (b"[]", "it is a list"),
        (b' {"id": ', "it is incomplete"),
        (b"done ", "it is not a JSON object"),
    ],
)
async def test_the_error_of_an_unreadable_answer_says_what_it_is(raw: bytes, reason: str) -> None:
    """The answer itself is not kept, so this is the only clue to the cause."""
    error = await error_of(http(raw))
    assert error.message == f"/producer/tasks answered with something that cannot be read: {reason}."


async def test_an_answer_in_many_parts_is_put_together() -> None:
    lyric = "".join(f"line {number}\n" for number in range(40_000))
    async with opened(http({"id": "t", "lyric": lyric})) as (transport, _):
        assert (await transport.post(TASKS, {}, paid=False))["lyric"] == lyric


async def test_an_answer_of_the_largest_size_is_read_and_a_larger_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b'{"id": "t"}'
    monkeypatch.setattr("producer_tools.http.transport.LARGEST_ANSWER", len(answer))
    async with opened(http(answer)) as (transport, _):
        assert await transport.post(TASKS, {}, paid=False) == {"id": "t"}
    assert (await error_of(http(answer + b" "))).code == "unreadable_answer"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", None), ("\r\nRetry-After: 7", 7.0), ("\r\nretry-after: 0", 0.0), ("\r\nRetry-After: 99999", 3600.0),
     ("\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", None), ("\r\nRetry-After: -1", None)],
)  # fmt: skip
async def test_an_error_keeps_retry_after(header: str, seconds: float | None) -> None:
    """Without it, the next attempt comes too early; without a bound, a server could stop an agent for a day."""
    error = await error_of(http({"error": {"code": "rate_limited"}}, f"429 Too Many Requests{header}"))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"error": {"code": "bad_request", "message": "no such model"}}, "bad_request: no such model."),
        ({"error": "no such model"}, "http_400: no such model."),
        ({"detail": "no such model"}, "http_400: no such model."),
        ({"error": {"code": " ", "message": ""}}, "http_400: HTTP 400 without a reason."),
        ({}, "http_400: HTTP 400 without a reason."),
        ({"error": {"message": f"bad key {TOKEN}"}}, "http_400: bad key [api token]."),
    ],
)
async def test_the_reason_of_a_refusal_is_found_in_every_form(answer: dict[str, Any], text: str) -> None:
    """The reason may be in another place than usual, and it may quote the token, which must not be shown."""
    error = await error_of(http(answer, "400 Bad Request"))
    assert str(error) == f"{text} {BadRequestError.advice}"


@pytest.mark.parametrize("status", ["300 Multiple Choices", "302 Found\r\nLocation: http://127.0.0.1:1/"])
async def test_a_status_of_300_or_more_is_no_answer(status: str) -> None:
    assert (await error_of(http({"id": "t"}, status))).code == f"http_{status[:3]}"


@pytest.mark.parametrize("key", ["task_id", "id", "items"])
async def test_the_error_of_a_task_is_not_a_refused_call(key: str) -> None:
    """If it were raised, nobody could look up a failed task."""
    answer = {key: "t", "error": {"code": "api_error", "message": "no capacity"}}
    async with opened(http(answer)) as (transport, _):
        assert await transport.post(TASKS, {}, paid=False) == answer


async def test_the_error_of_a_broken_connection_says_how_it_broke() -> None:
    error = await error_of(RESET)
    assert error.code == "connection_error"
    assert error.message.startswith("The connection to the service (/producer/tasks) broke during the answer (")
    assert "Error)" in error.message


async def test_the_error_of_a_refused_connection_says_why() -> None:
    with nobody_listening() as base_url:
        transport = transport_to(base_url)
        await transport.prepare()
        with pytest.raises(ServiceUnreachableError) as caught:
            await transport.post(AUDIOS, {}, paid=True)
        await transport.aclose()
    assert caught.value.code == "connection_error"
    assert caught.value.message.startswith(
        "No connection to the service (/producer/audios): Cannot connect to host 127.0.0.1"
    )


async def test_a_callers_session_is_used_unless_it_cannot_work() -> None:
    """A session that is closed, or of another event loop, would fail in the middle of a request."""
    async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as session:
        async with opened(http({"id": "t"}), session=session) as (transport, server):
            await transport.post(TASKS, {}, paid=False)
            assert b"\r\nx-mine: yes\r\n" in server.requests[0].lower()
            with pytest.raises(ConfigurationError) as other_loop:
                await asyncio.to_thread(asyncio.run, transport.post(TASKS, {}, paid=False))
    with pytest.raises(ConfigurationError) as closed:
        await transport_to(server.base_url, session).post(TASKS, {}, paid=False)
    assert str(closed.value) == str(other_loop.value) == (
        "configuration: The given session works only while it is open, and only in the event loop it was made in. "
        "For sync calls and other event loops, use a client without a session of yours."
    )  # fmt: skip
