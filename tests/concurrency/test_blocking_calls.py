"""Nothing blocks a server's event loop: an ASGI server answers nobody meanwhile, and LangGraph's ends the run."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig

from producer_tools import Downloader, MissingTokenError, ProducerClient, ProducerToolkit, SqliteLedger
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox

pytestmark = pytest.mark.usefixtures("silent_files")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory at the start of the test; `os.chdir` leaves it until the test ends."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


async def test_a_blocking_call_is_noticed() -> None:
    """If this fails, the suite no longer notices blocking calls of the package, and of what it calls."""

    def blocking(_: RunnableConfig) -> str:
        time.sleep(0)
        return "token"

    with pytest.raises(MissingTokenError, match="raised BlockingError"):
        await ProducerClient(blocking, "http://127.0.0.1:1").get_task("t")


@pytest.mark.usefixtures("elsewhere")
async def test_everything_can_be_made_and_used_in_a_running_loop(sandbox: ProducerSandbox, tmp_path: Path) -> None:
    """A LangGraph server calls the function that makes a graph in its event loop, where relative paths are usual."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger("songs.sqlite")) as client:
        tools = {tool.name: tool for tool in ProducerToolkit(client=client, download_dir="songs").get_tools()}
        task = await client.submit(GenerateMusic(prompt="x"))
        await tools["producer_download_results"].ainvoke({"task_id": task.task_id})
    assert (tmp_path / "songs.sqlite").is_file()
    assert list((tmp_path / "songs").glob("*.wav"))


async def test_a_ledger_that_is_in_use_stays_where_it_is(sandbox: ProducerSandbox, elsewhere: Path) -> None:
    """In another file, nothing would be known of what was paid for, and it would be paid again."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url, ledger=SqliteLedger("songs.sqlite")) as client:
        first = await client.submit(GenerateMusic(prompt="x"), key="k")
        await asyncio.to_thread(os.chdir, elsewhere)
        assert (await client.submit(GenerateMusic(prompt="x"), key="k")).task_id == first.task_id
    assert len(sandbox.charges) == 1
    assert not list(elsewhere.iterdir())


def test_files_go_where_they_should_when_the_process_goes_elsewhere(sandbox: ProducerSandbox, elsewhere: Path) -> None:
    """The application would look for them in vain, and a song that is there already would be downloaded again."""
    with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        tools = {tool.name: tool for tool in ProducerToolkit(client=client, download_dir="songs").get_tools()}
        downloader = Downloader(client, "songs")
        task = client.submit_sync(GenerateMusic(prompt="x"))
        os.chdir(elsewhere)
        downloader.save_sync(str(task.task_id))
        tools["producer_download_results"].invoke({"task_id": task.task_id})
    assert list((elsewhere.parent / "songs").glob("*.wav"))
    assert not list(elsewhere.iterdir())
