"""A wait ends at most a second after its timeout, and a look-up has a timeout of its own, whatever the service does."""

import asyncio
import contextlib

import pytest

from producer_tools import AnswerError, ProducerClient, ProducerToolError, SubmissionUnknownError
from producer_tools.tasks import waiting
from tests.clocks import InstantClock, VirtualClock
from tests.raw_server import RESET, SILENCE, Reply, answering, http
from tests.tasks.timed_service import SONG

LAST_LOOKUP_SECONDS = waiting._LAST_LOOKUP_SECONDS  # noqa: SLF001 - before a fixture changes it


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send an answer that never ends, until the client closes the connection."""
    writer.write(http(b"", cut=10**9))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.fixture
def short_last_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait gives its last look-up less real time. The timeouts of the tests are in virtual time."""
    assert LAST_LOOKUP_SECONDS < 1, "a wait ends at most a second after its timeout"
    monkeypatch.setattr(waiting, "_LAST_LOOKUP_SECONDS", 0.1)


REPLIES: dict[str, Reply] = {
    "silence": SILENCE,
    "an answer that never ends": trickle,
    "resets": RESET,
    "server errors": http({}, "503 Service Unavailable"),
    "too many requests": http({}, "429 Too Many Requests\r\nRetry-After: 25"),
    "HTML": http(b"<html>"),
    "an unfinished task": http({"items": [{"id": "a", "state": "pending"}]}),
}


@pytest.mark.usefixtures("short_last_lookup")
async def test_a_wait_ends_within_a_second_of_its_timeout() -> None:
    """A web request or an agent that waits for a few seconds would otherwise stand still for up to hours.

    The second wait comes within the poll interval of the first one's look-up.
    """

    async def wait_twice(reply: str, timeout: float) -> None:
        clock = VirtualClock()
        async with answering(REPLIES[reply]) as server, ProducerClient("t", server.base_url, clock=clock) as client:
            for _ in range(2):
                began = clock.now()
                with contextlib.suppress(ProducerToolError):
                    await asyncio.wait_for(client.wait(["a"], timeout), 50)
                assert clock.now() - began <= timeout + 1, reply

    # All of them at once, because a silent service takes real time.
    await asyncio.gather(*(wait_twice(reply, timeout) for reply in REPLIES for timeout in (0, 1, 20)))


@pytest.mark.usefixtures("short_last_lookup")
async def test_a_task_about_which_nothing_is_known_is_not_reported_as_unknown_to_the_service() -> None:
    """Reported as not found, a song that is paid for would be given up."""
    async with answering(SILENCE) as server, ProducerClient("t", server.base_url, clock=VirtualClock()) as client:
        with pytest.raises(AnswerError, match=r"^timeout: The service did not answer in time about the tasks a, b\. "):
            await client.wait(["a", "b"], 1)


async def test_a_submit_may_take_longer_than_a_look_up() -> None:
    """A look-up that hangs is free to repeat. A submit that is given up too early has an unknown outcome."""

    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(http({"task_id": "a"}))

    async with (
        answering(slow, SILENCE) as server,
        ProducerClient("t", server.base_url, lookup_timeout=0.02, clock=InstantClock()) as client,
    ):
        assert (await client.submit(SONG)).task_id == "a"
        with pytest.raises(AnswerError, match=r"^timeout: "):
            await asyncio.wait_for(client.get_task("a"), 50)


async def test_a_short_request_timeout_holds_for_look_ups_too() -> None:
    """Someone who sets 0.02 seconds for a request does not expect a look-up of 30."""
    async with (
        answering(SILENCE) as server,
        ProducerClient("t", server.base_url, request_timeout=0.02, clock=InstantClock()) as client,
    ):
        with pytest.raises(SubmissionUnknownError):
            await client.submit(SONG)
        with pytest.raises(AnswerError, match=r"^timeout: "):
            await asyncio.wait_for(client.get_task("a"), 50)
