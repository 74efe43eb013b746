"""Four workers, a hundred songs, and somebody who kills workers: what was made, what was charged, how long it took.

    python -m fleet --songs 100 --kills 10

It runs on the sandbox: who kills processes should not pay for it.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from random import Random

from account import differences, settle
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.store.postgres import AsyncPostgresStore

from fleet.jobs import Job, Jobs
from fleet.postgres import NoPostgreSQLError, temporary_cluster
from fleet.worker import Place, work
from producer_tools import ProducerClient, StoreLedger
from producer_tools.sandbox import ProducerSandbox

STYLES = ["a slow sad waltz", "upbeat summer pop", "late-night jazz trio", "fast punk guitar", "calm piano"]
SONGS_OF_AN_ALBUM = 4
IN_FLIGHT = 5
"""Songs of one token that the service makes at once (faq); it refuses a sixth, and charges nothing."""


class Fleet:
    """The workers, each a process; when one is killed, another takes its place.

    Args:
        place: where they work.
        size: how many there are.
    """

    def __init__(self, place: Place, size: int) -> None:
        self.kills: Counter[int] = Counter()
        self._place = place
        self._context = multiprocessing.get_context("spawn")
        self._processes = {worker: self._started(worker) for worker in range(1, size + 1)}

    @property
    def workers(self) -> list[int]:
        """Their numbers."""
        return list(self._processes)

    def kill_one(self, random: Random) -> None:
        """Kill some worker in whatever it does."""
        worker = random.choice(list(self._processes))
        self._processes[worker].kill()
        self._processes[worker].join()
        self._processes[worker] = self._started(worker)
        self.kills[worker] += 1

    def close(self) -> None:
        """End all workers."""
        for process in self._processes.values():
            process.kill()
            process.join()

    def _started(self, worker: int) -> "multiprocessing.context.SpawnProcess":
        process = self._context.Process(target=work, args=(self._place, worker), daemon=True)
        process.start()
        return process


async def make(fleet: Fleet, jobs: Jobs, kill_when_left: list[int], random: Random) -> None:
    """Let the fleet work until the queue is empty, and kill a worker each time so many albums are left."""
    told = None
    while left := await jobs.left():
        if left != told:
            print(f"{left:4} albums to go, {sum(fleet.kills.values())} kills")
            told = left
        if kill_when_left and left <= kill_when_left[-1]:
            kill_when_left.pop()
            await asyncio.sleep(random.uniform(0, 1))
            fleet.kill_one(random)
        await asyncio.sleep(0.1)


async def decide(jobs: Jobs, sandbox: ProducerSandbox, database: str) -> list[str]:
    """Be the person who looks into the account where an outcome is unknown."""
    decided = []
    async with AsyncPostgresStore.from_conn_string(database) as store:
        for job, _ in await jobs.finished():
            if news := await settle(ProducerClient(), job.songs or [], sandbox.charges, StoreLedger(store)):
                await jobs.again(job.thread_id)
                decided += news
    return decided


async def run(database: str, workers: int, songs: int, kills: int, seed: int | None) -> list[str]:
    """Make the songs, and print what came of them.

    Returns:
        What is wrong: nothing.
    """
    random = Random(seed)
    wishes = [f"{style}, no. {number}" for number, style in enumerate(islice(cycle(STYLES), songs), start=1)]
    albums = {f"album {at:03}": wishes[at : at + SONGS_OF_AN_ALBUM] for at in range(0, songs, SONGS_OF_AN_ALBUM)}
    async with (
        AsyncPostgresSaver.from_conn_string(database) as saver,
        AsyncPostgresStore.from_conn_string(database) as s,
    ):
        await saver.setup()
        await s.setup()
    jobs = Jobs(database)
    await jobs.setup(albums)
    with (
        ProducerSandbox(render_seconds=2, max_unfinished=IN_FLIGHT) as sandbox,
        tempfile.TemporaryDirectory(prefix="fleet-") as directory,
    ):
        began = time.monotonic()
        fleet = Fleet(Place(sandbox.base_url, sandbox.api_token, database, Path(directory)), workers)
        try:
            await make(fleet, jobs, sorted(random.choices(range(1, len(albums)), k=kills)), random)
            while decided := await decide(jobs, sandbox, database):
                print("Outcome unknown, so a person looked into the account:", *decided, sep="\n  ")
                await make(fleet, jobs, [], random)
        finally:
            fleet.close()
        return report(await jobs.finished(), sandbox, fleet, time.monotonic() - began)


def report(finished: list[tuple[Job, int]], sandbox: ProducerSandbox, fleet: Fleet, seconds: float) -> list[str]:
    """Print what was made, what was charged, how long it took, and by whom."""
    songs = [song for job, _ in finished for song in job.songs or []]
    takes = sum(len(song["takes"]) for song in songs)
    print(f"\nsongs {len(songs)}, takes {takes}, charges {len(sandbox.charges)}, kills {sum(fleet.kills.values())}")
    print(f"time {seconds:.1f} s, {len(songs) / seconds * 60:.0f} songs a minute")
    made_by: Counter[int] = Counter()
    for job, worker in finished:
        made_by[worker] += len(job.songs or [])
    for worker in fleet.workers:
        print(f"worker {worker}: {made_by[worker]} songs, killed {fleet.kills[worker]} times")
    wrong = differences(songs, sandbox.charges)
    if not wrong:
        print("Every song was made once, every take was charged once, and none is lost.")
    return wrong


def main() -> None:
    """Read the arguments, and run."""
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--songs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    print("Service: the sandbox on this machine. Database: a PostgreSQL of our own.")
    try:
        with temporary_cluster() as database:
            wrong = asyncio.run(run(database, given.workers, given.songs, given.kills, given.seed))
    except NoPostgreSQLError as error:
        print(f"SKIPPED: {error}")
    else:
        sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
