"""How `make` looks after the environment of a clone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def planned(folder: Path, python: Path, target: str = "demo") -> str:
    """What `make` would do, if .venv had this Python and everything were installed in it."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(python)
    for stamp in (".pip", ".demo", ".test"):
        (folder / ".venv" / stamp).touch()
    command = ["make", "--dry-run", target, f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def old_python(folder: Path) -> Path:
    """It fails the check of the version, as Python 3.9 does."""
    path = folder / "old-python"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("target", ["demo", "test"])
def test_an_environment_that_cannot_work_is_made_again(target: str, tmp_path: Path) -> None:
    """After an upgrade of the system's Python, or a first try with an old one, every target would fail for ever."""
    for name, python in (("gone", tmp_path / "nowhere"), ("old", old_python(tmp_path))):
        (tmp_path / name).mkdir()
        plan = planned(tmp_path / name, python, target)
        assert "The Python of .venv is gone, or older than 3.10. .venv is made again." in plan
        assert plan.index("venv --clear .venv") < plan.index(f"Installing into .venv for: {target}")


def test_an_environment_that_works_is_kept(tmp_path: Path) -> None:
    """Each `make test` would install everything again."""
    plan = planned(tmp_path, Path(sys.executable))
    assert "venv --clear" not in plan
    assert "Installing" not in plan
