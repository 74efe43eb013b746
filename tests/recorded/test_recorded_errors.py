"""Every error code of the API, recorded: the error message, and what it says about the money."""

from collections.abc import Callable

import pytest
from vcr.cassette import Cassette

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox
from tests.recorded.calls import Caller, Service

pytestmark = pytest.mark.vcr

NOT_CHARGED = "Nothing was charged."
MAYBE_CHARGED = "it may have been carried out and charged"
SONG = {"prompt": "a song"}


def scripted(code: str, status: int, times: int = 1) -> Callable[[ProducerSandbox], None]:
    """A script that makes the sandbox's next ``times`` requests fail with ``code``."""

    def script(sandbox: ProducerSandbox) -> None:
        for _ in range(times):
            sandbox.fail_next(code, "for a recording", status=status)

    return script


def refused(status: int, code: str, about_money: str, times: int = 1) -> object:
    """The test parameters of a submit that is refused."""
    mark = pytest.mark.sandbox(script=scripted(code, status, times))
    return pytest.param(code, about_money, id=f"{status}_{code}", marks=mark)


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("code", "about_money"),
    [
        refused(400, "bad_request", NOT_CHARGED),
        refused(400, "no_token", NOT_CHARGED),
        refused(400, "token_mismatched", NOT_CHARGED),
        refused(400, "api_not_implemented", NOT_CHARGED),
        refused(400, "disabled", NOT_CHARGED),
        refused(401, "invalid_token", NOT_CHARGED),
        refused(401, "token_expired", NOT_CHARGED),
        refused(401, "token_mismatched", NOT_CHARGED),
        refused(403, "used_up", NOT_CHARGED),
        refused(403, "disabled", NOT_CHARGED),
        refused(403, "forbidden", NOT_CHARGED),
        refused(404, "no_api", NOT_CHARGED),
        # It is retried for half a minute, since a request over the rate limit is not carried out.
        refused(429, "rate_limited", NOT_CHARGED, times=6),
        refused(500, "api_error", MAYBE_CHARGED),
        refused(504, "timeout", MAYBE_CHARGED),
    ],
)
async def test_a_submit_that_fails(code: str, about_money: str, call: Caller) -> None:
    """By the code and by what it says about the money, a model decides whether to submit again."""
    message = await call.error("producer_generate_music", **SONG)
    assert message.startswith(f"{code}: ")
    assert "trace_id" in message
    assert about_money in message


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, marks=pytest.mark.sandbox(script=scripted(code, status)))
        for code, status in (("too_many_requests", 429), ("rate_limited", 429))
    ],
)
async def test_a_submit_over_the_rate_limit_is_retried(code: str, call: Caller, vcr: Cassette) -> None:
    """The service did not carry it out, so a retry is safe; otherwise the model would have to submit it again."""
    submitted = await call("producer_generate_music", **SONG)
    assert submitted["state"] == "pending"
    assert [response["status"]["code"] for response in vcr.responses] == [429, 200]
    assert code in vcr.responses[0]["body"]["string"].decode()


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, marks=pytest.mark.sandbox(script=scripted(code, status)))
        for code, status in (("api_error", 500), ("timeout", 504), ("too_many_requests", 429))
    ],
)
async def test_a_failed_look_up_is_retried(code: str, call: Caller, vcr: Cassette) -> None:
    """A look-up costs nothing, so a temporary fault must not end an agent's wait."""
    message = await call.error("producer_get_task", task_id="nobody")
    assert message.startswith("not_found: ")
    assert len(vcr) == 2
    assert code in vcr.responses[0]["body"]["string"].decode()


@pytest.mark.sandbox_only
@pytest.mark.sandbox(balance=0)
async def test_an_empty_account(call: Caller) -> None:
    """Reported as a wrong token, it would make the user look for the fault in the wrong place."""
    message = await call.error("producer_generate_lyrics", prompt="rain")
    assert message.startswith("used_up: ")
    assert "topped up" in message


async def test_a_video_of_an_unknown_song(call: Caller) -> None:
    """A model must learn which argument is wrong, and that it cost nothing."""
    message = await call.error("producer_generate_video", audio_id="00000000-0000-4000-8000-000000000000")
    assert message.startswith("bad_request: ")
    assert NOT_CHARGED in message


async def test_a_wrong_token(service: Service, how: str, vcr: Cassette) -> None:
    """Only the application's owner can change the token, so the model must not retry."""
    async with ProducerClient("not-a-real-token", service.base_url, clock=service.clock) as client:
        call = Caller(ProducerToolkit(client=client), how, vcr)
        message = await call.error("producer_get_task", task_id="nobody")
    assert message.startswith("invalid_token: ")
    assert "do not retry" in message


async def test_a_wrong_base_url(service: Service, how: str, vcr: Cassette) -> None:
    """Reported as an unknown task, it would make the user look for the fault in the wrong place."""
    async with ProducerClient(service.api_token, f"{service.base_url}/nowhere", clock=service.clock) as client:
        call = Caller(ProducerToolkit(client=client), how, vcr)
        message = await call.error("producer_get_task", task_id="nobody")
    assert message.startswith("no_api: ")
    assert "base URL is wrong" in message
