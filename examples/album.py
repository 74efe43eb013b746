"""An album on one machine: its process is killed in the middle, started again, and no song is paid for twice.

    python examples/album.py

Checkpoints and the ledger are SQLite files. It runs on the sandbox: who kills processes should not pay for it.
"""

import asyncio
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from account import differences, settle
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import StateGraph

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.langgraph import AlbumState, Song, SongRequest, album_graph, extend
from producer_tools.sandbox import ProducerSandbox

WISHES = ["a slow sad waltz", "upbeat summer pop", "late-night jazz trio", "fast punk guitar"]
SHORT_SECONDS = 12.0


class Studio(NamedTuple):
    """Where an album is made.

    Attributes:
        base_url: The service's address.
        api_token: Its token.
        directory: For checkpoints, ledger and songs.
    """

    base_url: str
    api_token: str
    directory: Path


def long_enough(song: Song) -> SongRequest | None:
    """Have a short song go on, once; keep any other."""
    seconds = song["takes"][-1]["results"][0].get("duration_seconds", SHORT_SECONDS)
    return extend(song) if seconds < SHORT_SECONDS and len(song["takes"]) == 1 else None


def build(client: ProducerClient, directory: Path) -> StateGraph[AlbumState, Any, Any, Any]:
    """The graph, for one machine and for a fleet alike."""
    return album_graph(client, review=long_enough, download_dir=directory / "songs")


def ledger(studio: Studio) -> SqliteLedger:
    """What was meant to be paid for, and what came of it."""
    return SqliteLedger(studio.directory / "ledger.sqlite")


async def make(studio: Studio, wishes: Sequence[str], tell: "Connection[Any, Any]") -> None:
    """Make the album, or go on to make it, and tell each step."""
    client = ProducerClient(studio.api_token, studio.base_url, poll_interval=0.2, ledger=ledger(studio))
    async with client, AsyncSqliteSaver.from_conn_string(str(studio.directory / "album.sqlite")) as saver:
        graph = build(client, studio.directory).compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "album"}}
        begun = (await graph.aget_state(config)).tasks
        given: Any = None if begun else {"wishes": wishes}
        async for path, update in graph.astream(
            given, config, stream_mode="updates", subgraphs=True, durability="sync"
        ):
            tell.send((path, update))
        tell.send((await graph.aget_state(config)).values["songs"])


def work(studio: Studio, wishes: Sequence[str], tell: "Connection[Any, Any]") -> None:
    """The process that is killed."""
    asyncio.run(make(studio, wishes, tell))


class Watch:
    """Runs the process and shows what it tells."""

    def __init__(self, studio: Studio, wishes: Sequence[str]) -> None:
        self._studio = studio
        self._wishes = wishes
        self._names: dict[str, str] = {}

    def run(self, kill_at: str | None = None) -> list[Song] | None:
        """Run it to its end; or kill it when the first song has done the step ``kill_at``.

        Returns:
            The songs, or ``None`` if the process died.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(self._studio, self._wishes, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            while not isinstance(told := ours.recv(), list):
                if self._show(*told) == kill_at is not None:
                    process.kill()
        except EOFError:
            return None
        finally:
            process.join()
        return told

    def _show(self, path: tuple[str, ...], update: dict[str, Any]) -> str | None:
        """Print one step of one song, and return what it is called."""
        step, values = next(iter(update.items()))
        if not path:
            return None  # the album's own step: its songs have told it before
        if step == "write":
            self._names[path[0]] = f"{values['number']}. {values['wish']}"
        print(f"  {self._names[path[0]]:25} {step}")
        return step


def main(directory: Path) -> None:
    """Make the album, with a crash in the middle."""
    with ProducerSandbox(render_seconds=2) as sandbox:
        studio = Studio(sandbox.base_url, sandbox.api_token, directory)
        print(f"Service: the sandbox on this machine.\nAn album of {len(WISHES)} songs, in {directory}")
        watch = Watch(studio, WISHES)
        watch.run(kill_at="wait")
        print(f"KILLED in the middle; {len(sandbox.charges)} calls are paid. Started again:")
        songs = watch.run() or []
        while decided := asyncio.run(settle(ProducerClient(), songs, sandbox.charges, ledger(studio))):
            print("A person looks into the account:", *decided, sep="\n  ")
            songs = watch.run() or []
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
