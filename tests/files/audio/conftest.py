"""A song of 12 seconds in each format."""

from pathlib import Path
from shutil import copy

import pytest

from tests.files.audio.songs import TYPES, save, tone


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("songs")
    return {suffix: save(directory / f"song{suffix}", tone(12)) for suffix in TYPES}


@pytest.fixture
def songs(originals: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """By extension: copies that a test may change, alone in a directory."""
    directory = tmp_path / "songs"
    directory.mkdir()
    return {suffix: Path(copy(path, directory)) for suffix, path in originals.items()}
