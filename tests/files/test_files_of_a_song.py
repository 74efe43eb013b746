"""All files of a song have its name, also those that further tasks make of it."""

import asyncio
from pathlib import Path

import pytest

from producer_tools import Downloader, ProducerClient, SavedFile
from producer_tools.requests import GenerateCustomMusic, GenerateVideo, GenerateWav, PaidRequest, StemsMusic
from producer_tools.sandbox import ProducerSandbox
from tests.files.song_server import short_wav

pytestmark = pytest.mark.usefixtures("silent_files")


async def saved(client: ProducerClient, directory: Path, request: PaidRequest) -> tuple[SavedFile, ...]:
    task = await client.submit(request)
    return (await Downloader(client, directory).save(str(task.task_id))).files


async def song(client: ProducerClient, directory: Path) -> SavedFile:
    request = GenerateCustomMusic(lyric="[Verse]\nla", title="First Day", seed="7")
    return next(file for file in await saved(client, directory, request) if file.kind == "audio")


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (GenerateVideo, ["First Day.mp4"]),
        (GenerateWav, ["First Day (1).wav"]),
        (StemsMusic, ["First Day (vocals).wav", "First Day (instrumental).wav"]),
    ],
)
async def test_further_files_are_named_after_the_song(
    client: ProducerClient, tmp_path: Path, make: type[GenerateVideo], names: list[str]
) -> None:
    """The service names no title of a video. Videos would all be called Untitled, and nobody could tell them apart."""
    original = await song(client, tmp_path)
    files = await saved(client, tmp_path, make(audio_id=str(original.audio_id)))
    short = str(original.audio_id)[:8]
    assert [file.name for file in files] == [name.replace("(1)", f"({short})") for name in names]
    assert {file.audio_id for file in files} == {original.audio_id}


async def test_a_video_says_which_song_it_shows(client: ProducerClient, tmp_path: Path) -> None:
    """Its tags would name no song, and a reader of the file could not find it."""
    original = await song(client, tmp_path)
    (video,) = await saved(client, tmp_path, GenerateVideo(audio_id=str(original.audio_id)))
    read = await asyncio.to_thread(SavedFile.from_path, video.path)
    assert (read.title, read.audio_id, read.model, read.seed) == ("First Day", original.audio_id, "FUZZ-2.0", "7")
    assert read.task_id == video.task_id != original.task_id


async def test_stems_say_which_song_they_are_from(client: ProducerClient, tmp_path: Path) -> None:
    """Stems are passed on by themselves: without tags, nobody would know their song, or that an AI has made it."""
    original = await song(client, tmp_path)
    files = await saved(client, tmp_path, StemsMusic(audio_id=str(original.audio_id)))
    read = [await asyncio.to_thread(SavedFile.from_path, file.path) for file in files]
    assert [each.title for each in read] == ["First Day (vocals)", "First Day (instrumental)"]
    assert {(each.audio_id, each.model) for each in read} == {(original.audio_id, "FUZZ-2.0")}
    assert all(file.measured for file in files)
    (video,) = await saved(client, tmp_path, GenerateVideo(audio_id=str(original.audio_id)))
    assert video.name == "First Day.mp4", "the video shows the whole song, and none of its stems"


async def test_an_answer_that_is_final_at_once_names_its_song_too(
    sandbox: ProducerSandbox, client: ProducerClient, tmp_path: Path
) -> None:
    """Videos are answered at once. Saved from that answer, without a look-up, they would be called Untitled."""
    original = await song(client, tmp_path)
    answered = await client.submit(GenerateVideo(audio_id=str(original.audio_id)))
    looked_up = len(sandbox.requests)
    downloads = await Downloader(client, tmp_path).save(answered)
    assert [file.name for file in downloads.files] == ["First Day.mp4"]
    assert len(sandbox.requests) == looked_up


async def test_in_another_directory_a_video_is_saved_all_the_same(client: ProducerClient, tmp_path: Path) -> None:
    """Where the song itself was never saved, nothing is known of its title."""
    original = await song(client, tmp_path / "here")
    (video,) = await saved(client, tmp_path / "there", GenerateVideo(audio_id=str(original.audio_id)))
    assert (video.name, video.audio_id) == ("Untitled.mp4", original.audio_id)


@pytest.mark.usefixtures("untagged")
async def test_a_recording_of_the_users_is_not_taken_for_an_untagged_song(
    client: ProducerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the extra is installed, the user's own recording would get tags that say that an AI has made it."""
    original = await song(client, tmp_path)
    own = Path(original.path)
    own.write_bytes(own_recording())
    monkeypatch.undo()
    again = await Downloader(client, tmp_path).save(str(original.task_id))
    assert own.read_bytes() == own_recording()
    assert again.files[0].name != original.name


def own_recording() -> bytes:
    return short_wav() + b"LIST\x04\0\0\0INFO"
