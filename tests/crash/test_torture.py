"""A small run of `make torture`, for every run of the suite."""

from pathlib import Path

import pytest

from tests.crash.torture.kills import torture
from tests.crash.torture.service import ListingAnswer
from tests.crash.torture.soak import soak

# The server that starts the processes listens on a Unix socket.
pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize("listing", ["works", "forbidden"])
def test_killed_processes_pay_once(listing: ListingAnswer, tmp_path: Path) -> None:
    """If this fails, a worker that is killed and restarted pays twice for a song, or loses one it has paid for."""
    found = torture(kills=4, songs=6, directory=tmp_path, seed=5, listing=listing)
    assert found.wrong == []
    assert found.kills >= 4
    assert found.once + found.unknown == found.songs
    assert listing == "forbidden" or found.still_unknown == 0


def test_many_callers_pay_once(tmp_path: Path) -> None:
    """If this fails, calls from many threads and event loops pay twice for a song, or lose one, when requests fail."""
    found = soak(calls=200, directory=tmp_path, seed=5, listing="works")
    assert found.wrong == []
    assert (found.calls, found.songs) == (200, 100)
    assert found.faults > 0
    assert found.once > 0
