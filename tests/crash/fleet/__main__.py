"""``make fleet``: four workers make 100 songs while workers are killed; what was made, charged, and how long it took.

It runs on the sandbox, so that the kills cost nothing.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.store.postgres import AsyncPostgresStore

from producer_tools import ProducerClient, StoreLedger
from producer_tools.sandbox import ProducerSandbox
from tests.crash.account import differences, settle
from tests.crash.fleet.jobs import Job, Jobs
from tests.crash.fleet.postgres import NoPostgreSQLError, temporary_cluster
from tests.crash.fleet.worker import Workplace, work
from tests.crash.processes import quick_starts

STYLES = ["a slow sad waltz", "upbeat summer pop", "late-night jazz trio", "fast punk guitar", "calm piano"]
SONGS_OF_AN_ALBUM = 4
IN_FLIGHT = 5
"""Unfinished songs of one token that the service takes (faq); it refuses the sixth, and charges nothing for that."""


class Fleet:
    """The workers, each a process; when one is killed, another takes its place.

    Args:
        workplace: What each worker is given.
        size: The number of workers.
    """

    def __init__(self, workplace: Workplace, size: int) -> None:
        self.kills: Counter[int] = Counter()
        self._workplace = workplace
        self._processes = {worker: self._started(worker) for worker in range(1, size + 1)}

    @property
    def workers(self) -> list[int]:
        """Their numbers."""
        return list(self._processes)

    def kill_one(self, random: Random) -> None:
        """Kill a worker in the middle of its work, and start a new one."""
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

    def _started(self, worker: int) -> ForkServerProcess:
        process = quick_starts().Process(target=work, args=(self._workplace, worker), daemon=True)
        process.start()
        return process


async def finish(fleet: Fleet, jobs: Jobs, kill_when_left: list[int], random: Random) -> None:
    """Wait until the queue is empty, and kill a worker each time the albums left fall to the next of these numbers."""
    printed = None
    while left := await jobs.left():
        if left != printed:
            print(f"{left:4} albums to go, {sum(fleet.kills.values())} kills")
            printed = left
        if kill_when_left and left <= kill_when_left[-1]:
            kill_when_left.pop()
            await asyncio.sleep(random.uniform(0, 1))
            fleet.kill_one(random)
        await asyncio.sleep(0.1)


async def decide(jobs: Jobs, sandbox: ProducerSandbox, database: str) -> list[str]:
    """Settle the submits whose outcome is unknown, and put their albums back into the queue."""
    decisions = []
    async with AsyncPostgresStore.from_conn_string(database) as store:
        for job, _ in await jobs.finished():
            if settled := await settle(ProducerClient(), job.songs or [], sandbox.charges, StoreLedger(store)):
                await jobs.requeue(job.thread_id)
                decisions += settled
    return decisions


async def run(database: str, workers: int, songs: int, kills: int, seed: int | None) -> list[str]:
    """Make the songs, and print the report.

    Returns:
        What contradicts "each take was charged once, and no song is lost"; nothing, if all is well.
    """
    random = Random(seed)
    wishes = [f"{style}, no. {number}" for number, style in enumerate(islice(cycle(STYLES), songs), start=1)]
    albums = {f"album {at:03}": wishes[at : at + SONGS_OF_AN_ALBUM] for at in range(0, songs, SONGS_OF_AN_ALBUM)}
    async with (
        AsyncPostgresSaver.from_conn_string(database) as saver,
        AsyncPostgresStore.from_conn_string(database) as store,
    ):
        await saver.setup()
        await store.setup()
    jobs = Jobs(database)
    await jobs.setup(albums)
    with (
        ProducerSandbox(render_seconds=2, max_unfinished=IN_FLIGHT) as sandbox,
        tempfile.TemporaryDirectory(prefix="fleet-") as directory,
    ):
        began = time.monotonic()
        fleet = Fleet(Workplace(sandbox.base_url, sandbox.api_token, database, Path(directory)), workers)
        try:
            await finish(fleet, jobs, sorted(random.choices(range(1, len(albums) + 1), k=kills)), random)
            while decisions := await decide(jobs, sandbox, database):
                print("Outcome unknown, so the account's statement decides:", *decisions, sep="\n  ")
                await finish(fleet, jobs, [], random)
        finally:
            fleet.close()
        return report(await jobs.finished(), sandbox, fleet, time.monotonic() - began)


def report(finished: list[tuple[Job, int]], sandbox: ProducerSandbox, fleet: Fleet, seconds: float) -> list[str]:
    """Print what was made, what was charged, how long it took and which worker made how much.

    Returns:
        The same as `run`.
    """
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
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash.fleet", description="A fleet whose workers are killed."
    )
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--songs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    print("Service: the sandbox on this machine. Database: a temporary PostgreSQL.")
    try:
        with temporary_cluster() as database:
            wrong = asyncio.run(run(database, given.workers, given.songs, given.kills, given.seed))
    except NoPostgreSQLError as error:
        print(f"SKIPPED: {error}")
    else:
        sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
