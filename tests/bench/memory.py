"""How memory and time grow with the tasks that are waited for, and with the entries of a ledger."""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench.ledger_writers import fill_file
from tests.bench.section import Section

WAITS = (1_000, 10_000)
ENTRIES = (10_000, 100_000)


class Case(NamedTuple):
    """What is measured with two numbers of something.

    Attributes:
        title: what there are so many of.
        function: the case's name in `memory_case`.
        numbers: how many, first few and then ten times as many.
    """

    title: str
    function: str
    numbers: tuple[int, int]


CASES = (
    Case("tasks that one call waits for", "wait_for_all", WAITS),
    Case("tasks with a waiting caller each", "wait_for_each", WAITS),
    Case("entries of a ledger in memory: add them, and read all", "memory_ledger", ENTRIES),
    Case("entries of a SQLite ledger: open and check the file, and begin one more", "begin_in_file", ENTRIES),
    Case("entries of a SQLite ledger: the same, and read all", "read_file", ENTRIES),
)


class Cost(NamedTuple):
    """What a case took beyond a small one: CPU seconds, and bytes of memory at the most."""

    seconds: float
    size: float


async def measure() -> Section:
    """Each case with two numbers."""
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        files = {number: Path(folder) / f"{number}.sqlite" for number in ENTRIES}
        for number, path in files.items():
            fill_file(path, number)
        in_file = " and ".join(f"{path.stat().st_size / number:,.0f}" for number, path in files.items())
        for case in CASES:
            few, many = [await asyncio.to_thread(_cost, case.function, number, folder) for number in case.numbers]
            rows.append(_row(case.title, case.numbers[0], few, ""))
            ratio = f"{many.size / few.size:.1f} times the memory, {many.seconds / few.seconds:.1f} times the CPU"
            rows.append(_row(case.title, case.numbers[1], many, ratio))
    return Section(
        "Memory",
        "Each row is a process of its own: the most memory it used at once (`VmHWM`), and its CPU time, without what "
        "the start and one task or entry take. The tasks are looked up three times and end as songs with lyrics; the "
        "service's answers are made in the process, and the clock jumps from round to round. "
        f"An entry takes {in_file} bytes of a SQLite ledger's file with {ENTRIES[0]:,} and {ENTRIES[1]:,} entries.",
        ("number", "of", "memory", "each", "CPU", "each", "ten times as many take"),
        rows,
    )


def _row(title: str, number: int, cost: Cost, ratio: str) -> tuple[str, ...]:
    return (
        f"{number:,}",
        title,
        f"{cost.size / 1e6:,.1f} MB",
        f"{cost.size / number:,.0f} bytes",
        f"{cost.seconds:.2f} s",
        f"{cost.seconds / number * 1e6:,.0f} µs",
        ratio,
    )


def _cost(function: str, number: int, folder: str) -> Cost:
    path = f"{folder}/{number}.sqlite"
    command = [sys.executable, "-m", "tests.bench.memory_case", function, str(number), path]
    seconds, size = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    return Cost(float(seconds), float(size))
