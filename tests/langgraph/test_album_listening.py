"""A review that knows the file of a take: what was measured of it, and its sound."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langgraph.types import Command, interrupt

from producer_tools import Downloader, DownloadError, Downloads, Measured, Task
from producer_tools.files.fetch.fetcher import FileFetcher
from producer_tools.langgraph import Song, keep, review_with, vary
from producer_tools.sandbox import ProducerSandbox
from tests.langgraph.fake_model import FakeModel, calling
from tests.langgraph.runner import MakeAlbum, Runner, error_codes, is_json, paid_task_ids, sync_and_async
from tests.tools.songs_on_disk import played, song, wav

WALTZ = {"wishes": ["a waltz"]}


@pytest.fixture
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every saved audio file is short and nearly silent."""
    what = Measured(4.0, loudness_lufs=-30.5, peak_dbfs=-1.0, clipped_share=0.0, silent_share=0.9)
    save = Downloader.save

    async def save_and_measure(self: Downloader, task: Task | str, **options: Any) -> Downloads:
        downloads = await save(self, task, **options)
        files = [replace(file, measured=what if file.kind == "audio" else None) for file in downloads.files]
        return replace(downloads, files=tuple(files))

    monkeypatch.setattr(Downloader, "save", save_and_measure)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each URL was fetched."""
    fetch, urls = FileFetcher.fetch, Counter[str]()

    async def count(self: FileFetcher, url: str, *arguments: Any) -> Any:
        urls[url] += 1
        return await fetch(self, url, *arguments)

    monkeypatch.setattr(FileFetcher, "fetch", count)
    return urls


def keeping(**options: Any) -> FakeModel:
    return FakeModel(answers=[lambda _: AIMessage("keep")], **options)


@sync_and_async
@pytest.mark.usefixtures("_measured")
async def test_a_reviewer_sees_what_was_measured(run: Runner, album: MakeAlbum, directory: Path) -> None:
    """Otherwise it keeps a take that is silent, and nobody notices before listening to the album."""
    seen: list[dict[str, Any]] = []

    def review(song: Song) -> Any:
        seen.extend(file for file in song["takes"][-1]["files"] if file["kind"] == "audio")
        return vary(song) if seen[-1]["findings"] and len(song["takes"]) == 1 else None

    state = await run(album(review=review), WALTZ)
    (song,) = state["songs"]
    assert [file["measured"]["loudness_lufs"] for file in seen] == [-30.5, -30.5]
    assert seen[0]["findings"][:2] == ["too short: 4.0 s", "mostly silence: 90%"]
    assert all(Path(file["path"]).parent == directory / "takes" for file in seen)
    assert len(song["takes"]) == 2
    assert [file["findings"] == seen[0]["findings"] for file in song["files"]] == [True, False], "the cover has none"
    assert is_json(state)
    assert all(Path(file["path"]).parent == directory for file in song["files"]), "the kept take is on the album"


@pytest.mark.parametrize("options", [{}, {"review": keep}, {"review": vary, "takes": 1}])
async def test_a_take_that_nobody_reviews_is_saved_once(
    options: dict[str, Any], run: Runner, album: MakeAlbum, directory: Path
) -> None:
    """Its files would be downloaded twice for nothing."""
    state = await run(album(**options), WALTZ)
    assert state["songs"][0]["files"]
    assert not (directory / "takes").exists()


async def test_a_take_that_cannot_be_saved_is_reviewed(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """The take was paid for, and what the service says of it is still known."""
    model = keeping(profile={"audio_inputs": True})
    with sandbox.missing_files("audio"):
        state = await run(album(review=review_with(model, listen=True)), WALTZ)
    assert error_codes(state) == ["download_failed"]
    assert json.loads(model.questions[0])["song"]
    assert "cannot hear" in model.calls[0][0].text


@pytest.mark.parametrize("error", [DownloadError("no_write_access", "full"), RuntimeError("a bug")])
async def test_a_bug_in_saving_a_take_is_not_hidden(
    error: Exception, run: Runner, album: MakeAlbum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every take would be reviewed without its sound, and nobody would learn why."""
    save, model = Downloader.save, keeping(profile={"audio_inputs": True})

    async def fail_once(*_: Any, **__: Any) -> Downloads:
        monkeypatch.setattr(Downloader, "save", save)
        raise error

    monkeypatch.setattr(Downloader, "save", fail_once)
    graph = album(review=review_with(model, listen=True))
    if isinstance(error, DownloadError):
        assert error_codes(await run(graph, WALTZ)) == [None]
        assert model.calls
    else:
        with pytest.raises(RuntimeError, match="a bug"):
            await run(graph, WALTZ)
        assert not model.calls


async def test_a_review_that_is_run_again_fetches_nothing(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox, fetched: Counter[str]
) -> None:
    """LangGraph runs a review anew when a person has answered it, or after a crash."""

    def review(_: Song) -> None:
        assert interrupt("Keep it?") == "yes"

    graph = album(review=review)
    await run(graph, WALTZ)
    assert set(fetched.values()) == {1}
    state = await run(graph, Command(resume="yes"))
    assert error_codes(state) == [None]
    assert set(fetched.values()) == {2}, "once for the review and once for the album"
    assert len(paid_task_ids(sandbox)) == 1


@pytest.mark.usefixtures("_measured")
async def test_a_model_that_hears_reviews_the_sound(run: Runner, album: MakeAlbum) -> None:
    """It must hear the take that it judges, and know that it does."""
    answers: list[Any] = [
        lambda _: calling("variation_music", audio_id="x"),
        lambda _: AIMessage("keep"),
    ]
    model = FakeModel(answers=answers, profile={"audio_inputs": True})
    state = await run(album(review=review_with(model, listen=True)), WALTZ)
    assert model.calls, state
    system, question = model.calls[0]
    (audio,) = played([question])
    assert audio.startswith(b"RIFF")
    assert "You hear it" in system.text
    content: Any = question.content
    facts = json.loads(content[0]["text"])
    assert facts["wish"] == "a waltz"
    assert facts["file"]["findings"][0] == "too short: 4.0 s"
    assert is_json(state)


@pytest.mark.usefixtures("_measured")
@pytest.mark.parametrize(
    ("options", "profile"),
    [
        ({}, {"audio_inputs": True}),
        ({"listen": True}, None),
        ({"listen": True, "hears": False}, {"audio_inputs": True}),
    ],
    ids=["not asked", "unknown", "told not to"],
)
async def test_any_other_model_reads_the_measured_facts(
    options: dict[str, Any], profile: Any, run: Runner, album: MakeAlbum
) -> None:
    """Its provider would refuse audio, and the take would not be reviewed at all."""
    model = keeping(profile=profile)
    state = await run(album(review=review_with(model, **options)), WALTZ)
    assert error_codes(state) == [None]
    assert state["songs"][0]["take_error"] is None
    assert played(model.calls[0]) == []
    assert json.loads(model.questions[0])["file"]["findings"][:2] == ["too short: 4.0 s", "mostly silence: 90%"]
    assert "cannot hear" in model.calls[0][0].text


async def test_the_application_may_say_that_a_reviewer_hears(run: Runner, album: MakeAlbum) -> None:
    """LangChain has no profile of many models that take audio."""
    model = keeping()
    await run(album(review=review_with(model, listen=True, hears=True)), WALTZ)
    assert len(played(model.calls[0])) == 1


async def test_a_review_can_be_called_directly(tmp_path: Path) -> None:
    """Someone who tries a reviewer in a notebook, where an event loop runs, calls it without a graph."""
    file = song(tmp_path / "a.wav", audio_id="a1")
    reviewed: Any = {"wish": "a waltz", "takes": [{"results": [{"audio_id": "a1"}], "files": [file]}]}
    model = keeping()
    review = review_with(model, listen=True, hears=True)
    assert review.invoke(reviewed) is None
    assert await review.ainvoke(reviewed) is None
    assert [len(played(messages)) for messages in model.calls] == [1, 1]


async def test_the_first_song_of_a_take_is_what_is_judged(tmp_path: Path) -> None:
    """It is the one that goes on the album. The sound or the loudness of another one would decide about it."""
    what = Measured(4.0, loudness_lufs=-30.5)
    files = [song(tmp_path / "b.wav", wav(0.3)), song(tmp_path / "a.wav", wav(0.2), measured=what)]
    take = {"results": [{"audio_id": "a"}, {"audio_id": "b"}], "files": files}
    model = keeping(profile={"audio_inputs": True})
    review = review_with(model, listen=True)
    await review.ainvoke({"wish": "a waltz", "takes": [take]})
    assert played(model.calls[0]) == [wav(0.2)]
    content: Any = model.calls[0][1].content
    assert json.loads(content[0]["text"])["file"]["loudness_lufs"] == -30.5

    (tmp_path / "a.wav").unlink()
    await review.ainvoke({"wish": "a waltz", "takes": [take]})
    assert "cannot hear" in model.calls[1][0].text
    assert json.loads(model.questions[1])["file"]["loudness_lufs"] == -30.5


class DeafWithTools(FakeModel):
    """Uses OpenAI's Responses API, which takes no audio, as soon as it has tools, as gpt-6 does."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=tools, **kwargs)

    def _use_responses_api(self, options: dict[str, Any]) -> bool:
        return bool(options.get("tools"))


async def test_a_model_that_is_deaf_with_tools_is_not_told_that_it_hears(tmp_path: Path) -> None:
    """The audio would be left out without an error, and the review would be of a song that nobody heard."""
    take = {"results": [{"audio_id": "a"}], "files": [song(tmp_path / "a.wav")]}
    reviewed: Any = {"wish": "a waltz", "takes": [take]}
    model = DeafWithTools(answers=[lambda _: AIMessage("keep")])
    await review_with(model, listen=True, hears=True).ainvoke(reviewed)
    assert played(model.calls[0]) == []
    assert "cannot hear" in model.calls[0][0].text
