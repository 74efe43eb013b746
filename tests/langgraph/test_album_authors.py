"""The authors of an album, which write and review songs: functions and chat models, correct and faulty ones."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from producer_tools.langgraph import Song, SongRequest, review_with, write_with
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from tests.langgraph.fake_model import FakeModel, calling
from tests.langgraph.runner import (
    MakeAlbum,
    Runner,
    charged_actions,
    charged_prompts,
    error_codes,
    paid_task_ids,
    request,
    sync_and_async,
)

WALTZ = {"wishes": ["a waltz"]}
HIDDEN_ARGUMENTS = {
    "callback_url": "https://evil.example/",
    "async": False,
    "async_": False,
    "submission_key": "the key of another request",
}


async def test_a_song_that_was_not_written_is_not_sent(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """A writer that returns None must cost nothing, and the next run must ask it again."""
    written: list[SongRequest | None] = [None, request("generate_music", prompt="a march")]
    graph = album(write=lambda _: written.pop(0))
    state = await run(graph, WALTZ)
    assert error_codes(state) == ["not_written"]
    assert not state["songs"][0].get("files")
    assert paid_task_ids(sandbox) == []
    assert error_codes(await run(graph, WALTZ)) == [None]
    assert charged_prompts(sandbox) == {"a march": 1}


@sync_and_async
async def test_a_writer_can_write_lyrics(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """If this fails, the lyrics or the title of an async writer do not reach the service."""

    async def write(song: Song) -> SongRequest:
        return request("generate_custom_music", lyric=f"[Verse]\nOh {song['wish']}", title=song["wish"], prompt="slow")

    state = await run(album(write=write), WALTZ)
    body = sandbox.charges[0].request
    assert (body["lyric"], body["title"], body["custom"]) == ("[Verse]\nOh a waltz", "a waltz", True)
    assert state["songs"][0]["task"]["results"][0]["title"] == "a waltz"


async def test_a_scripted_model_writes_and_reviews(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """Demos without an API key use this model as writer and reviewer."""
    model = ScriptedChatModel()
    state = await run(album(write=write_with(model), review=review_with(model)), WALTZ)
    assert error_codes(state) == [None]
    assert charged_prompts(sandbox) == {"a waltz": 1}


async def test_a_model_writes_and_reviews_by_calling_tools(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """The model must be given the wish or the newest take, and what it calls must be what is submitted."""
    writer = FakeModel(answers=[lambda wish: calling("generate_custom_music", lyric=f"[Verse]\n{wish}", title="One")])
    reviewer = FakeModel(
        answers=[
            lambda facts: calling("variation_music", audio_id=json.loads(facts)["song"]["audio_id"], prompt="slower"),
            lambda facts: calling("extend_music", audio_id=json.loads(facts)["song"]["audio_id"], continue_at=3),
        ]
    )
    state = await run(album(write=write_with(writer), review=review_with(reviewer)), WALTZ)
    assert writer.tools == ["producer_generate_music", "producer_generate_custom_music"]
    assert reviewer.tools == ["producer_variation_music", "producer_extend_music"]
    assert charged_actions(sandbox) == ["generate", "variation", "extend"]
    assert (sandbox.charges[0].request["lyric"], sandbox.charges[1].request["prompt"]) == ("[Verse]\na waltz", "slower")
    (song,) = state["songs"]
    assert (song["error"], song["take_error"], len(song["takes"])) == (None, None, 3)
    reviews = [json.loads(question) for question in reviewer.questions]
    assert [(review["wish"], review["earlier_takes"]) for review in reviews] == [("a waltz", 0), ("a waltz", 1)]
    reviewed = [(review["song"]["audio_id"], review["song"]["title"]) for review in reviews]
    results = [take["results"][0] for take in song["takes"]]
    assert reviewed == [(result["audio_id"], result["title"]) for result in results[:2]]


async def test_a_review_without_a_tool_call_keeps_the_take(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """If text that names a tool were read as a call, it would cost money."""
    reviewer = FakeModel(answers=[lambda _: AIMessage("Call producer_variation_music? No: keep.")])
    state = await run(album(review=review_with(reviewer)), WALTZ)
    assert error_codes(state) == [None]
    assert len(reviewer.questions) == len(sandbox.charges) == 1


async def test_a_model_cannot_set_hidden_arguments(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """A wish may come from a stranger: it must neither send results elsewhere nor use the key of another request."""
    writer = FakeModel(answers=[lambda wish: calling("generate_music", prompt=wish, **HIDDEN_ARGUMENTS)])
    reviewer = FakeModel(
        answers=[
            lambda facts: calling("variation_music", audio_id=json.loads(facts)["song"]["audio_id"], **HIDDEN_ARGUMENTS)
        ]
    )
    state = await run(album(write=write_with(writer), review=review_with(reviewer), takes=2), WALTZ)
    assert error_codes(state) == [None]
    assert charged_actions(sandbox) == ["generate", "variation"]
    for charge in sandbox.charges:
        assert not {"callback_url", "submission_key", "async_"} & charge.request.keys()
        assert charge.request["async"] is True


@pytest.mark.parametrize("name", ["compose_opera", "get_task", "upload_audio"])
async def test_a_model_cannot_call_other_tools(
    name: str, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """A tool that the model made up, or that a wish talked it into, must neither crash the run nor be paid for."""

    def call_other_tool(_: str) -> AIMessage:
        args = {"audio_url": "https://audio.example/a.mp3"} if name == "upload_audio" else {"task_id": "x"}
        return calling(name, **args)

    writer = FakeModel(answers=[call_other_tool, lambda wish: calling("generate_music", prompt=wish)])
    graph = album(write=write_with(writer), review=review_with(FakeModel(answers=[call_other_tool])))
    assert error_codes(await run(graph, WALTZ)) == ["not_written"]
    assert paid_task_ids(sandbox) == []
    assert error_codes(await run(graph, WALTZ)) == [None]
    assert charged_prompts(sandbox) == {"a waltz": 1}


@sync_and_async
async def test_an_exception_in_a_writer_does_not_stop_the_other_songs(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """If the run ended, the other songs would be cut off while they are being paid for."""
    errors = [ValueError("the model is overloaded")]

    def write(song: Song) -> SongRequest:
        if song["wish"] == "a tango" and errors:
            raise errors.pop()
        return request("generate_music", prompt=song["wish"])

    wishes = ["a waltz", "a tango", "a polka"]
    graph = album(write=write)
    state = await run(graph, {"wishes": wishes})
    assert error_codes(state) == [None, "not_written", None]
    assert state["songs"][1]["error"]["message"] == "ValueError: the model is overloaded"
    assert error_codes(await run(graph, {"wishes": wishes})) == [None] * 3
    assert charged_prompts(sandbox) == dict.fromkeys(wishes, 1)


@pytest.mark.parametrize("answer", ["keep", ["vary"], True, {"a": 1}])
async def test_an_author_that_returns_no_request_gets_an_error(
    answer: Any, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """The word "keep" is an easy mistake: the error must show it, and a take that was paid for must be saved."""
    reviewed = await run(album(review=lambda _: answer), WALTZ)
    (song,) = reviewed["songs"]
    assert song["files"]
    assert song["take_error"]["code"] == "not_reviewed"
    assert repr(answer) in song["take_error"]["message"]
    written = await run(album(write=lambda _: answer), WALTZ, thread="another")
    assert error_codes(written) == ["not_written"]
    assert len(paid_task_ids(sandbox)) == 1
