"""One section of the benchmarks page: what was measured, and how."""

from typing import NamedTuple


class Section(NamedTuple):
    """What one module of this folder has measured.

    Attributes:
        title: the heading.
        text: how it was measured and what the figures mean, in Markdown.
        header: the names of the table's columns.
        rows: the cells, as they are printed. Figures that depend on the machine stand beside a ratio within this run.
    """

    title: str
    text: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def in_markdown(self) -> str:
        """The section as it stands on the page."""
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"## {self.title}\n\n{self.text}\n\n{table}\n"
