"""Downloads from the sandbox: every kind of file, each way to call, refused tasks, and files that exist already."""

import asyncio
import json
import os
import time
import wave
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from producer_tools import (
    Downloader,
    NoFilesError,
    ProducerClient,
    ProducerDownloadResults,
    ProducerToolkit,
    Task,
    TaskNotFinishedError,
    TaskNotFoundError,
)
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.saved_files import saved_files

pytestmark = pytest.mark.usefixtures("silent_files")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "music"


@pytest.fixture
def tools(client: ProducerClient, directory: Path) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in ProducerToolkit(client=client, download_dir=directory).get_tools()}


async def finished(tools: dict[str, BaseTool], name: str, **arguments: Any) -> dict[str, Any]:
    """The content of a finished task of the sandbox, made by the tool ``name``."""
    submitted = json.loads(await tools[name].ainvoke(arguments))
    content: dict[str, Any] = json.loads(await tools["producer_get_task"].ainvoke({"task_id": submitted["task_id"]}))
    assert content["state"] == "complete"
    return content


async def save(tools: dict[str, BaseTool], task_id: str) -> dict[str, dict[str, Any]]:
    """Save a task's files, assert that each exists with the size reported, and return the reports by kind.

    Their paths are made absolute.
    """
    tool = cast("ProducerDownloadResults", tools["producer_download_results"])
    content = json.loads(await tool.ainvoke({"task_id": task_id}))
    assert (content["task_id"], content["state"], content["success"]) == (task_id, "complete", True)
    assert "nothing is left to do" in content["next_step"]
    for file in content["files"]:
        file["path"] = str(tool.directory / file["path"])
        assert Path(file["path"]).stat().st_size == file["bytes"] > 0
    return {file["kind"]: file for file in content["files"]}


async def test_a_song_and_its_cover_are_saved(tools: dict[str, BaseTool], directory: Path) -> None:
    """The files must be complete, in the right directory, and have names by which a user finds the song."""
    song = await finished(tools, "producer_generate_custom_music", lyric="[Verse]\nla", title="Ночь над рекой")
    files = await save(tools, song["task_id"])
    result = song["results"][0]
    audio, cover = files["audio"], files["cover"]
    for file, extension in ((audio, "wav"), (cover, "jpg")):
        assert Path(file["path"]) == directory / f"Ночь над рекой.{extension}"
    assert {key: audio[key] for key in ("audio_id", "title", "duration_seconds")} == {
        key: result[key] for key in ("audio_id", "title", "duration_seconds")
    }
    with wave.open(audio["path"]) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(result["duration_seconds"], abs=0.01)
    assert Path(cover["path"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert saved_files(directory) == sorted(Path(file["path"]) for file in (audio, cover))


async def test_stems_videos_and_wav_files_are_saved(tools: dict[str, BaseTool]) -> None:
    """A kind that is not recognised would be paid for and then expire on the server."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    audio_id = song["results"][0]["audio_id"]

    async def save_result(name: str, kind: str) -> dict[str, Any]:
        task = await finished(tools, name, audio_id=audio_id)
        return (await save(tools, task["task_id"]))[kind]

    stem = await save_result("producer_stems_music", "stem")
    with wave.open(stem["path"]) as sound:
        assert sound.getnframes()
    video = await save_result("producer_generate_video", "video")
    assert (Path(video["path"]).suffix, Path(video["path"]).read_bytes()[4:8]) == (".mp4", b"ftyp")
    lossless = await save_result("producer_generate_wav", "wav")
    with wave.open(lossless["path"]) as sound:
        assert sound.getnframes()


async def test_the_artifact_has_urls_and_content_types(tools: dict[str, BaseTool]) -> None:
    """An application needs them, as JSON values, since a checkpointer restores nothing else; a model does not."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    call = {"type": "tool_call", "id": "c1", "name": "producer_download_results", "args": {"task_id": song["task_id"]}}
    message = await tools["producer_download_results"].ainvoke(call)
    assert json.loads(json.dumps(message.artifact)) == message.artifact
    audio = message.artifact["files"][0]
    assert audio["url"] == song["results"][0]["audio_url"]
    assert (audio["content_type"], audio["downloaded"]) == ("audio/wav", True)
    assert message.artifact["results"][0]["audio_id"] == song["results"][0]["audio_id"]
    assert "url" not in json.loads(message.content)["files"][0]


async def test_files_that_exist_are_not_downloaded_again(
    tools: dict[str, BaseTool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that calls twice, or runs again after a crash, would download 50 MB for each call."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    first = await save(tools, song["task_id"])

    async def no_fetch(*_: object) -> None:
        pytest.fail("it was downloaded again")

    monkeypatch.setattr(FileFetcher, "fetch", no_fetch)
    assert await save(tools, song["task_id"]) == first


async def test_missing_and_damaged_files_are_downloaded_again(tools: dict[str, BaseTool]) -> None:
    """Otherwise a user could not repair a download by calling again."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    first = await save(tools, song["task_id"])
    Path(first["audio"]["path"]).write_bytes(b"")
    Path(first["cover"]["path"]).unlink()
    assert await save(tools, song["task_id"]) == first


async def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed(
    tools: dict[str, BaseTool], tmp_path: Path
) -> None:
    """A planted link could show a file from outside the directory as a song, or have it overwritten."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    path = Path((await save(tools, song["task_id"]))["audio"]["path"])
    outside = tmp_path / "outside.wav"
    outside.write_bytes(b"RIFF0000WAVEsecret")
    path.unlink()
    path.symlink_to(outside)
    saved = (await save(tools, song["task_id"]))["audio"]
    assert Path(saved["path"]) != path
    assert not Path(saved["path"]).is_symlink()
    assert outside.read_bytes() == b"RIFF0000WAVEsecret"


async def test_two_downloads_of_one_task_at_the_same_time(tools: dict[str, BaseTool], directory: Path) -> None:
    """If both wrote to the same temporary file, their bytes would be mixed."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    first, second = await asyncio.gather(save(tools, song["task_id"]), save(tools, song["task_id"]))
    assert first == second
    assert len(saved_files(directory)) == len(first)


async def test_tasks_with_the_same_title_have_their_own_files(tools: dict[str, BaseTool], directory: Path) -> None:
    """Otherwise the second song would overwrite the first."""
    songs = [await finished(tools, "producer_generate_custom_music", lyric="la", title="Same") for _ in range(2)]
    paths = {file["path"] for song in songs for file in (await save(tools, song["task_id"])).values()}
    assert len(paths) == len(saved_files(directory)) == 4


@pytest.mark.parametrize("vocabulary", ["record", "state"])
async def test_an_unfinished_task_is_refused(vocabulary: Any, directory: Path) -> None:
    """Its preview is half a song; once saved, it would pass for the whole one."""
    with ProducerSandbox(render_seconds=60, vocabulary=vocabulary) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
            task = await client.submit(GenerateMusic(prompt="x"))
            message = await ProducerDownloadResults(client=client, directory=directory).ainvoke(
                {"type": "tool_call", "id": "c", "name": "producer_download_results", "args": {"task_id": task.task_id}}
            )
            with pytest.raises(TaskNotFinishedError, match="the task is p"):
                await Downloader(client, directory).save(task)
    assert message.status == "error"
    assert message.content.startswith("not_finished: ")
    assert "producer_wait_for_tasks" in message.content
    assert not directory.exists()


async def test_a_task_without_files_is_refused(tools: dict[str, BaseTool], directory: Path) -> None:
    """The model must learn where the lyrics are instead of trying again."""
    lyrics = await finished(tools, "producer_generate_lyrics", prompt="rain")
    error = await tools["producer_download_results"].ainvoke({"task_id": lyrics["task_id"]})
    assert error.startswith("no_files: ")
    assert "producer_get_task" in error
    assert not directory.exists()


async def test_an_unknown_task_is_refused(client: ProducerClient, directory: Path) -> None:
    """An empty result would look as if there were nothing to save."""
    with pytest.raises(TaskNotFoundError):
        await Downloader(client, directory).save("nobody")


async def test_a_failed_task_is_refused_with_its_reason(client: ProducerClient, directory: Path) -> None:
    """Without the reason, the user would look for the fault in the download."""
    failed = Task("t1", "failed", error={"code": "api_error", "message": "out of tune", "trace_id": "x"})
    with pytest.raises(NoFilesError, match=r"task_failed: .*api_error: out of tune.*t1"):
        await Downloader(client, directory).save(failed)


def test_sync_calls_with_and_without_a_running_event_loop(sandbox: ProducerSandbox, directory: Path) -> None:
    """A notebook calls the sync methods while an event loop is running in its thread."""
    client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0)
    with ProducerToolkit(client=client, download_dir=directory) as toolkit:
        tools = {tool.name: tool for tool in toolkit.get_tools()}
        task_id = json.loads(tools["producer_generate_music"].invoke({"prompt": "x"}))["task_id"]
        content = json.loads(tools["producer_download_results"].invoke({"task_id": task_id}))
        downloads = Downloader(client, directory).save_sync(task_id)

        async def notebook() -> str:
            return str(tools["producer_download_results"].invoke({"task_id": task_id}))

        assert json.loads(asyncio.run(notebook())) == content
    assert [file.name for file in downloads.files] == [file["path"] for file in content["files"]]
    assert not any(file.downloaded for file in downloads.files)


async def test_a_tool_node_returns_content_and_artifact(tools: dict[str, BaseTool]) -> None:
    """Inside a graph, a tool without an artifact would leave the application without the URLs."""
    song = await finished(tools, "producer_generate_music", prompt="x")
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tools["producer_download_results"]]))
    builder.add_edge(START, "tools")
    arguments = {"task_id": song["task_id"]}
    call: Any = {"type": "tool_call", "id": "c1", "name": "producer_download_results", "args": arguments}
    state: Any = await builder.compile().ainvoke({"messages": [AIMessage("", tool_calls=[call])]})
    assert json.loads(state["messages"][-1].text)["files"]
    assert state["messages"][-1].artifact["files"]


async def test_a_model_cannot_choose_the_directory(tools: dict[str, BaseTool], tmp_path: Path) -> None:
    """A model that is misled by a prompt could otherwise write files anywhere."""
    tool = tools["producer_download_results"]
    assert set(convert_to_openai_tool(tool)["function"]["parameters"]["properties"]) == {"task_id"}
    error = await tool.ainvoke({"task_id": "t1", "directory": str(tmp_path / "elsewhere")})
    assert error.startswith("bad_request: directory")
    assert not (tmp_path / "elsewhere").exists()


async def test_the_default_directory(client: ProducerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is below the current directory, and an application that saves nothing must not get an empty folder."""
    monkeypatch.chdir(tmp_path)
    tool = ProducerDownloadResults(client=client)
    assert not list(tmp_path.iterdir()), "the directory is made when the first file is saved"
    task = await client.submit(GenerateMusic(prompt="x"))
    file = json.loads(await tool.ainvoke({"task_id": task.task_id}))["files"][0]
    assert (tmp_path / "producer-downloads" / file["path"]).is_file()


async def test_a_directory_that_cannot_be_made(
    client: ProducerClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the directory that is to be changed. A model learns no path of the host."""
    (tmp_path / "file").write_text("mine")
    task = await client.submit(GenerateMusic(prompt="x"))
    tool = ProducerDownloadResults(client=client, directory=tmp_path / "file" / "music")
    error = await tool.ainvoke({"task_id": task.task_id})
    assert error.startswith("no_write_access: No file was saved. audio: No file can be written in ")
    assert str(tmp_path) not in error
    assert str(tmp_path / "file" / "music") in caplog.text


async def test_old_parts_of_killed_processes_are_deleted(tools: dict[str, BaseTool], directory: Path) -> None:
    """They would fill the disk. Parts of running downloads, and files of the user, must stay."""
    directory.mkdir()
    old, recent, users_own = (directory / name for name in (".producer-1.part", ".producer-2.part", "mine.part"))
    for path in (old, recent, users_own):
        path.write_text("x")
    os.utime(old, (time.time() - 7200,) * 2)
    os.utime(users_own, (time.time() - 7200,) * 2)
    await save(tools, (await finished(tools, "producer_generate_music", prompt="x"))["task_id"])
    assert (old.exists(), recent.exists(), users_own.exists()) == (False, True, True)


async def test_files_are_not_fetched_with_the_callers_session(
    sandbox: ProducerSandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its default headers and cookies may hold the token, and file hosts belong to others."""
    sent: list[dict[str, str]] = []
    get = aiohttp.ClientSession.get

    def spy(used: aiohttp.ClientSession, url: Any, **options: Any) -> Any:
        sent.append({**used.headers, **options["headers"]})
        return get(used, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "get", spy)
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer mine"}, cookies={"a": "b"}) as session:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, session=session, poll_interval=0) as client:
            task = await client.submit(GenerateMusic(prompt="x"))
            await Downloader(client, directory).save(str(task.task_id))
        assert not session.closed
    assert len(sent) == 2
    assert all(set(headers) == {"User-Agent", "Accept-Encoding"} for headers in sent)
