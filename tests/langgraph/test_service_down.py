"""Graphs while the service is down: no further song is paid for, what is paid is kept, and a later run goes on."""

from pathlib import Path

from producer_tools.langgraph import album_graph, vary
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import PatientClock
from tests.langgraph.runner import (
    AUDIOS,
    Runner,
    charged_actions,
    charged_prompts,
    error_codes,
    fast_client,
    sync_and_async,
)
from tests.langgraph.song_graphs import build_plain_graph, order

WISHES = ["a waltz", "a tango", "a polka", "a march"]


def _sent(sandbox: ProducerSandbox) -> int:
    return sum(request.endpoint == AUDIOS for request in sandbox.requests)


@sync_and_async
async def test_an_album_stops_paying_and_goes_on_later(run: Runner, sandbox: ProducerSandbox, directory: Path) -> None:
    """If this fails, each song of an album tries a service that is down, or a finished song is paid for again."""
    clock = PatientClock()
    async with fast_client(sandbox, clock=clock, failures_until_down=1) as client:
        graph = album_graph(client, download_dir=directory)
        first = await run(graph, {"wishes": WISHES[:1]})
        with sandbox.outage("no_capacity"):
            assert error_codes(await run(graph, {"wishes": WISHES[:2]})) == [None, "api_error"]
            sent = _sent(sandbox)
            stopped = await run(graph, {"wishes": WISHES})
        assert error_codes(stopped) == [None, *["service_unavailable"] * 3]
        assert stopped["songs"][0] == first["songs"][0]
        assert _sent(sandbox) == sent
        clock.advance(60)
        for _ in range(2):  # the first run tries with one song, whose end decides about the others
            state = await run(graph, {"wishes": WISHES})
        assert error_codes(state) == [None] * 4
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


async def test_a_retired_action_leaves_the_song_that_is_finished(
    run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """The review asks for a variation that the service no longer makes: the first take is saved."""
    sandbox.outage("retired", actions=["variation"])
    async with fast_client(sandbox) as client:
        graph = album_graph(client, review=vary, download_dir=directory)
        state = await run(graph, {"wishes": WISHES[:2]})
    assert error_codes(state) == [None, None]
    assert {song["take_error"]["code"] for song in state["songs"]} <= {"gone", "retired"}
    assert all(song["files"] for song in state["songs"])
    assert charged_actions(sandbox) == ["generate"] * 2


async def test_a_node_says_that_the_service_is_down(run: Runner, sandbox: ProducerSandbox, directory: Path) -> None:
    """The graph ends with an error in its state, and retries nothing."""
    sandbox.outage("no_capacity")
    async with fast_client(sandbox, clock=PatientClock(), failures_until_down=1) as client:
        graph = build_plain_graph(client, directory)
        await run(graph, order(), thread="one")
        state = await run(graph, order(), thread="two")
    assert state["task"] == {}
    assert state["error"]["code"] == "service_unavailable"
    assert "Submit it again later" in state["error"]["message"]
    assert _sent(sandbox) == 1
