"""How long a client waits before it makes a refused call again."""

import pytest

from producer_tools import ProducerClient, RateLimitError, ServiceUnreachableError
from producer_tools.http.transport import CONNECT_SECONDS, Transport
from producer_tools.requests import GenerateMusic
from tests.clocks import InstantClock
from tests.raw_server import answering, http


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("header", ["", "Retry-After: 0", "Retry-After: 1", "Retry-After: 0.001", "Retry-After: -5"])
async def test_the_pauses_grow_from_one_second_whatever_a_server_asks_for(header: str, paid: bool) -> None:
    """With pauses of zero, each client sent as fast as it could for 30 seconds to a service that is overloaded."""
    runs = []
    for _ in range(2):
        clock = InstantClock()
        refusing = http({}, f"429 Too Many Requests\r\n{header}".rstrip())
        async with answering(refusing) as server, ProducerClient("t", server.base_url, clock=clock) as client:
            with pytest.raises(RateLimitError):
                await (client.submit(GenerateMusic(prompt="x")) if paid else client.get_task("a"))
            assert len(server.requests) == len(clock.slept) + 1
        runs.append(clock.slept)
    for slept in runs:
        expected = [1, 2, 4, 8, 8][: len(slept)]
        assert len(slept) >= 4
        assert all(least <= seconds <= least + 1 for seconds, least in zip(slept, expected, strict=True))
    assert runs[0] != runs[1], "the pauses of two clients differ, so that they do not come back together"


async def test_a_longer_pause_that_a_server_asks_for_is_kept() -> None:
    """Sooner, the call would be refused again. Clients that are told the same do not come back together."""
    clock = InstantClock()
    refusing = http({}, "429 Too Many Requests\r\nRetry-After: 12")
    async with answering(refusing) as server, ProducerClient("t", server.base_url, clock=clock) as client:
        with pytest.raises(RateLimitError):
            await client.get_task("a")
    assert len(clock.slept) == 2
    assert all(12 <= seconds <= 13 for seconds in clock.slept)
    assert clock.slept[0] != clock.slept[1]


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("seconds", [0.0, CONNECT_SECONDS], ids=["refused", "silent"])
async def test_a_dead_host_is_reported_within_ten_seconds(
    seconds: float, paid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wrong address, or behind a firewall, a person would wait half a minute for the error."""
    clock = InstantClock()
    attempts = 0

    async def connect(*_: object, **__: object) -> None:
        nonlocal attempts
        attempts += 1
        clock.time += seconds
        raise ServiceUnreachableError("connection_error", "no connection")

    monkeypatch.setattr(Transport, "post", connect)
    async with ProducerClient("t", "http://127.0.0.1:9", clock=clock) as client:
        began = clock.time
        with pytest.raises(ServiceUnreachableError):
            await (client.submit(GenerateMusic(prompt="x")) if paid else client.get_task("a"))
    assert attempts >= 2, "a packet may be lost"
    assert clock.time - began <= 10
