"""A small run of `make album`, for every run of the suite."""

from pathlib import Path

import pytest

from tests.crash import album

# The server that starts the processes listens on a Unix socket.
pytestmark = [pytest.mark.usefixtures("silent_files"), pytest.mark.enable_socket]


def test_an_album_survives_a_kill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, an album whose process was killed is not resumed, or a take is charged twice."""
    album.main(tmp_path, wishes=album.WISHES[:2], render_seconds=0.1, poll_interval=0.02)
    printed = capsys.readouterr().out
    assert "KILLED in the middle" in printed
    assert "each take was charged once, and none is lost" in printed
    assert len(list((tmp_path / "songs").glob("*.wav"))) == 2
