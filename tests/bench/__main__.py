"""``make bench``: measures what the package costs, beside its peers, and writes docs/benchmarks.md.

Each module of this folder in `MODULES` measures one thing with its coroutine ``measure``. The page has them in this
order. Named modules alone are measured and printed, and the page stays as it is: ``make bench ONLY="turns lookups"``.
"""

import asyncio
import platform
import sys
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

from tests.bench import peers_environment
from tests.bench.section import Section

MODULES = (
    "peers",
    "hard_cases",
    "turns",
    "calls",
    "lookups",
    "imports",
    "waiting",
    "ledgers",
    "fleets",
    "memory",
    "saving",
    "music",
)
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PACKAGES = ("producer-tools", "langchain-core", "langchain", "langgraph", "pydantic", "aiohttp")
_HEAD = """# Benchmarks

What this package costs, beside the packages that one would use in its place: the provider's MCP server, its SDK for
Python, and its LangChain tools for another music service.

`make bench` measures these figures and writes this page. The service is the package's [sandbox](guides/sandbox.md) on
the same machine, so no figure contains a network, except where answers that come 50 ms later stand in for one. Times
depend on the machine and on what else it does. A ratio compares two measurements of one run.

"""


def facts_of_this_run() -> str:
    """Date, machine and versions."""
    ours = {name: version(name) for name in PACKAGES}
    return (
        f"- **Measured** on {datetime.now(timezone.utc):%Y-%m-%d} with `make bench`\n"
        f"- **Machine:** {cpu_count()} cores, {_processor()}, {platform.system()}\n"
        f"- **This package:** {_in_words(ours)}, Python {platform.python_version()}\n"
        f"- **The others,** in an environment of their own: {_in_words(peers_environment.versions())}\n"
    )


def _in_words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _processor() -> str:
    """The name of the processor, where the system says it, and its kind."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


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
