"""Finds the code blocks of a Markdown page and runs them as a reader would copy them."""

import ast
import asyncio
import json
import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from importlib.metadata import metadata
from importlib.util import find_spec
from inspect import iscoroutine
from io import StringIO
from pathlib import Path

import pytest
from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Page:
    """The code blocks of one page.

    The language of a block decides what is checked:

    - `python` runs as a program of its own; with a title it is also written to a file of that name.
    - `text` must equal what the last Python block printed; "…" matches anything within a line.
    - `json` must be JSON.
    - `bash`: each command must exist, and `python -m pytest` runs.

    Any other language is an error, so that no block is left unchecked.

    Args:
        path: the page.
        cells: whether its Python blocks are cells of one notebook. Cells share their variables and may `await` outside
            a function.
    """

    def __init__(self, path: Path, *, cells: bool) -> None:
        self._cells = cells
        self._printed = ""
        self._evaluators: dict[str, Callable[[Example], None]] = {
            "python": self._run,
            "text": self._compare,
            "json": self._parse_json,
            "bash": self._check_commands,
        }
        self._document = Document.parse(str(path), self._blocks)

    def run(self) -> int:
        """Run the blocks in their order, and return how many there were."""
        self._loop = asyncio.new_event_loop()
        blocks = list(self._document)
        try:
            for block in blocks:
                block.evaluate()
        finally:
            self._loop.close()
        return len(blocks)

    def _blocks(self, document: Document) -> Iterable[Region]:
        fences = FencedCodeBlockLexer(language=r"[^\n]*", mapping={"language": "info", "source": "source"})
        for region in fences(document):
            language, _, _ = region.lexemes["info"].partition(" ")
            if language not in self._evaluators:
                raise ValueError(f"{document.path}: nothing is known to do with a block of {language!r}")
            region.parsed, region.evaluator = region.lexemes["source"], self._evaluators[language]
            yield region

    def _run(self, block: Example) -> None:
        if title := re.search(r'title="(.+?)"', block.region.lexemes["info"]):
            Path(title[1]).write_text(block.parsed, encoding="utf-8")
        # Empty lines before it, so that a traceback shows the page's line.
        source = "\n" * (block.line + block.parsed.line_offset) + block.parsed
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self._cells else 0
        code = compile(source, block.path, "exec", flags=flags, dont_inherit=True)
        namespace = block.namespace if self._cells else {}
        namespace["__name__"] = "__main__"
        with redirect_stdout(StringIO()) as printed:
            result = eval(code, namespace)  # noqa: S307 - running the page is what this is for
            if iscoroutine(result):
                self._loop.run_until_complete(result)
        self._printed = printed.getvalue()

    def _compare(self, block: Example) -> None:
        pattern = re.escape(block.parsed.strip()).replace("…", ".*")
        assert re.fullmatch(pattern, self._printed.strip()), (
            f"{block.path}:{block.line}: the page says\n{block.parsed}\nbut what is printed is\n{self._printed}"
        )

    def _parse_json(self, block: Example) -> None:
        json.loads(block.parsed)

    def _check_commands(self, block: Example) -> None:
        for line in block.parsed.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                assert _exists(words), f"{block.path}:{block.line}: there is no such command: {line}"
                if words[:3] == ["python", "-m", "pytest"]:
                    # In this process, which has imported everything. Its own garbage would be collected at the end.
                    assert pytest.main([*words[3:], "-q", "-p", "no:unraisableexception"]) == pytest.ExitCode.OK


def _exists(words: list[str]) -> bool:
    """Whether a shell command names something that this project has."""
    command, *arguments = words
    if command == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        return {word for word in arguments if "=" not in word} <= set(targets)
    if command == "python" and arguments[0] == "-m":
        return find_spec(arguments[1]) is not None
    if command in ("python", "jupyter"):
        return (ROOT / arguments[-1]).exists()
    if command == "pip":
        extras = {extra for word in arguments for extra in re.findall(r"\[(.+)\]", word) for extra in extra.split(",")}
        return extras <= set(metadata("producer-tools").get_all("Provides-Extra") or ())
    scripts = (
        (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.scripts]")[2].partition("\n[")[0]
    )
    return command in ("export", "git", "cd", *re.findall(r"^([\w-]+) =", scripts, re.MULTILINE))
