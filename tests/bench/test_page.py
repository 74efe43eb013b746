"""docs/benchmarks.md is the page that `make bench` writes."""

import re
from importlib import import_module
from inspect import getsource

from tests.bench.__main__ import MODULES, PAGE


def test_the_page_has_a_section_for_each_measurement() -> None:
    """If this fails, the page is older than the measurements: somebody has to run `make bench`."""
    titles = [
        title
        for name in MODULES
        for title in re.findall(r'return Section\(\s*"([^"]+)"', getsource(import_module(f"tests.bench.{name}")))
    ]
    assert len(titles) == len(MODULES)
    assert re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE) == titles
