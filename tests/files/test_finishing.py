"""What a saved song gets: tags, its cover, and measurements. Nothing of that can lose it."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from mutagen.mp4 import MP4

from producer_tools import Downloader, Downloads, ProducerClient, Task
from producer_tools.files.audio import headers
from producer_tools.files.audio.measured import Measured
from producer_tools.files.audio.measuring import measure
from producer_tools.files.audio.tags import Tags, read_tags
from producer_tools.files.library import finishing
from producer_tools.tasks.results import Result
from producer_tools.tools.output import downloads_output
from tests.files.audio.songs import JPEG, tone
from tests.files.audio.songs import save as encode
from tests.files.song_server import SONG, reply, serving, short_wav
from tests.saved_files import lines_of_index, saved_files

MEASURED = Measured(4.0, 44100, 2, clipped_share=0.02)
FACTS: dict[str, Any] = {"lyric": "la\nla", "sound": "a waltz", "model": "FUZZ-2.0", "seed": "7"}


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encode(tmp_path_factory.mktemp("song") / "a.m4a", tone(0.5)).read_bytes()


@pytest.fixture(autouse=True)
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were measured; each gives the same."""
    measured: list[Path] = []

    def measure(path: Path) -> Measured:
        measured.append(path)
        return MEASURED

    monkeypatch.setattr(finishing, "measure", measure)
    return measured


async def save(directory: Path, content: bytes, songs: int = 1) -> Downloads:
    async with serving({"/a": reply(content), "/b": reply(JPEG)}) as url, ProducerClient("t", url) as client:
        results = [
            {"audio_id": f"a{n}", "title": "Song", "audio_url": f"{url}/a", "image_url": f"{url}/b", **FACTS}
            for n in range(songs)
        ]
        return await Downloader(client, directory).save(Task("t1", "complete", tuple(cast("list[Result]", results))))


async def test_a_song_gets_tags_its_cover_and_measurements(song: bytes, tmp_path: Path) -> None:
    """Apart from its directory, a file must still say what it is, and that an AI has made it."""
    audio, _ = (await save(tmp_path, song)).files
    path = Path(audio.path)
    assert await asyncio.to_thread(read_tags, path) == Tags("Song", "la\nla", "FUZZ-2.0", "7", "a waltz", "t1", "a0")
    tags = (await asyncio.to_thread(MP4, path)).tags
    assert tags is not None
    assert bytes(tags["covr"][0]) == JPEG
    assert (audio.bytes, audio.measured) == (path.stat().st_size, MEASURED)
    facts = (audio.name, audio.task_id, audio.model, audio.seed, audio.prompt, audio.lyrics)
    assert facts == ("Song.m4a", "t1", "FUZZ-2.0", "7", "a waltz", "la\nla")
    assert audio.ai_made


async def test_a_finished_file_is_neither_tagged_nor_measured_again(
    song: bytes, tmp_path: Path, measurements: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own changes to the tags must stay, and measuring takes a second."""
    first = await save(tmp_path, song)
    monkeypatch.setattr(finishing, "write_tags", lambda *_: pytest.fail("it was tagged again"))
    size = (tmp_path / "songs.jsonl").stat().st_size
    again = await save(tmp_path, song)
    assert [file.measured for file in again.files] == [file.measured for file in first.files]
    assert len(measurements) == 1
    assert (tmp_path / "songs.jsonl").stat().st_size == size, "nothing new is known, so nothing is written"


async def test_a_song_that_was_edited_is_measured_again(tmp_path: Path, measurements: list[Path]) -> None:
    """A model would read that a song is clipped which the user has repaired."""
    await save(tmp_path, short_wav())
    path = tmp_path / "Song.wav"
    await asyncio.to_thread(path.write_bytes, short_wav(0.3))
    again = await save(tmp_path, short_wav())
    assert (again.files[0].bytes, again.files[0].downloaded) == (len(short_wav(0.3)), False)
    assert measurements == [path, path]
    await save(tmp_path, short_wav())
    assert len(measurements) == 2


async def test_a_song_that_cannot_be_decoded_is_called_so_and_not_decoded_again(
    tmp_path: Path, measurements: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be large, and each look would decode all of it."""

    def measure_once(path: Path) -> Measured | None:
        measurements.append(path)
        return measure(path)

    monkeypatch.setattr(finishing, "measure", measure_once)
    for downloaded in (True, False):
        song, _ = (await save(tmp_path, SONG)).files
        assert (song.downloaded, song.findings) == (downloaded, ("it has no audio that can be decoded",))
        assert replace(song, duration_seconds=135.0).findings == song.findings, "that it is too short says nothing more"
    assert len(measurements) == 1


async def test_without_the_extra_the_file_is_saved_as_it_is(
    song: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an option, and no fault. When the extra is installed later, the next call adds the tags."""
    with monkeypatch.context() as patch:
        patch.setattr(headers, "find_spec", lambda _: None)
        saved = await save(tmp_path, song)
    assert Path(saved.files[0].path).read_bytes() == song
    own = [record for record in caplog.records if record.name == "producer_tools"]
    assert not [record for record in own if record.levelname == "WARNING"]
    await save(tmp_path, song)
    assert await asyncio.to_thread(read_tags, Path(saved.files[0].path)) is not None


async def test_when_the_extra_sound_is_installed_later_all_is_measured(
    song: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that judges songs would never read how loud one is that was saved before."""
    only_length = Measured(4.0, 44100, 2)
    with monkeypatch.context() as patch:
        patch.setattr(finishing, "measure", lambda _: only_length)
        patch.setattr(finishing, "can_decode", lambda: False)
        for _ in range(2):
            assert (await save(tmp_path, song)).files[0].measured == only_length
    assert (await save(tmp_path, song)).files[0].measured == MEASURED


@pytest.mark.parametrize("function", ["write_tags", "measure", "read_tags"])
async def test_what_goes_wrong_loses_nothing(
    function: str, song: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An odd file, or a fault in a library, must not make a song that was paid for look missing."""

    def fail(*_: object) -> None:
        raise RuntimeError("Song: odd")

    with monkeypatch.context() as patch:
        patch.setattr(finishing, function, fail)
        broken = await save(tmp_path, song)
    assert [file.kind for file in broken.files] == ["audio", "cover"]
    assert broken.failed == ()
    assert "not tagged and measured" in caplog.text
    assert "Song: odd" not in caplog.text, "a message may hold a title"
    whole = await save(tmp_path, song)
    assert (whole.files[0].measured, lines_of_index(tmp_path)[-1]["tagged"]) == (MEASURED, True)


async def test_few_files_are_finished_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a processor core; a task of many songs would stop everything else that uses threads.

    The C library keeps the memory of each thread that has ever measured a song: 34 MB.
    """
    running, most, lock, threads = 0, 0, threading.Lock(), set[int]()

    def measure(_: Path) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            threads.add(threading.get_ident())
        time.sleep(0.002)  # so that others would be seen
        with lock:
            running -= 1

    monkeypatch.setattr(finishing, "measure", measure)
    monkeypatch.setattr(finishing, "write_tags", lambda *_: True)
    await save(tmp_path, short_wav(), songs=20)
    assert most <= 2
    assert len(threads) <= 2
    assert len(saved_files(tmp_path)) == 40


async def test_a_model_reads_names_and_what_is_wrong_with_a_song(song: bytes, tmp_path: Path) -> None:
    """With the findings it can make another take. A path would tell it, and its provider, about the host."""
    content, artifact = downloads_output(await save(tmp_path, song))
    assert str(tmp_path) not in content
    assert '"path":"Song.m4a","measured_seconds":4.0,"findings":["too short: 4.0 s","clipped: 2.0% of' in content
    assert artifact["directory"] == str(tmp_path)
    assert artifact["files"][0]["path"] == str(tmp_path / "Song.m4a")
    assert artifact["files"][0]["measured"]["clipped_share"] == 0.02
