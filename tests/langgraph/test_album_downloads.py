"""Downloads of an album: what is wrong with one song's files concerns that song only."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ProducerClient, Task
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.files.formats.types import FileType
from producer_tools.langgraph import album_graph
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.runner import Runner, charged_prompts, error_codes, fast_client, sync_and_async

WISHES = ["a waltz", "a tango", "a polka"]
BROKEN = "https://music.example/cover-that-breaks.png"


class BadCoverClient(ProducerClient):
    """Looks every task up with a cover that is not there for the tango."""

    async def get_task(self, task_id: Task | str) -> Task:
        task = await super().get_task(task_id)
        (result,) = task.results
        return replace(task, results=({**result, "image_url": BROKEN},)) if result["sound"] == "a tango" else task


@sync_and_async
@pytest.mark.parametrize("fault", [UnicodeError("label too long"), ValueError("port"), RuntimeError("a bug")])
async def test_a_cover_that_breaks_the_download_is_that_songs_error(
    fault: Exception, run: Runner, sandbox: ProducerSandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the exception ended the graph, it would do so at every resume: three songs paid for, none handed over."""
    fetch = FileFetcher.fetch

    async def break_on_that_url(self: FileFetcher, url: str, *args: Any) -> FileType:
        if url == BROKEN:
            raise fault
        return await fetch(self, url, *args)

    monkeypatch.setattr(FileFetcher, "fetch", break_on_that_url)
    async with fast_client(sandbox, BadCoverClient) as client:
        state = await run(album_graph(client, download_dir=directory), {"wishes": WISHES})
    assert error_codes(state) == [None, "download_failed", None]
    assert type(fault).__name__ in state["songs"][1]["error"]["message"]
    assert [[file["kind"] for file in song["files"]] for song in state["songs"]] == [
        ["audio", "cover"],
        ["audio"],
        ["audio", "cover"],
    ]
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)
