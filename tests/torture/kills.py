"""A graph's process, killed at random moments and started anew until its songs are made: what was paid for?"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from producer_tools.sandbox import ProducerSandbox
from tests.torture.processes import quick_starts
from tests.torture.worker import Job, outcomes, work

# About as long as an undisturbed process takes for its songs: some are killed while they start, some near the end.
_LONGEST_LIFE = 0.6


@dataclass
class Kills:
    """What came of it.

    Attributes:
        kills: processes killed.
        runs: graphs run to their end.
        songs: songs wished for.
        once: charged once, and the graph has the task's id.
        unknown_charged: reported as unknown, and charged once.
        unknown_not_charged: reported as unknown, and not charged.
        wrong: everything else, which must be nothing: charged twice, lost, or a process that failed.
    """

    kills: int = 0
    runs: int = 0
    songs: int = 0
    once: int = 0
    unknown_charged: int = 0
    unknown_not_charged: int = 0
    wrong: list[str] = field(default_factory=list)


def torture(kills: int, songs: int, directory: Path, seed: int) -> Kills:
    """Kill ``kills`` processes in all, that make ``songs`` songs a run; then look at what was charged."""
    found, random = Kills(), Random(seed)
    with ProducerSandbox(render_seconds=0) as sandbox:
        while found.kills < kills and not found.wrong:
            thread = f"run {found.runs}"
            job = Job(sandbox.base_url, sandbox.api_token, str(directory), thread, songs)
            _run(job, kills, found, random)
            _judge(job, sandbox, found)
    return found


def _run(job: Job, kills: int, found: Kills, random: Random) -> None:
    """Start the worker again and again, until it comes to its end."""
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


def _judge(job: Job, sandbox: ProducerSandbox, found: Kills) -> None:
    found.runs += 1
    found.songs += job.songs
    charges = Counter(charge.request["prompt"] for charge in sandbox.charges)
    tasks = {charge.request["prompt"]: charge.task_id for charge in sandbox.charges}
    told = outcomes(job)
    for prompt in job.prompts():
        message = told.get(prompt)
        unknown = message is not None and message.status == "error" and message.text.startswith("unknown_outcome: ")
        if unknown and charges[prompt] == 1:
            found.unknown_charged += 1
        elif unknown and charges[prompt] == 0:
            found.unknown_not_charged += 1
        elif message is not None and charges[prompt] == 1 and (message.artifact or {}).get("task_id") == tasks[prompt]:
            found.once += 1
        else:
            found.wrong.append(f"{prompt}: charged {charges[prompt]} times, and told {message!r}")
