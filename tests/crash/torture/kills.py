"""Kill the processes of graphs at random moments and restart them until their songs are made; then settle and compare.

Two users make the same songs in threads of the same names, with one ledger, at the same time.
"""

from pathlib import Path
from random import Random

from producer_tools.sandbox import ProducerSandbox
from tests.clocks import FastClock
from tests.crash.processes import quick_starts
from tests.crash.torture.aftermath import Aftermath, Kills
from tests.crash.torture.service import ListingAnswer
from tests.crash.torture.worker import Job, make_client, open_ledger, results, work

# About as long as an undisturbed process takes for its songs: some are killed while they start, some near the end.
_LONGEST_LIFE = 0.6


def torture(kills: int, songs: int, directory: Path, seed: int, listing: ListingAnswer) -> Kills:
    """Run graphs one after another until ``kills`` processes were killed.

    Args:
        kills: How many processes to kill.
        songs: How many songs each graph makes for each user.
        directory: For the ledger and the checkpoints.
        seed: Decides when each process is killed.
        listing: Whether the service lists an account's tasks.
    """
    found, random = Kills(), Random(seed)
    with ProducerSandbox(render_seconds=0, clock=FastClock()) as sandbox:
        sandbox.listing.answer = listing
        users = [sandbox.users[0], sandbox.add_user()]
        while found.kills < kills and not found.wrong:
            # A client with callbacks refuses to be pickled, so every other run has one that the worker makes.
            client = make_client(sandbox.base_url, open_ledger(str(directory))) if found.runs % 2 == 0 else None
            thread = f"run {found.runs}"
            jobs = [
                Job(client, sandbox.base_url, user.api_token, user.user_id, str(directory), thread, songs)
                for user in users
            ]
            _run(jobs, kills, found, random)
            for job in jobs:
                found.runs += 1
                found.songs += songs
                Aftermath(job, sandbox).count(results(job), found)
    return found


def _run(jobs: list[Job], kills: int, found: Kills, random: Random) -> None:
    """Start a worker for each job again and again, until all have come to their end."""
    while jobs and not found.wrong:
        processes = [quick_starts().Process(target=work, args=(job,), daemon=True) for job in jobs]
        for process in processes:
            process.start()
        unfinished = []
        for job, process in zip(jobs, processes, strict=True):
            process.join(random.uniform(0, _LONGEST_LIFE) if found.kills < kills else None)
            if process.exitcode is None:
                process.kill()
                process.join()
                found.kills += 1
                unfinished.append(job)
            elif process.exitcode != 0:
                found.wrong.append(f"{job.thread}: a process ended with {process.exitcode}")
        jobs = unfinished
