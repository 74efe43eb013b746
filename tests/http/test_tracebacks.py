"""No traceback of a call that is stopped from outside shows the token, also with the local variables of each frame."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

import producer_tools
from producer_tools import ConfigurationError, ProducerClient, ProducerToolkit
from producer_tools.files.uploads.recordings import Recording
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.raw_server import answering, http
from tests.tasks.test_shared_looks import turns

TOKEN = "sk-client-4f9c1e7a55"

CALLS: dict[str, Callable[[ProducerClient], Awaitable[object]]] = {
    "submit": lambda client: client.submit(GenerateMusic(prompt="x"), key="k"),
    "look-up": lambda client: client.get_task("t"),
    "look-up of many": lambda client: client.get_tasks(["t"]),
    "upload": lambda client: client.upload(lambda: Recording("a.mp3", "audio/mpeg", b"x", "0" * 64)),
}


def assert_no_token(error: BaseException) -> None:
    """Fail if the traceback of ``error``, or of an error that it came from, has the token; tests excepted."""
    seen: list[BaseException | None] = [error]
    while seen:
        if (each := seen.pop()) is None:
            continue
        printed = traceback.TracebackException.from_exception(each, capture_locals=True)
        for frame in printed.stack:
            assert frame.filename == __file__ or TOKEN not in str(frame.locals), f"{frame.filename}, {frame.name}"
        assert TOKEN not in repr(each) + str(each) + repr(getattr(each, "__notes__", ""))
        seen += [each.__cause__, each.__context__]


@pytest.mark.parametrize("begin", [b"", http(b"{", cut=10)], ids=["silence", "half an answer"])
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize("by_timeout", [True, False], ids=["timed out", "cancelled"])
async def test_a_call_that_is_stopped_from_outside(
    call: Callable[[ProducerClient], Awaitable[object]], begin: bytes, by_timeout: bool
) -> None:
    """Sentry, rich and loguru print local variables; aiohttp's frames have the request's headers in theirs."""
    is_stopped = asyncio.Event()

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await is_stopped.wait()
        writer.transport.abort()

    no_search = http({}, "403 Forbidden")  # else the task of the submit would be looked for
    async with (
        answering(reply, no_search) as server,
        ProducerClient(base_url=server.base_url, clock=InstantClock()) as client,
    ):
        with producer_tools.api_token(TOKEN):
            calling = asyncio.ensure_future(call(client))
        while not server.requests:
            await asyncio.sleep(0.001)
        if not by_timeout:
            calling.cancel("from outside")
        stopping = asyncio.ensure_future(asyncio.wait_for(calling, 0 if by_timeout else None))
        await turns()
        is_stopped.set()  # only now: a submit goes on without its caller, and would end before it is stopped
        with pytest.raises((asyncio.CancelledError, asyncio.TimeoutError)) as caught:
            await stopping
    assert_no_token(caught.value)


async def test_a_token_that_no_header_can_carry() -> None:
    """It may be a token with one character too many, pasted from a text."""
    async with ProducerClient("t") as client:
        with pytest.raises(ConfigurationError) as caught, producer_tools.api_token(TOKEN + "\u00e9"):
            await client.get_task("t")
    assert_no_token(caught.value)


async def broken_hook(*_: object) -> None:
    raise ValueError("broken")


HOOKS: dict[str, Callable[[aiohttp.TraceConfig], object]] = {
    "on_request_start": lambda hooks: hooks.on_request_start.append(broken_hook),
    "on_request_headers_sent": lambda hooks: hooks.on_request_headers_sent.append(broken_hook),
    "on_request_end": lambda hooks: hooks.on_request_end.append(broken_hook),
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=list(HOOKS))
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
async def test_a_hook_of_the_callers_session_that_fails(
    call: Callable[[ProducerClient], Awaitable[object]],
    hook: Callable[[aiohttp.TraceConfig], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error is the hook's, and its frames are aiohttp's, with the request's headers. The log says where it was."""
    hook(hooks := aiohttp.TraceConfig())
    async with answering(http({"id": "t", "items": []})) as server, aiohttp.ClientSession(trace_configs=[hooks]) as own:
        client = ProducerClient(base_url=server.base_url, session=own, clock=InstantClock())
        with producer_tools.api_token(TOKEN), pytest.raises(ValueError, match="broken") as caught:
            await call(client)
    assert_no_token(caught.value)
    assert f"ValueError ({Path(__file__).name}, line " in caplog.text


@pytest.mark.parametrize(
    "make",
    [
        lambda: ProducerClient(TOKEN, "no URL"),
        lambda: ProducerClient(TOKEN, lookup_timeout=-1),
        lambda: ProducerClient(TOKEN, request_timeout="soon"),  # type: ignore[arg-type]  # a mistake
        lambda: ProducerClient(TOKEN, ledger=5),  # type: ignore[arg-type]  # a mistake
        lambda: ProducerClient(TOKEN, budget=5),  # type: ignore[arg-type]  # a mistake
        lambda: ProducerToolkit(api_token=TOKEN),  # type: ignore[call-arg]  # a mistake
        lambda: producer_tools.api_token(TOKEN.encode()).__enter__(),  # type: ignore[arg-type]  # a mistake
        lambda: ProducerSandbox(api_token=TOKEN, port=-1),
    ],
    ids=["URL", "timeout", "text for a number", "ledger", "budget", "toolkit", "bytes", "sandbox"],
)
def test_a_client_that_is_set_up_wrongly(make: Callable[[], object]) -> None:
    """Such an error is raised when a server starts, and goes to its log with all variables."""
    with pytest.raises((ConfigurationError, TypeError, ValueError)) as caught:
        make()
    assert_no_token(caught.value)
