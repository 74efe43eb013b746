"""One request: what goes out, what is read of the answer, and what an error keeps of it."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from producer_tools import APIError, ConfigurationError, ProducerToolError, ServiceUnreachableError
from producer_tools.errors import (
    BadRequestError,
    ContentModerationError,
    RateLimitError,
    ServerError,
    SubmissionConflictError,
    SubmissionUnknownError,
    TaskNotFinishedError,
    TaskNotFoundError,
)
from producer_tools.http import transport
from producer_tools.http.faults import error_class
from producer_tools.http.transport import Transport
from producer_tools.requests import AUDIOS, TASKS
from tests.raw_server import RESET, RawServer, Reply, answering, http

TOKEN = "secret-token-of-a-test"


@asynccontextmanager
async def posting(*replies: Reply, **options: Any) -> AsyncIterator[tuple[Transport, RawServer]]:
    async with answering(*replies) as server:
        made = Transport(server.base_url, SecretStr(TOKEN), options.get("session"), timeout=20)
        yield made, server
        await made.aclose()


async def fault(reply: Reply) -> ProducerToolError:
    """The error that ``reply`` to a look-up becomes."""
    async with posting(reply) as (made, _):
        with pytest.raises(ProducerToolError) as caught:
            await made.post(TASKS, {}, paid=False)
    return caught.value


async def test_what_is_sent() -> None:
    """Without its name, the service's operators cannot tell who calls."""
    async with posting(http({"id": "t"})) as (made, server):
        assert await made.post(TASKS, {"id": "t"}, paid=False) == {"id": "t"}
    head, _, body = server.requests[0].lower().partition(b"\r\n\r\n")
    assert head.startswith(b"post /producer/tasks http/1.1\r\n")
    assert b"\r\nauthorization: bearer secret-token-of-a-test\r\n" in head + b"\r\n"
    assert b"\r\nuser-agent: producer-tools\r\n" in head + b"\r\n"
    assert body == b'{"id": "t"}'


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"\n <html>", "it is HTML or XML"),
        (b"[]", "it is a list"),
        (b' {"id": ', "it is incomplete"),
        (b"done ", "it is not a JSON object"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_described(raw: bytes, said: str) -> None:
    """It is all that whoever looks for the cause is told."""
    error = await fault(http(raw))
    assert error.message == f"/producer/tasks answered with something that cannot be read: {said}."


async def test_an_answer_in_many_pieces_is_put_together() -> None:
    lyric = "".join(f"line {number}\n" for number in range(40_000))
    async with posting(http({"id": "t", "lyric": lyric})) as (made, _):
        assert (await made.post(TASKS, {}, paid=False))["lyric"] == lyric


async def test_the_largest_answer_is_read_and_no_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b'{"id": "t"}'
    monkeypatch.setattr(transport, "LARGEST_ANSWER", len(answer))
    async with posting(http(answer)) as (made, _):
        assert await made.post(TASKS, {}, paid=False) == {"id": "t"}
    assert (await fault(http(answer + b" "))).code == "unreadable_answer"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", None), ("\r\nRetry-After: 7", 7.0), ("\r\nretry-after: 0", 0.0), ("\r\nRetry-After: 99999", 3600.0),
     ("\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", None), ("\r\nRetry-After: -1", None)],
)  # fmt: skip
async def test_how_long_to_wait_is_kept(header: str, seconds: float | None) -> None:
    """Lost, the next try comes too early; taken without a bound, a server puts an agent to sleep for a day."""
    error = await fault(http({"error": {"code": "rate_limited"}}, f"429 Too Many Requests{header}"))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": {"code": "bad_request", "message": "no such model"}}, "bad_request: no such model"),
        ({"error": "no such model"}, "http_400: no such model"),
        ({"detail": "no such model"}, "http_400: no such model"),
        ({"error": {"code": " ", "message": ""}}, "http_400: HTTP 400 without a reason."),
        ({}, "http_400: HTTP 400 without a reason."),
        ({"error": {"message": f"bad key {TOKEN}"}}, "http_400: bad key [api token]"),
    ],
)
async def test_a_refusal_in_whatever_form(answer: dict[str, Any], said: str) -> None:
    """A reason in another place than usual still reaches the reader, and no part of the token does."""
    error = await fault(http(answer, "400 Bad Request"))
    assert str(error) == f"{said} {BadRequestError.advice}"


@pytest.mark.parametrize("status", ["300 Multiple Choices", "302 Found\r\nLocation: http://127.0.0.1:1/"])
async def test_only_a_200_is_an_answer(status: str) -> None:
    assert (await fault(http({"id": "t"}, status))).code == f"http_{status[:3]}"


@pytest.mark.parametrize("key", ["task_id", "id", "items"])
async def test_an_error_inside_a_task_is_no_refusal(key: str) -> None:
    """Raised, a failed task could not be looked at any more."""
    answer = {key: "t", "error": {"code": "api_error", "message": "no capacity"}}
    async with posting(http(answer)) as (made, _):
        assert await made.post(AUDIOS, {}, paid=True) == answer


async def test_a_broken_connection_says_how() -> None:
    error = await fault(RESET)
    assert error.code == "connection_error"
    assert error.message.startswith("The connection to the service (/producer/tasks) broke during the answer (")
    assert "Error)" in error.message


async def test_a_connection_that_cannot_be_made_says_why() -> None:
    async with posting(http({})) as (made, server):
        pass
    made = Transport(server.base_url, SecretStr(TOKEN), None, timeout=20)
    with pytest.raises(ServiceUnreachableError) as caught:
        await made.post(AUDIOS, {}, paid=True)
    await made.aclose()
    assert caught.value.code == "connection_error"
    assert caught.value.message.startswith(
        "No connection to the service (/producer/audios): Cannot connect to host 127.0.0.1"
    )


async def test_a_session_of_the_callers_is_used_and_refused_where_it_cannot_work() -> None:
    async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as mine:
        async with posting(http({"id": "t"}), session=mine) as (made, server):
            await made.post(TASKS, {}, paid=False)
            assert b"\r\nx-mine: yes\r\n" in server.requests[0].lower()
            with pytest.raises(ConfigurationError) as elsewhere:
                await asyncio.to_thread(asyncio.run, made.post(TASKS, {}, paid=False))
    with pytest.raises(ConfigurationError) as closed:
        await Transport(server.base_url, SecretStr(TOKEN), mine, timeout=20).post(TASKS, {}, paid=False)
    assert str(closed.value) == str(elsewhere.value) == (
        "configuration: The given session works only while it is open, and only in the event loop it was made in. "
        "For sync calls and other event loops, use a client without a session of yours."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "paid", "kind"),
    [
        (499, "odd", True, APIError),
        (500, "odd", True, SubmissionUnknownError),
        (500, "odd", False, ServerError),
        (500, "forbidden", True, SubmissionUnknownError),
        (408, "", False, ServerError),
        (200, "forbidden", True, ContentModerationError),
        (400, "api_error", True, SubmissionUnknownError),
        (399, "odd", True, SubmissionUnknownError),
    ],
)
def test_what_a_status_and_a_code_mean(status: int, code: str, paid: bool, kind: type[ProducerToolError]) -> None:
    """What is no clear refusal of a paid call must never be told as one: it would be bought again."""
    assert error_class(status, code, paid=paid) is kind


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        (SubmissionConflictError, ["k"], "key_reused: The key k belongs to an earlier call with other arguments."),
        (TaskNotFoundError, ["t"], "not_found: There is no such task. (task_id t)"),
        (
            TaskNotFinishedError,
            ["t", "pending"],
            "not_finished: Nothing to download yet: the task is pending. (task_id t)",
        ),
    ],
)
def test_what_an_error_says(kind: type[ProducerToolError], about: list[str], said: str) -> None:
    """It is what a model goes by: the code, what happened, the task, and what to do."""
    error = kind(*about)
    assert str(error) == f"{said} {kind.advice}"
    assert kind.advice
    assert copy.copy(error).args == (str(error),)


def test_a_message_is_cut_where_it_becomes_too_long() -> None:
    assert ProducerToolError("c", "x" * 500).message == "x" * 500
    assert ProducerToolError("c", "x" * 501).message == "x" * 499 + "…"
