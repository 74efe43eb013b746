"""An interpreter that all tests of processes share, because each one takes a second to start."""

from collections.abc import Iterator

import pytest

from tests.concurrency.warm_python import WarmPython, warm_python


@pytest.fixture(scope="session")
def python() -> Iterator[WarmPython]:
    with warm_python() as started:
        yield started
