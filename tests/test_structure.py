"""What import-linter does not see of the package's structure."""

from graphlib import TopologicalSorter
from pathlib import Path

import grimp

import producer_tools

ROOT = Path(producer_tools.__file__).parent


def test_no_modules_import_each_other_in_a_circle() -> None:
    """A module that imports its own folder's ``__init__`` is a circle, and breaks some orders of import.

    The imports under ``TYPE_CHECKING`` and inside functions count.
    """
    graph = grimp.build_graph("producer_tools", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(TopologicalSorter(imports).static_order())  # raises CycleError, which names the circle
    assert len(order) == len(graph.modules) > len(list(ROOT.iterdir()))


def test_the_top_of_the_package_has_room_left() -> None:
    """Someone who opens the package must see its structure at a glance: at most 20 entries."""
    assert len([path for path in ROOT.iterdir() if path.name != "__pycache__"]) <= 20


def test_each_folder_is_a_package() -> None:
    """import-linter does not see a folder without ``__init__.py``."""
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
