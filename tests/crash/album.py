"""``make album``: make an album on one machine, kill its process in the middle, start it again, check the charges.

Checkpoints and the ledger are SQLite files. It runs on the sandbox, so that the kills cost nothing.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import StateGraph

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import AlbumState, Song, SongRequest, album_graph, extend
from producer_tools.sandbox import ProducerSandbox
from tests.crash.account import differences, settle
from tests.crash.processes import quick_starts

WISHES = ["a slow sad waltz", "upbeat summer pop", "late-night jazz trio", "fast punk guitar"]
SHORT_SECONDS = 12.0


class Workplace(NamedTuple):
    """What the process that makes the album is given.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        directory: For checkpoints, ledger and songs.
        poll_interval: Seconds between two look-ups of a song.
    """

    base_url: str
    api_token: str
    directory: Path
    poll_interval: float

    @property
    def ledger(self) -> SqliteLedger:
        """The ledger in the directory."""
        return SqliteLedger(self.directory / "ledger.sqlite")


def extend_if_short(song: Song) -> SongRequest | None:
    """Review a song: extend it once if it is short, else keep it."""
    seconds = song["takes"][-1]["results"][0].get("duration_seconds", SHORT_SECONDS)
    return extend(song) if seconds < SHORT_SECONDS and len(song["takes"]) == 1 else None


def build(client: ProducerClient, directory: Path) -> StateGraph[AlbumState, Any, Any, Any]:
    """The album graph; the fleet runs the same one."""
    return album_graph(client, review=extend_if_short, download_dir=directory / "songs")


async def make(workplace: Workplace, wishes: Sequence[str], report: "Connection[Any, Any]") -> None:
    """Make the album, or resume it; send each step to ``report``, and in the end the songs."""
    client = ProducerClient(
        workplace.api_token, workplace.base_url, poll_interval=workplace.poll_interval, ledger=workplace.ledger
    )
    async with client, AsyncSqliteSaver.from_conn_string(str(workplace.directory / "album.sqlite")) as saver:
        graph = build(client, workplace.directory).compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "album"}}
        unfinished = (await graph.aget_state(config)).tasks
        given: Any = None if unfinished else {"wishes": wishes}
        async for path, update in graph.astream(
            given, config, stream_mode="updates", subgraphs=True, durability="sync"
        ):
            report.send((path, update))
        report.send((await graph.aget_state(config)).values["songs"])


def work(workplace: Workplace, wishes: Sequence[str], report: "Connection[Any, Any]") -> None:
    """The process that is killed."""
    asyncio.run(make(workplace, wishes, report))


class Runner:
    """Runs that process and prints the steps that it reports.

    Args:
        workplace: What the process is given.
        wishes: The songs of the album.
    """

    def __init__(self, workplace: Workplace, wishes: Sequence[str]) -> None:
        self._workplace = workplace
        self._wishes = wishes
        self._names: dict[str, str] = {}

    def run(self, kill_at: str | None = None) -> list[Song] | None:
        """Run the process to its end, or kill it once any song has done the step ``kill_at``.

        Returns:
            The songs, or ``None`` if the process died.
        """
        context = quick_starts()
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(self._workplace, self._wishes, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            while not isinstance(reported := ours.recv(), list):
                if self._print(*reported) == kill_at is not None:
                    process.kill()
        except EOFError:
            return None
        finally:
            process.join()
            ours.close()
        return reported

    def _print(self, path: tuple[str, ...], update: dict[str, Any]) -> str | None:
        """Print one step of one song, and return the step's name."""
        step, values = next(iter(update.items()))
        if not path:
            return None  # the album's own step repeats what its songs have reported
        if step == "write":
            self._names[path[0]] = f"{values['number']}. {values['wish']}"
        print(f"  {self._names[path[0]]:25} {step}")
        return step


def main(
    directory: Path, wishes: Sequence[str] = WISHES, render_seconds: float = 2, poll_interval: float = 0.2
) -> None:
    """Make the album, with a kill in the middle, and compare it with what was charged.

    Args:
        directory: For checkpoints, ledger and songs.
        wishes: The songs of the album.
        render_seconds: How long the sandbox takes for a song.
        poll_interval: Seconds between two look-ups of a song.

    Raises:
        SystemExit: A take was charged twice or not at all, or a song was lost.
    """
    with ProducerSandbox(render_seconds=render_seconds) as sandbox:
        workplace = Workplace(sandbox.base_url, sandbox.api_token, directory, poll_interval)
        print(f"Service: the sandbox on this machine.\nAn album of {len(wishes)} songs, in {directory}")
        runner = Runner(workplace, wishes)
        runner.run(kill_at="wait")
        print(f"KILLED in the middle; {len(sandbox.charges)} calls were charged. Started again:")
        songs = runner.run() or []
        while decisions := asyncio.run(settle(ProducerClient(), songs, sandbox.charges, workplace.ledger)):
            print("Outcome unknown, so the account's statement decides:", *decisions, sep="\n  ")
            songs = runner.run() or []
        charges = sandbox.charges
    if wrong := differences(songs, charges):
        sys.exit("\n".join(wrong))
    for song in songs:
        [audio] = [file for file in song["files"] if file["kind"] == "audio"]
        print(f"{song['number']}. {song['wish']}: {audio['duration_seconds']:.1f} s, takes: {len(song['takes'])}")
        print(f"   {audio['path']}")
    print(f"{len(songs)} songs, {len(charges)} charges: each take was charged once, and none is lost.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.mkdtemp(prefix="album-")))
