"""The paid song of ``producer-doctor --song``: each step is reported, and a file that does not play is bad."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from producer_tools import ProducerClient, SqliteLedger
from producer_tools.doctor.playing import Playable, read_audio
from producer_tools.doctor.results import CheckResult
from producer_tools.doctor.song import make_song
from producer_tools.sandbox import Fault, ProducerSandbox

pytestmark = pytest.mark.usefixtures("silent_files")


async def steps(client: ProducerClient, directory: Path, ledger: Path | None = None) -> dict[str, CheckResult]:
    """The results by their checks."""
    said: list[str] = []
    results = await make_song(client, directory, None if ledger is None else str(ledger), said.append)
    if any(each.check == "song" and each.state == "good" for each in results):
        assert "Submitted: the task is " in said[0]
    return {each.check: each for each in results}


async def test_a_song_is_written_down_made_and_played(
    client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    ledger = tmp_path / "songs.sqlite"
    done = await steps(client, tmp_path / "songs", ledger)
    assert {name: each.state for name, each in done.items()} == dict.fromkeys(("song", "download", "file"), "good")
    (charge,) = sandbox.charges
    assert charge.task_id in done["song"].text
    assert "by its header" in done["file"].text
    (entry,) = await SqliteLedger(ledger).entries()
    assert entry.answer is not None
    assert entry.answer["task_id"] == charge.task_id


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda sandbox: sandbox.fail_next("used_up"), "Nothing was charged"),
        (lambda sandbox: sandbox.fail_next(Fault.RESET_AFTER_WORK), "may have been carried out and charged"),
        (lambda sandbox: sandbox.spoil_next("api_error", "no capacity"), "no capacity"),
    ],
    ids=["refused", "unknown", "failed"],
)
async def test_a_song_that_is_not_made_is_told(
    break_it: Callable[[ProducerSandbox], object],
    message: str,
    client: ProducerClient,
    sandbox: ProducerSandbox,
    tmp_path: Path,
) -> None:
    """A person must know whether it was paid for."""
    sandbox.listing.answer = "forbidden"  # else the song with the lost answer is found, and all is well
    break_it(sandbox)
    done = await steps(client, tmp_path)
    assert list(done) == ["song"]
    assert done["song"].state == "bad"
    assert message in done["song"].text


async def test_a_missing_file_is_told(client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path) -> None:
    with sandbox.missing_files("audio"):
        results = await make_song(client, tmp_path, None, lambda _: None)
    bad = [each.text for each in results if each.state == "bad"]
    assert len(bad) == 2
    assert "http_404" in bad[0]
    assert "no audio file" in bad[1]


def _mp4(version: int) -> bytes:
    """The least that is an audio file of 90 seconds."""
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, 600, 54_000)
    header = b"mvhd" + bytes([version, 0, 0, 0]) + times
    index = b"moov" + struct.pack(">I", len(header) + 4) + header
    parts = (b"ftypM4A \0\0\0\0", index, b"mdat" + bytes(8))
    return b"".join(struct.pack(">I", len(part) + 4) + part for part in parts)


@pytest.mark.parametrize("version", [0, 1])
def test_the_length_of_an_m4a_file_is_read(version: int, tmp_path: Path) -> None:
    """The service makes m4a files."""
    path = tmp_path / "song.m4a"
    path.write_bytes(_mp4(version))
    assert read_audio(path) == Playable("audio/mp4", is_whole=True, seconds=90.0)
    path.write_bytes(_mp4(version)[:-1])
    assert not read_audio(path).is_whole
    path.write_bytes(b"<html>")
    assert read_audio(path) == Playable(None, is_whole=False, seconds=None)
