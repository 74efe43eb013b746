"""A directory in which no file can be saved is found before a song is paid for."""

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from producer_tools import ConfigurationError, Downloader, ProducerClient, ProducerToolkit, SqliteLedger
from producer_tools.langgraph import album_graph
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox

CALL: Any = {"type": "tool_call", "id": "c", "name": "producer_generate_music", "args": {"prompt": "a waltz"}}


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A directory below a file; permissions would not stop a test that runs as root."""
    (tmp_path / "file").write_text("no directory")
    return tmp_path / "file" / "songs"


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_a_tool_does_not_pay(
    sync: bool, unwritable: Path, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """The song would be made and paid for, and the file could not be handed over."""
    toolkit = ProducerToolkit(client=client, download_dir=unwritable)
    tool = {tool.name: tool for tool in toolkit.get_tools()}[CALL["name"]]
    with pytest.raises(ConfigurationError, match=r"not charged\. Make the directory writable") as caught:
        tool.invoke(CALL) if sync else await tool.ainvoke(CALL)
    assert str(unwritable) in str(caught.value)
    assert not sandbox.charges


async def test_a_song_that_was_paid_for_is_returned(
    unwritable: Path, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A run that is resumed after the disk has failed would lose the id of a song that was paid for."""
    paid = await client.submit(GenerateMusic(prompt="a waltz"), key="of the run")
    toolkit = ProducerToolkit(client=client, download_dir=unwritable)
    tool = {tool.name: tool for tool in toolkit.get_tools()}[CALL["name"]]
    content = await tool.ainvoke({"prompt": "a waltz", "submission_key": "of the run"})
    assert json.loads(content)["task_id"] == paid.task_id
    assert len(sandbox.charges) == 1


async def test_an_album_does_not_pay(unwritable: Path, client: ProducerClient, sandbox: ProducerSandbox) -> None:
    """A whole album would be paid for."""
    graph: Any = album_graph(client, download_dir=unwritable).compile()
    with pytest.raises(ConfigurationError, match="No file can be saved in"):
        await graph.ainvoke({"wishes": ["a waltz", "a tango"]})
    assert not sandbox.charges


async def test_a_song_of_an_album_that_was_paid_for_is_returned(
    unwritable: Path, tmp_path: Path, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """An album that is run again after the disk has failed would end without the song that was paid for."""
    thread: Any = {"configurable": {"thread_id": "of the album"}}
    before: Any = album_graph(client, download_dir=tmp_path / "songs").compile(InMemorySaver())
    paid = (await before.ainvoke({"wishes": ["a waltz"]}, thread))["songs"][0]["task"]["task_id"]
    again: Any = album_graph(client, download_dir=unwritable).compile(InMemorySaver())
    (song,) = (await again.ainvoke({"wishes": ["a waltz"]}, thread))["songs"]
    assert song["task"]["task_id"] == paid
    assert len(sandbox.charges) == 1


async def test_a_directory_is_not_made_by_the_check(
    tmp_path: Path, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """A server whose songs are never downloaded would find an empty directory."""
    toolkit = ProducerToolkit(client=client, download_dir=tmp_path / "songs")
    tool = {tool.name: tool for tool in toolkit.get_tools()}[CALL["name"]]
    assert (await tool.ainvoke(CALL)).status == "success"
    assert list(tmp_path.iterdir()) == []
    assert len(sandbox.charges) == 1


async def test_a_toolkit_without_a_directory_checks_none(
    unwritable: Path, client: ProducerClient, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with a read-only disk that hands out URLs needs no directory."""
    unwritable.parent.unlink()
    unwritable.parent.mkdir()
    monkeypatch.chdir(unwritable.parent)
    Path("producer-downloads").write_text("no directory")
    tool = {tool.name: tool for tool in ProducerToolkit(client=client).get_tools()}[CALL["name"]]
    assert (await tool.ainvoke(CALL)).status == "success"
    assert len(sandbox.charges) == 1


async def test_a_path_in_the_home_directory(
    tmp_path: Path, sandbox: ProducerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a shell replaces the ``~``: Python makes a directory of that name, and who would remove it with ``rm``?"""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for directory in (home, elsewhere):
        directory.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    ledger = SqliteLedger("~/ledger.sqlite")
    async with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0, ledger=ledger) as client:
        [task] = (await client.wait(await client.submit(GenerateMusic(prompt="a waltz")), timeout=60)).tasks
        await Downloader(client, "~/songs").save(task)
    assert {path.name for path in home.iterdir()} == {"ledger.sqlite", "songs"}
    assert list(elsewhere.iterdir()) == []
