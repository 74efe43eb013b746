"""The comparison with the account's statement, which `make album` and `make fleet` rely on."""

from pathlib import Path

import pytest

from producer_tools import MemoryLedger, ProducerClient
from producer_tools.langgraph import Song, album_graph
from producer_tools.sandbox import Fault, ProducerSandbox
from tests.clocks import FastClock
from tests.crash.account import differences, settle

pytestmark = pytest.mark.usefixtures("silent_files")


async def made(client: ProducerClient, directory: Path) -> list[Song]:
    graph = album_graph(client, download_dir=directory).compile()
    state = await graph.ainvoke({"wishes": ["a waltz"]}, {"configurable": {"thread_id": "one"}})
    songs: list[Song] = state["songs"]
    return songs


@pytest.mark.parametrize(
    ("fault", "decision"),
    [
        (Fault.RESET_AFTER_WORK, "charged, so its task was adopted"),
        (Fault.RESET_BEFORE_WORK, "not charged, so it was released"),
    ],
)
async def test_settling_by_the_statement_completes_the_album(
    sandbox: ProducerSandbox, tmp_path: Path, fault: Fault, decision: str
) -> None:
    """If this fails, an album whose submit was lost stays incomplete, or its song is charged twice."""
    sandbox.listing.answer = "forbidden"  # else the task would be looked for
    ledger = MemoryLedger()
    async with ProducerClient(
        sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=ledger, clock=FastClock(10)
    ) as client:
        sandbox.fail_next(fault, endpoint="/producer/audios")
        songs = await made(client, tmp_path)
        assert differences(songs, sandbox.charges)
        assert await settle(client, songs, sandbox.charges, ledger) == [f"a waltz: {decision}"]
        songs = await made(client, tmp_path)
        assert differences(songs, sandbox.charges) == []
        assert await settle(client, songs, sandbox.charges, ledger) == []
    assert len(sandbox.charges) == 1


async def test_each_difference_is_reported(client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path) -> None:
    """If this fails, the crash tests could not fail."""
    songs = await made(client, tmp_path)
    [charge] = sandbox.charges
    assert differences(songs, [charge]) == []
    assert "charged 2 times" in differences(songs, [charge, charge])[0]
    assert "charged, but in no song" in differences([], [charge])[0]
    assert "not charged" in differences(songs, [])[0]
    assert "not saved" in differences([{**songs[0], "files": []}], [charge])[0]
