"""How memory and time grow with the tasks that are waited for, and with the entries of a ledger."""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench.section import Section

WAITS = (1_000, 10_000)
ENTRIES = (10_000, 100_000)


class Cost(NamedTuple):
    """What a case took beyond a small one: CPU seconds, and bytes at the most."""

    cpu_seconds: float
    size: float


async def measure() -> Section:
    """Each case with two numbers."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        rows.append(await _row("tasks that one call waits for", "wait_for_all", WAITS, folder))
        rows.append(await _row("tasks with a waiting caller each", "wait_for_each", WAITS, folder))
        rows.append(await _row("entries of a ledger in memory", "memory_ledger", ENTRIES, folder))
        rows.append(await _row("entries of a SQLite ledger, in the file", "fill_file", ENTRIES, folder, of_file=True))
        rows.append(await _row("the same, to begin one more", "begin_in_file", ENTRIES, folder))
        rows.append(await _row("the same, to read all that was paid", "read_file", ENTRIES, folder))
    return Section("Memory", "TEXT", ("of", "number", "bytes each", "CPU each", "ten times as many"), rows)


async def _row(
    title: str, case: str, numbers: tuple[int, int], folder: str, *, of_file: bool = False
) -> tuple[str, ...]:
    few, many = [await asyncio.to_thread(_cost, case, number, folder, of_file) for number in numbers]
    return (
        title,
        " / ".join(f"{number:,}" for number in numbers),
        " / ".join(f"{cost.size / number:,.0f}" for cost, number in zip((few, many), numbers, strict=True)),
        " / ".join(
            f"{cost.cpu_seconds / number * 1e6:,.0f} µs" for cost, number in zip((few, many), numbers, strict=True)
        ),
        f"{many.size / max(few.size, 1):.1f} × memory, {many.cpu_seconds / few.cpu_seconds:.1f} × time",
    )


def _cost(case: str, number: int, folder: str, of_file: bool) -> Cost:
    path = Path(folder) / f"{number}.sqlite"
    command = [sys.executable, "-m", "tests.bench.memory_case", case, str(number), str(path)]
    seconds, size = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    return Cost(float(seconds), path.stat().st_size if of_file else float(size))
