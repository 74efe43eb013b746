"""Writes the Python blocks of the README and the documentation into files, so that type checkers can read them.

Each block becomes a program of its own, named after its page. A notebook's cells become one function, because they
share their variables and may ``await``.

    python -m tests.docs.typed_blocks DIRECTORY
"""

import json
import sys
from pathlib import Path
from textwrap import indent

from sybil import Document
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from tests.docs.code_blocks import PAGES, ROOT

NOTEBOOKS = frozenset({"notebooks.md"})


def write_blocks(directory: Path) -> int:
    """Write every block into ``directory``, and return how many files that makes."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.py"):
        old.unlink()
    # What pyright checks unless it is told otherwise.
    settings = {"typeCheckingMode": "standard", "reportUnusedExpression": False, "venvPath": str(ROOT), "venv": ".venv"}
    (directory / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    for page in PAGES:
        name = "_".join(page.relative_to(ROOT).with_suffix("").parts)
        blocks = _blocks(page)
        if page.name in NOTEBOOKS:
            blocks = ["async def cells() -> None:\n" + indent("\n".join(blocks), "    ")] if blocks else []
        for number, block in enumerate(blocks, start=1):
            (directory / f"{name}_{number}.py").write_text(block, encoding="utf-8")
    return len(list(directory.glob("*.py")))


def _blocks(page: Path) -> list[str]:
    lexer = FencedCodeBlockLexer(language=r"python[^\n]*", mapping={"source": "source"})
    return [str(region.lexemes["source"]) for region in lexer(Document(page.read_text(encoding="utf-8"), str(page)))]


if __name__ == "__main__":
    print(f"{write_blocks(Path(sys.argv[1]))} programs of the documentation")
