"""``make bench``: measures what the package costs, beside its peers, and writes docs/benchmarks.md.

Each module of this folder in `MODULES` measures one thing with its coroutine ``measure``. Named modules alone are
measured and printed, and the page stays as it is: ``make bench ONLY="calls lookups"``.
"""

import asyncio
import platform
import sys
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

from tests.bench.section import Section

MODULES = ("imports", "ledgers", "fleets", "memory", "lookups", "music")
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PACKAGES = ("producer-tools", "langchain-core", "langchain", "langgraph", "pydantic", "aiohttp")
_HEAD = """# Benchmarks

`make bench` measures these figures and writes this page. Times depend on the machine; ratios compare two measurements
of one run. The service is the package's sandbox on the same machine, so no figure contains a network.

"""


def facts_of_this_run() -> str:
    """Date, machine and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Measured on {datetime.now(timezone.utc):%Y-%m-%d} with Python {platform.python_version()} on {cpu_count()} "
        f"cores ({platform.system()}, {platform.machine()}): {versions}.\n"
    )


async def main() -> None:
    """Measure everything and write the page, or measure and print the modules that are named."""
    sections = []
    for name in sys.argv[1:] or MODULES:
        section: Section = await import_module(f"tests.bench.{name}").measure()
        print(section.in_markdown(), flush=True)
        sections.append(section)
    if not sys.argv[1:]:
        PAGE.write_text(_HEAD + facts_of_this_run() + "".join(f"\n{each.in_markdown()}" for each in sections))


if __name__ == "__main__":
    asyncio.run(main())
