"""The torture in small, for every run of the suite; `make torture` has the real sizes."""

from pathlib import Path

import pytest

from tests.torture.kills import torture
from tests.torture.soak import soak

# Processes are started over a Unix socket; what they talk to is on this machine as well.
pytestmark = pytest.mark.enable_socket


def test_killed_processes_pay_once(tmp_path: Path) -> None:
    """If this fails, a worker that is killed and started again pays twice for a song, or loses one it has paid for."""
    found = torture(kills=10, songs=9, directory=tmp_path, seed=5)
    assert found.wrong == []
    assert found.kills == 10
    assert found.once + found.unknown_charged + found.unknown_not_charged == found.songs


def test_a_crowd_pays_once(tmp_path: Path) -> None:
    """If this fails, calls from many threads and loops pay twice for a song, or lose one, once requests go wrong."""
    found = soak(calls=500, directory=tmp_path, seed=5)
    assert found.wrong == []
    assert (found.calls, found.wishes) == (500, 250)
    assert found.faults > 0
    assert found.once > 0
