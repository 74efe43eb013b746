"""Hooks and middlewares of the caller's aiohttp session that fail: their errors say nothing of our request."""

from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
import pytest

from producer_tools import ProducerClient, RateLimitError, ServiceUnreachableError, SubmissionUnknownError
from producer_tools.requests import AUDIOS, GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock

Work = Callable[[], Awaitable[None]]

DEAD = "http://127.0.0.1:9"
SONG = GenerateMusic(prompt="x")


async def report_to_a_dead_server() -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(DEAD)


async def name_no_address() -> None:
    async with aiohttp.ClientSession() as session:
        await session.post("http://")


async def call_a_busy_service() -> None:
    raise RateLimitError("rate_limited", "The service of the hook is busy.", status=429)


def with_a_hook(work: Work) -> aiohttp.ClientSession:
    async def ended(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        if params.url.path == AUDIOS:
            await work()

    hooks = aiohttp.TraceConfig()
    hooks.on_request_end.append(ended)
    return aiohttp.ClientSession(trace_configs=[hooks])


def with_a_middleware(work: Work) -> aiohttp.ClientSession:
    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if request.url.path == AUDIOS:
            await work()
        return response

    return aiohttp.ClientSession(middlewares=[middleware])


@pytest.mark.parametrize("work", [report_to_a_dead_server, name_no_address, call_a_busy_service])
@pytest.mark.parametrize("session_with", [with_a_hook, with_a_middleware])
async def test_a_hook_that_fails_after_the_request_does_not_send_it_again(
    session_with: Callable[[Work], aiohttp.ClientSession], work: Work, sandbox: ProducerSandbox
) -> None:
    """Its own failed request looks like one of ours that was never sent: each repetition would be charged."""
    sandbox.listing.answer = "forbidden"
    async with session_with(work) as session:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, session=session, clock=InstantClock())
        with pytest.raises(SubmissionUnknownError, match="a hook or middleware of the given aiohttp session raised"):
            await client.submit(SONG, key="k")
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG, key="k")
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("new_session", [partial(with_a_hook, report_to_a_dead_server), aiohttp.ClientSession])
async def test_a_session_without_a_connection_has_sent_nothing(
    new_session: Callable[[], aiohttp.ClientSession], sandbox: ProducerSandbox
) -> None:
    """An outage would leave each song with an unknown outcome."""
    async with new_session() as session:
        client = ProducerClient(sandbox.api_token, DEAD, session=session, clock=InstantClock())
        with pytest.raises(ServiceUnreachableError, match="Nothing was sent"):
            await client.submit(SONG, key="k")
