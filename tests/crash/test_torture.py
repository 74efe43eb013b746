"""A small run of `make torture`, for every run of the suite."""

from pathlib import Path

import pytest

from tests.crash.torture.kills import torture
from tests.crash.torture.soak import soak

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


def test_killed_processes_pay_once(tmp_path: Path) -> None:
    """If this fails, a worker that is killed and restarted pays twice for a song, or loses one it has paid for."""
    found = torture(kills=10, songs=9, directory=tmp_path, seed=5)
    assert found.wrong == []
    assert found.kills == 10
    assert found.once + found.unknown_charged + found.unknown_not_charged == found.songs


def test_many_callers_pay_once(tmp_path: Path) -> None:
    """If this fails, calls from many threads and event loops pay twice for a song, or lose one, when requests fail."""
    found = soak(calls=500, directory=tmp_path, seed=5)
    assert found.wrong == []
    assert (found.calls, found.songs) == (500, 250)
    assert found.faults > 0
    assert found.once > 0
