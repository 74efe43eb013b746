"""Kill a graph's process at random moments, and restart it until its songs are made; then compare with the charges."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from producer_tools.sandbox import ProducerSandbox
from tests.crash.processes import quick_starts
from tests.crash.torture.worker import Job, outcomes, work

# About as long as an undisturbed process takes for its songs: some are killed while they start, some near the end.
_LONGEST_LIFE = 0.6


@dataclass
class Kills:
    """The counts.

    Attributes:
        kills: Processes killed.
        runs: Graphs run to their end.
        songs: Songs that were to be made.
        once: Songs charged once whose task id the graph has.
        unknown_charged: Songs reported as unknown, and charged once.
        unknown_not_charged: Songs reported as unknown, and not charged.
        wrong: Everything else, a line each: charged twice, lost, or a process that failed. It must be empty.
    """

    kills: int = 0
    runs: int = 0
    songs: int = 0
    once: int = 0
    unknown_charged: int = 0
    unknown_not_charged: int = 0
    wrong: list[str] = field(default_factory=list)


def torture(kills: int, songs: int, directory: Path, seed: int) -> Kills:
    """Run graphs one after another until ``kills`` processes were killed; each graph makes ``songs`` songs."""
    found, random = Kills(), Random(seed)
    with ProducerSandbox(render_seconds=0) as sandbox:
        while found.kills < kills and not found.wrong:
            thread = f"run {found.runs}"
            job = Job(sandbox.base_url, sandbox.api_token, str(directory), thread, songs)
            _run(job, kills, found, random)
            _compare(job, sandbox, found)
    return found


def _run(job: Job, kills: int, found: Kills, random: Random) -> None:
    """Start the worker again and again, until one comes to its end."""
    while True:
        process = quick_starts().Process(target=work, args=(job,), daemon=True)
        process.start()
        process.join(random.uniform(0, _LONGEST_LIFE) if found.kills < kills else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            found.kills += 1
        elif process.exitcode != 0:
            found.wrong.append(f"{job.thread}: a process ended with {process.exitcode}")
            return
        else:
            return


def _compare(job: Job, sandbox: ProducerSandbox, found: Kills) -> None:
    """Count the songs of one graph, by what it has and what was charged."""
    found.runs += 1
    found.songs += job.songs
    charges = Counter(charge.request["prompt"] for charge in sandbox.charges)
    tasks = {charge.request["prompt"]: charge.task_id for charge in sandbox.charges}
    messages = outcomes(job)
    for prompt in job.prompts():
        message = messages.get(prompt)
        unknown = message is not None and message.status == "error" and message.text.startswith("unknown_outcome: ")
        if unknown and charges[prompt] == 1:
            found.unknown_charged += 1
        elif unknown and charges[prompt] == 0:
            found.unknown_not_charged += 1
        elif message is not None and charges[prompt] == 1 and (message.artifact or {}).get("task_id") == tasks[prompt]:
            found.once += 1
        else:
            found.wrong.append(f"{prompt}: charged {charges[prompt]} times, and the graph has {message!r}")
