"""Each file of a task has a name of its own, and a later run finds it under the same name."""

from pathlib import Path
from typing import Any, cast

import pytest

from producer_tools import Downloader, ProducerClient, Task
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.tasks.results import Result
from tests.files.song_server import SONG, reply, serving
from tests.saved_files import saved_files

pytestmark = pytest.mark.usefixtures("untagged")

HASH_OF_A = "559aead08264"
"""What stands in a file name for the id ``A``, which is no plain one."""

SAME_IDS: dict[str, list[dict[str, Any]]] = {
    "one id twice": [{"audio_id": "a1"}, {"audio_id": "a1"}],
    "one id in many results": [{"audio_id": "a1"}] * 12,
    "no id beside the id 1": [{}, {"audio_id": "1"}],
    "the id 2 beside no id": [{"audio_id": "2"}, {}],
    "titles that differ in case": [{"audio_id": "a1", "title": "Song"}, {"audio_id": "a1", "title": "song"}],
    "an id and its hash": [{"audio_id": "A"}, {"audio_id": HASH_OF_A}],
    "one id twice, and what looks like its second": [{"audio_id": "a1"}, {"audio_id": "a1"}, {"audio_id": "a1.2"}],
    "no ids": [{}, {}, {}],
}


def results_at(base_url: str, keys: list[dict[str, Any]]) -> tuple[Result, ...]:
    return tuple(
        cast("Result", {"title": "Song", "audio_url": f"{base_url}/{n}", **each}) for n, each in enumerate(keys)
    )


@pytest.mark.parametrize("task_id", ["t1", None])
@pytest.mark.parametrize("keys", SAME_IDS.values(), ids=SAME_IDS)
async def test_files_never_overwrite_each_other(
    keys: list[dict[str, Any]], task_id: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two songs in one file: one of them, which was paid for, is lost, and both are reported as saved."""
    songs = [SONG + bytes([number]) for number in range(len(keys))]
    async with serving({f"/{number}": reply(song) for number, song in enumerate(songs)}) as url:
        task = Task(task_id, "complete", results=results_at(url, keys))
        async with ProducerClient("t", url) as client:
            first = await Downloader(client, tmp_path).save(task)
            assert [Path(file.path).read_bytes() for file in first.files] == songs
            assert len({path.name.lower() for path in saved_files(tmp_path)}) == len(songs)

            async def no_fetch(*_: object) -> None:
                pytest.fail("it was downloaded again")

            monkeypatch.setattr(FileFetcher, "fetch", no_fetch)
            second = await Downloader(client, tmp_path).save(task)
    assert [file.path for file in second.files] == [file.path for file in first.files]


async def test_songs_without_any_id_have_their_own_files(tmp_path: Path) -> None:
    """The second task's song would be taken for the first one's, and never be downloaded."""
    songs = {"/first": SONG + b"1", "/second": SONG + b"2"}
    async with serving({path: reply(song) for path, song in songs.items()}) as url, ProducerClient("t", url) as client:
        for path, song in songs.items():
            result = cast("Result", {"title": "Song", "audio_url": url + path})
            (file,) = (await Downloader(client, tmp_path).save(Task(None, "complete", results=(result,)))).files
            assert Path(file.path).read_bytes() == song
