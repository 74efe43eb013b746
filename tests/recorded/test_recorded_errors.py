"""Every error code of the API, recorded: what a model is told, and what is said of the money."""

from collections.abc import Callable

import pytest
from vcr.cassette import Cassette

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox
from tests.recorded.calls import Caller, Service

pytestmark = pytest.mark.vcr

NOTHING = "Nothing was charged."
UNKNOWN = "it may have been carried out and charged"
SONG = {"prompt": "a song"}


def scripted(code: str, status: int, times: int = 1) -> Callable[[ProducerSandbox], None]:
    """The next ``times`` requests fail with ``code``."""

    def script(sandbox: ProducerSandbox) -> None:
        for _ in range(times):
            sandbox.fail_next(code, "for a recording", status=status)

    return script


def refused(status: int, code: str, about_money: str, times: int = 1) -> object:
    mark = pytest.mark.sandbox(script=scripted(code, status, times))
    return pytest.param(code, about_money, id=f"{status}_{code}", marks=mark)


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("code", "about_money"),
    [
        refused(400, "bad_request", NOTHING),
        refused(400, "no_token", NOTHING),
        refused(400, "token_mismatched", NOTHING),
        refused(400, "api_not_implemented", NOTHING),
        refused(400, "disabled", NOTHING),
        refused(401, "invalid_token", NOTHING),
        refused(401, "token_expired", NOTHING),
        refused(401, "token_mismatched", NOTHING),
        refused(403, "used_up", NOTHING),
        refused(403, "disabled", NOTHING),
        refused(403, "forbidden", NOTHING),
        refused(404, "no_api", NOTHING),
        # Tried again for half a minute, since it was refused before any work; then that is the answer.
        refused(429, "rate_limited", NOTHING, times=6),
        refused(500, "api_error", UNKNOWN),
        refused(504, "timeout", UNKNOWN),
    ],
)
async def test_a_submit_that_fails(code: str, about_money: str, call: Caller) -> None:
    """The message starts with the code and tells the truth about the money: a model decides by it what to do."""
    message = await call.refused("producer_generate_music", **SONG)
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
async def test_a_submit_that_came_too_early_is_sent_again(code: str, call: Caller, vcr: Cassette) -> None:
    """A refusal before any work is safe to repeat, and the model need not hear of it."""
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
async def test_a_look_that_fails_is_made_again(code: str, call: Caller, vcr: Cassette) -> None:
    """A look costs nothing: a passing fault must not end an agent's wait."""
    message = await call.refused("producer_get_task", task_id="nobody")
    assert message.startswith("not_found: ")
    assert len(vcr) == 2
    assert code in vcr.responses[0]["body"]["string"].decode()


@pytest.mark.sandbox_only
@pytest.mark.sandbox(balance=0)
async def test_an_empty_account(call: Caller) -> None:
    """An empty account is not a wrong token: told so, a user would look for the fault in the wrong place."""
    message = await call.refused("producer_generate_lyrics", prompt="rain")
    assert message.startswith("used_up: ")
    assert "topped up" in message


async def test_a_video_of_an_unknown_song(call: Caller) -> None:
    """The service's own refusal of a wrong argument: the model learns which, and that it cost nothing."""
    message = await call.refused("producer_generate_video", audio_id="00000000-0000-4000-8000-000000000000")
    assert message.startswith("bad_request: ")
    assert NOTHING in message


async def test_a_wrong_token(service: Service, how: str, vcr: Cassette) -> None:
    """It is the application's owner who can mend that, so the model must not try again."""
    async with ProducerClient("no-token-of-anybody", service.base_url, clock=service.clock) as client:
        call = Caller(ProducerToolkit(client=client), how, vcr)
        message = await call.refused("producer_get_task", task_id="nobody")
    assert message.startswith("invalid_token: ")
    assert "do not retry" in message


async def test_an_address_that_is_not_the_apis(service: Service, how: str, vcr: Cassette) -> None:
    """A wrong base URL is told as such, not as an unknown task."""
    async with ProducerClient(service.api_token, f"{service.base_url}/nowhere", clock=service.clock) as client:
        call = Caller(ProducerToolkit(client=client), how, vcr)
        message = await call.refused("producer_get_task", task_id="nobody")
    assert message.startswith("no_api: ")
    assert "base URL is wrong" in message
