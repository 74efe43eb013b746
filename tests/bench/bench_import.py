"""What ``import producer_tools`` costs. `make bench` runs it; the suite does not."""

import subprocess
import sys

RUNS = 15
BASE = "from langchain_core.tools import BaseTool; import aiohttp"
_PRINT_CPU_SECONDS = "; import time; print(time.process_time())"


def cpu_seconds(code: str) -> float:
    """The CPU time of a new interpreter that runs ``code``."""
    command = [sys.executable, "-c", code + _PRINT_CPU_SECONDS]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_the_import_costs_little_more_than_langchain_and_aiohttp() -> None:
    """Every worker and every command line pays for it at its start."""
    pairs = [(cpu_seconds("import producer_tools"), cpu_seconds(BASE)) for _ in range(RUNS)]
    ours, base = (min(times) for times in zip(*pairs, strict=True))
    print(f"import producer_tools: {ours:.3f} s of CPU, {ours / base:.2f} times LangChain's tools and aiohttp")
    assert ours / base < 1.2
