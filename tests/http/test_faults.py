"""Each way in which a call can fail, over real connections: which error it becomes, and whether money may be gone."""

from typing import Any

import pytest
from langchain_core.tools import ToolException

from producer_tools import (
    AnswerError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    EndpointNotFoundError,
    InsufficientBalanceError,
    MissingTokenError,
    ProducerClient,
    ProducerError,
    ProducerGenerateMusic,
    ProducerGetTask,
    ProducerGetTasksBatch,
    ProducerToolError,
    RateLimitError,
    ServerError,
    ServiceDisabledError,
    ServiceUnreachableError,
    SubmissionUnknownError,
    TaskNotFoundError,
)
from producer_tools.http.faults import error_class
from producer_tools.http.transport import LARGEST_ANSWER
from producer_tools.requests import GenerateMusic
from tests.clocks import InstantClock
from tests.raw_server import RESET, SILENCE, answering, http, nobody_listening

TOKEN = "secret-token-of-a-test"
SONG = GenerateMusic(prompt="a song")


def refusal(code: str, message: str = "because", **more: Any) -> dict[str, Any]:
    return {"success": False, "error": {"code": code, "message": message}, "trace_id": "trace-7", **more}


REFUSALS = [
    ("400 Bad Request", "bad_request", BadRequestError),
    ("400 Bad Request", "api_not_implemented", BadRequestError),
    ("400 Bad Request", "no_token", AuthenticationError),
    ("400 Bad Request", "token_mismatched", AuthenticationError),
    ("400 Bad Request", "disabled", ServiceDisabledError),
    ("400 Bad Request", "a_new_code", BadRequestError),
    ("401 Unauthorized", "invalid_token", AuthenticationError),
    ("401 Unauthorized", "token_expired", AuthenticationError),
    ("401 Unauthorized", "token_mismatched", AuthenticationError),
    ("403 Forbidden", "used_up", InsufficientBalanceError),
    ("403 Forbidden", "disabled", ServiceDisabledError),
    ("403 Forbidden", "forbidden", ContentModerationError),
    ("403 Forbidden", "a_new_code", APIError),
    ("404 Not Found", "no_api", EndpointNotFoundError),
    ("429 Too Many Requests", "too_many_requests", RateLimitError),
    ("429 Too Many Requests", "rate_limited", RateLimitError),
    ("200 OK", "used_up", InsufficientBalanceError),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
async def test_a_refused_submit_was_not_charged(status: str, code: str, kind: type[APIError]) -> None:
    """A model decides by it what to do next, so each refusal has its own class and says that nothing was charged."""
    async with (
        answering(http(refusal(code), status)) as server,
        ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client,
    ):
        with pytest.raises(kind) as caught:
            await client.submit(SONG)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"{code}: because (trace_id trace-7). Nothing was charged.")
    assert (caught.value.code, caught.value.trace_id, caught.value.status) == (code, "trace-7", int(status[:3]))
    assert isinstance(caught.value, ToolException)


UNKNOWN = [
    ("reset", RESET, "connection_error"),
    ("500", http(refusal("api_error"), "500 Internal Server Error"), "api_error"),
    ("504", http(refusal("timeout"), "504 Gateway Timeout"), "timeout"),
    ("408", http(refusal("rate_limited"), "408 Request Timeout"), "rate_limited"),
    ("a server error under 200", http(refusal("api_error")), "api_error"),
    ("an unknown code under 200", http(refusal("odd")), "odd"),
    ("HTML from a proxy", http(b"<html>Bad gateway</html>", "502 Bad Gateway", "text/html"), "http_502"),
    ("a redirect", http(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"), "http_302"),
    ("HTML", http(b"<html>Welcome</html>", content_type="text/html"), "unreadable_answer"),
    ("an empty body", http(b""), "unreadable_answer"),
    ("a list", http([{"task_id": "t"}]), "unreadable_answer"),
    ("a number", http(7), "unreadable_answer"),
    ("half of the JSON, and the connection ends", http(b'{"task_id": "t', cut=20), "connection_error"),
    ("half of the JSON, with a length that fits", http(b'{"task_id": "t'), "unreadable_answer"),
    ("neither an id nor a result", http({"ok": True}), "unreadable_answer"),
    ("an id of another type", http({"task_id": {"a": 1}}), "unreadable_answer"),
    ("lists nested 100,000 deep", http(b"[" * 100_000), "unreadable_answer"),
    ("bytes that are not text", http(b"\xff\xfe{}"), "unreadable_answer"),
    ("no HTTP at all", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "connection_error"),
]


@pytest.mark.parametrize(("reply", "code"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
async def test_a_submit_with_an_unknown_outcome(reply: bytes, code: str) -> None:
    """The request may have been carried out, so sending it again could pay for a second song."""
    async with answering(reply) as server, ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError, match="may have been carried out and charged") as caught:
            await client.submit(SONG)
        assert len(server.paid) == 1
    assert caught.value.code == code
    assert str(caught.value).startswith(f"{code}: ")


async def test_a_submit_without_an_answer_has_an_unknown_outcome() -> None:
    async with (
        answering(SILENCE) as server,
        ProducerClient(TOKEN, server.base_url, request_timeout=0.05, clock=InstantClock()) as client,
    ):
        with pytest.raises(
            SubmissionUnknownError, match=r"^timeout: No complete answer from the service \(/producer/audios\) in time"
        ):
            await client.submit(SONG)


async def test_a_huge_answer_is_not_read_to_its_end() -> None:
    """Read to its end, an answer of 50 MB and more could use up the memory of the process."""
    longer = http(b"x" * (LARGEST_ANSWER + 1), cut=34 * 2**20)
    async with answering(longer) as server, ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
        with pytest.raises(SubmissionUnknownError, match="larger than 16 MiB"):
            await client.submit(SONG)


async def test_without_a_connection_nothing_was_sent() -> None:
    """Reported as an unknown outcome, it would make a person check an account in which nothing happened."""
    with nobody_listening() as base_url:
        async with ProducerClient(TOKEN, base_url, clock=InstantClock()) as client:
            with pytest.raises(ServiceUnreachableError, match="Nothing was sent and nothing was charged"):
                await client.submit(SONG)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (RESET, AnswerError, "connection_error"),
        (http(refusal("api_error"), "500 Internal Server Error"), ServerError, "api_error"),
        (http(b"<html>"), AnswerError, "unreadable_answer"),
        (http([]), AnswerError, "unreadable_answer"),
        (http({"surprise": 1}), AnswerError, "unreadable_answer"),
        (http(refusal("invalid_token")), AuthenticationError, "invalid_token"),
    ],
)
async def test_a_failed_look_up_does_not_warn_of_a_charge(reply: bytes, kind: type[ProducerError], code: str) -> None:
    """A look-up is free. If the error said that money may be gone, a model would not look again."""
    async with answering(reply) as server, ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
        with pytest.raises(kind) as caught:
            await client.get_task("t1")
    assert caught.value.code == code
    assert "may have been" not in str(caught.value)


@pytest.mark.parametrize("reply", [{}, {"items": None}, {"items": {"id": "t1"}}])
async def test_a_batch_answer_without_a_list_is_an_error(reply: dict[str, Any]) -> None:
    """Read as an empty list, it would report existing tasks as not found."""
    async with answering(http(reply)) as server, ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
        with pytest.raises(AnswerError):
            await client.get_tasks(["t1"])


async def test_an_unknown_task_is_not_reported_as_unfinished(client: ProducerClient) -> None:
    """Reported as unfinished, it would be waited for until the timeout."""
    with pytest.raises(TaskNotFoundError, match=r"^not_found: .*\(task_id unknown\)"):
        await client.get_task("unknown")


async def test_a_tool_returns_an_error_to_the_model() -> None:
    """Raised, it would end the agent's run."""
    async with answering(http(refusal("forbidden", "not these words", task_id="t9"), "403 Forbidden")) as server:
        async with ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
            call = {"type": "tool_call", "id": "c1", "name": "producer_generate_music", "args": {"prompt": "x"}}
            message = await ProducerGenerateMusic(client=client).ainvoke(call)
    assert message.status == "error"
    assert message.content.startswith("forbidden: not these words (task_id t9, trace_id trace-7)")


@pytest.mark.parametrize("tool", [ProducerGetTask, ProducerGetTasksBatch])
async def test_a_failed_look_up_is_returned_to_the_model(tool: Any) -> None:
    async with answering(http(b"<html>", "503 Service Unavailable")) as server:
        async with ProducerClient(TOKEN, server.base_url, clock=InstantClock()) as client:
            first = next(iter(tool.model_fields["args_schema"].default.model_fields))
            content = await tool(client=client).ainvoke({first: ["t1"] if first == "task_ids" else "t1"})
    assert content.startswith("http_503: ")


async def test_a_missing_token_is_raised_at_the_first_call() -> None:
    """A model cannot fix it, so it is no tool message: the programmer must see it, with the variable's name."""
    tool = ProducerGenerateMusic()
    with pytest.raises(MissingTokenError, match="ACEDATACLOUD_API_TOKEN"):
        await tool.ainvoke({"prompt": "x"})
    with pytest.raises(MissingTokenError, match="ACEDATACLOUD_API_TOKEN"):
        tool.invoke({"prompt": "x"})
    assert not issubclass(MissingTokenError, ToolException)


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
def test_the_error_class_of_a_status_and_a_code(
    status: int, code: str, paid: bool, kind: type[ProducerToolError]
) -> None:
    """If a paid call that may have been carried out were called refused, it would be paid for again."""
    assert error_class(status, code, paid=paid) is kind
