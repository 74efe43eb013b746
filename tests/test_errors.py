"""The errors themselves: their text, their length, and copies of them."""

import copy
import pickle
from collections.abc import Callable

import pytest

import producer_tools.errors
from producer_tools import (
    AuthenticationError,
    BadRequestError,
    ProducerClient,
    ProducerError,
    ProducerGenerateMusic,
    ProducerToolError,
    RateLimitError,
    SubmissionConflictError,
    TaskNotFinishedError,
    TaskNotFoundError,
)
from producer_tools.requests import GenerateMusic
from tests.raw_server import answering, http


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (SubmissionConflictError, ["k"], "key_reused: The key k belongs to an earlier call with other arguments."),
        (TaskNotFoundError, ["t"], "not_found: There is no such task (task_id t)."),
        (
            TaskNotFinishedError,
            ["t", "pending"],
            "not_finished: Nothing to download yet: the task is pending (task_id t).",
        ),
    ],
)
def test_the_text_of_an_error(kind: Callable[..., ProducerToolError], arguments: list[str], text: str) -> None:
    """A model reads only this: the code, what happened, the task, and what to do."""
    error = kind(*arguments)
    assert error.args == (error.for_model(),), "LangChain shows a model the first argument"
    assert error.for_model() == f"{text} {error.advice_to_model or error.advice}"
    assert error.advice
    assert copy.copy(error).args == error.args


def test_a_message_is_cut_after_five_hundred_characters() -> None:
    """Uncut, a page of HTML from a proxy would fill a model's context."""
    assert ProducerToolError("c", "x" * 500).message == "x" * 500
    assert ProducerToolError("c", "x" * 501).message == "x" * 499 + "…"


async def test_a_message_of_the_service_becomes_one_line() -> None:
    lines = "no\n\n" * 1000
    refused = {"error": {"code": "bad_request", "message": lines}}
    async with answering(http(refused, "400 Bad Request")) as server:
        async with ProducerClient("t", server.base_url) as client:
            with pytest.raises(BadRequestError) as caught:
                await client.submit(GenerateMusic(prompt="a song"))
    assert len(caught.value.message) == 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("clone", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - our own bytes
def test_a_copy_of_an_error_is_complete(clone: Callable[[Exception], Exception]) -> None:
    """Otherwise an error loses its ids, or its class, on its way from another process."""
    error = RateLimitError("rate_limited", "slower", status=429, trace_id="tr", task_id="t")
    copied = clone(error)
    assert (type(copied), str(copied), vars(copied)) == (RateLimitError, str(error), vars(error))


@pytest.mark.parametrize("name", producer_tools.errors.__all__)
def test_a_person_is_not_told_to_tell_the_user(name: str) -> None:
    """Whoever reads a traceback is the application's owner, and has no tools to call."""
    kind: type[ProducerError] = getattr(producer_tools.errors, name)
    for words in ("tell the user", "owner", "producer_"):
        assert words not in kind.advice.lower()


async def test_a_model_and_a_person_read_different_words() -> None:
    """The model must stop and tell the user; the person must know where to look."""
    refusing = http({"error": {"code": "invalid_token", "message": "no"}}, "401 Unauthorized")
    async with answering(refusing) as server, ProducerClient("token", server.base_url) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.submit(GenerateMusic(prompt="a song"))
        call = {"type": "tool_call", "id": "c", "name": "producer_generate_music", "args": {"prompt": "a song"}}
        message = await ProducerGenerateMusic(client=client).ainvoke(call)
    assert "Check the API token" in str(caught.value)
    assert message.content == caught.value.for_model()
    assert message.content.endswith("tell the user; do not retry.")
