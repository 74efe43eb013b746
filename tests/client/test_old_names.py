"""Public names that were replaced still work, with a warning that says the new name."""

import pytest

from producer_tools import CallbackReceiver, ProducerClient, SubmissionUnknownError
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import InstantClock
from tests.raw_server import answering, http


async def test_allow_again_releases_a_key(client: ProducerClient, sandbox: ProducerSandbox) -> None:
    song = GenerateMusic(prompt="a song")
    sandbox.listing.answer = "forbidden"
    sandbox.fail_next(Fault.RESET_AFTER_WORK)
    with pytest.raises(SubmissionUnknownError):
        await client.submit(song, key="key")
    with pytest.warns(DeprecationWarning, match="now called release"):
        await client.allow_again("key")
    assert (await client.submit(song, key="key")).task_id


async def test_hint_wakes_a_task() -> None:
    clock = InstantClock()
    async with answering(http({"id": "t1", "state": "pending"})) as server:
        async with ProducerClient("t", server.base_url, clock=clock) as client:
            await client.get_task("t1")
            with pytest.warns(DeprecationWarning, match="now called wake"):
                client.hint("t1")
            await client.get_task("t1")
    assert clock.slept == [], "the second look-up did not wait for the poll interval"


def test_on_hint_adds_a_listener_for_callbacks() -> None:
    receiver = CallbackReceiver("http://127.0.0.1:9")
    woken: list[str] = []
    with pytest.warns(DeprecationWarning, match="now called on_callback"):
        receiver.on_hint(woken.append)
    assert receiver.receive(receiver.address("key").rpartition("/")[2], b'{"task_id": "t1"}') == 204
    assert woken == ["t1"]
