"""What a download has left in its directory."""

import json
from pathlib import Path
from typing import Any

INDEX = "songs.jsonl"


def saved_files(directory: Path) -> list[Path]:
    """All files, without the index."""
    return sorted(path for path in directory.iterdir() if path.name != INDEX)


def lines_of_index(directory: Path) -> list[dict[str, Any]]:
    """The lines of the index."""
    return [json.loads(line) for line in (directory / INDEX).read_text(encoding="utf-8").splitlines()]
