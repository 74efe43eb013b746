# noqa: INP001 - hatchling loads this file by its path
"""Keep the outputs of the notebooks, which are megabytes of sound, out of the source distribution."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NotebooksWithoutOutputs(BuildHookInterface):
    """Puts a copy of each notebook into the source distribution."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Make the copies."""
        self._copies = TemporaryDirectory()
        for path in Path(self.root, "examples").glob("*.ipynb"):
            book = json.loads(path.read_text(encoding="utf-8"))
            for cell in book["cells"]:
                if cell["cell_type"] == "code":
                    cell.update(outputs=[], execution_count=None)
            copy = Path(self._copies.name, path.name)
            copy.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            build_data["force_include"][str(copy)] = f"examples/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as above
        """Remove the copies."""
        self._copies.cleanup()
