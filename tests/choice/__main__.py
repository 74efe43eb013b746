"""``make choice``: how often the right tool comes first, with this package's descriptions and with ``mcp-producer``'s.

The wishes were written without knowledge of the descriptions. Descriptions may be worked on with one part of them,
`working.jsonl`; the other part, `reported.jsonl`, is only counted.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple

from producer_tools import ProducerClient, ProducerToolkit
from tests.bench.section import Section
from tests.choice.choosers import Bm25, Chooser, Embeddings

CHOOSERS: dict[str, type[Embeddings] | type[Bm25]] = {"MiniLM": Embeddings, "BM25": Bm25}
PAGE = Path(__file__).parents[2] / "docs" / "choice.md"
_HEAD = """# Choosing a tool

A model reads the descriptions of the tools, and a tool-retrieval agent searches them. `make choice` measures with two
choosers how often the right tool is found by what a user says, and writes this page.
"""
_COUNTED = """The wishes were written without knowledge of the descriptions. The descriptions were worked on with
one part of them; of the other part, only these counts were ever read. Compared are the eighteen tools that both
packages have.

MiniLM compares embeddings (`sentence-transformers`), of the first 256 tokens of a description; what follows has no
effect there. BM25 counts words that a wish and a description share, stemmed."""
_MISTAKEN = """## What is mistaken for what

For the working part: a row for each right tool, and a column for each tool that came first in its place. The letter of
a column is that of its tool's row."""
NOT_COMPARED = {"producer_wait_for_tasks", "producer_download_results"}  # the other server has no such tools


class Wish(NamedTuple):
    """What a person says, and the tool that fits.

    Attributes:
        text: the words.
        tool: the tool's name.
    """

    text: str
    tool: str


class Found(NamedTuple):
    """How often the right tool was found.

    Attributes:
        first: it came first.
        in_three: it was among the first three.
        missed: the right tool and the one that came first, where those differ.
    """

    first: int
    in_three: int
    missed: Counter[tuple[str, str]]


def read_wishes(part: str) -> list[Wish]:
    """The wishes of one part, ``working`` or ``reported``."""
    lines = (Path(__file__).parent / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Wish(each["wish"], each["tool"]) for each in map(json.loads, lines)]


def own_texts() -> dict[str, str]:
    """Name and description of each tool that both have, by its name."""
    tools = ProducerToolkit(client=ProducerClient("no-token")).get_tools()
    return {tool.name: f"{tool.name}: {tool.description}" for tool in tools if tool.name not in NOT_COMPARED}


def other_texts() -> dict[str, str]:
    """The same of ``mcp-producer``."""
    logging.disable()
    server = import_module("core.server").mcp
    import_module("tools")  # adds them to the server
    listed = asyncio.run(server.list_tools())
    return {tool.name: f"{tool.name}: {tool.description}" for tool in listed if tool.name in own_texts()}


def count(chooser: Chooser, wishes: Sequence[Wish]) -> Found:
    """Let a chooser find the tool for each wish."""
    ranked = [(wish.tool, chooser.rank(wish.text)) for wish in wishes]
    return Found(
        sum(names[0] == tool for tool, names in ranked),
        sum(tool in names[:3] for tool, names in ranked),
        Counter((tool, names[0]) for tool, names in ranked if names[0] != tool),
    )


def confusion(missed: Counter[tuple[str, str]]) -> list[str]:
    """A table of the misses: a row for each right tool, a column for each tool that came first in its place.

    A column is headed by the letter of its tool, which stands before that tool's row.

    Args:
        missed: how often each pair of the right tool and the one that came first was found.
    """
    letters = dict(zip(sorted({tool for pair in missed for tool in pair}), ascii_lowercase, strict=False))
    columns = [tool for tool in letters if any(first == tool for _, first in missed)]
    width = max((len(_short(tool)) for tool in letters), default=0)
    lines = [" " * (width + 2) + "".join(f"{letters[tool]:>3}" for tool in columns)]
    for right, letter in letters.items():
        counts = "".join(f"{missed[right, first] or '.':>3}" for first in columns)
        lines.append(f"{letter} {_short(right):{width}}{counts}")
    return lines


def page(texts: Mapping[str, Mapping[str, str]]) -> str:
    """What the choosers find with each package's texts, in Markdown. Only the working part shows what they mistake."""
    rows: list[tuple[str, ...]] = []
    tables: list[str] = []
    for part in ("working", "reported"):
        wishes = read_wishes(part)
        for name, kind in CHOOSERS.items():
            for whose, of in texts.items():
                found = count(kind(of), wishes)
                rows.append((f"{part}, {len(wishes)}", name, whose, str(found.first), str(found.in_three)))
                if part == "working":
                    tables += [f"\n{name}, {whose}:\n", *(f"    {line}" for line in confusion(found.missed))]
    counts = Section(
        "How often the right tool is found",
        _COUNTED,
        ("wishes", "chooser", "descriptions of", "first", "among the first three"),
        rows,
    )
    return "\n".join([_HEAD, counts.in_markdown(), _MISTAKEN, *tables, ""])


def main() -> None:
    """Measure, print what was found, and write the page."""
    found = page(
        {
            f"mcp-producer {version('mcp-producer')}": other_texts(),
            f"producer-tools {version('producer-tools')}": own_texts(),
        }
    )
    print(found)
    PAGE.write_text(found, encoding="utf-8")


def _short(tool: str) -> str:
    return tool.removeprefix("producer_")


if __name__ == "__main__":
    main()
