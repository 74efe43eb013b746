"""What ``import producer_tools`` costs every worker and every command line at its start."""

import asyncio
import subprocess
import sys

from tests.bench.section import Section

RUNS = 15
BASE = "from langchain_core.tools import BaseTool; import aiohttp"
_PRINT_CPU_SECONDS = "; import time; print(time.process_time())"


def cpu_seconds(code: str) -> float:
    """The CPU time of a new interpreter that runs ``code``."""
    command = [sys.executable, "-c", code + _PRINT_CPU_SECONDS]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


async def measure() -> Section:
    """The fastest of 15 starts of each."""
    pairs = [
        (await asyncio.to_thread(cpu_seconds, "import producer_tools"), await asyncio.to_thread(cpu_seconds, BASE))
        for _ in range(RUNS)
    ]
    ours, base = (min(times) for times in zip(*pairs, strict=True))
    return Section(
        "Import",
        f"CPU time of a new interpreter, the least of {RUNS} starts. Every tool of LangChain imports LangChain's base "
        "class, and every async HTTP client a library such as aiohttp.",
        ("import", "CPU", "ratio"),
        [
            ("`langchain_core.tools.BaseTool` and `aiohttp`", f"{base:.2f} s", "1.00"),
            ("`producer_tools`", f"{ours:.2f} s", f"{ours / base:.2f}"),
        ],
    )
