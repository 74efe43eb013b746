"""An album that asks a person before each submit: only what was agreed to is paid for."""

from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware.human_in_the_loop import ActionRequest, HITLRequest, ReviewConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from producer_tools import MemoryLedger, ProducerClient, estimate
from producer_tools.langgraph import Song, SongRequest, album_graph, vary
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock
from tests.langgraph.runner import (
    SQLITE_MODES,
    Builder,
    MakeAlbum,
    Runner,
    charged_prompts,
    error_codes,
    every_checkpointer,
    fast_client,
    is_json,
    open_runner,
    paid_task_ids,
    request,
    sync_and_async,
)

WALTZ = {"wishes": ["a waltz"]}
WISHES = ["a waltz", "a tango", "a polka"]
APPROVE = {"type": "approve"}


@pytest.fixture
def album(client: ProducerClient, directory: Path) -> MakeAlbum:
    """Builds an album graph that asks a person."""
    return lambda **options: album_graph(client, approve=True, download_dir=directory, **options)


def questions_of(state: dict[str, Any]) -> dict[str, Any]:
    """The open questions, by the prompt that each is about."""
    return {each.value["action_requests"][0]["args"].get("prompt"): each for each in state.get("__interrupt__", ())}


def answers(state: dict[str, Any], **decisions: Any) -> Any:
    """Answer some of the open questions. Each decision is named by the last word of the question's prompt."""
    return Command(
        resume={
            question.id: {"decisions": [decisions[prompt.split()[-1]]]}
            for prompt, question in questions_of(state).items()
            if prompt.split()[-1] in decisions
        }
    )


def edit(name: str, **args: Any) -> dict[str, Any]:
    """The decision to submit another request instead."""
    return {"type": "edit", "edited_action": request(name, **args)}


async def test_a_person_is_asked_what_would_be_made_and_what_it_costs(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """The question has the form of LangChain's middleware; otherwise existing user interfaces could not show it."""
    state = await run(album(), {"wishes": WISHES})
    questions = questions_of(state)
    assert sorted(questions) == sorted(WISHES)
    assert (state["songs"], sandbox.charges) == ([], ())
    value = questions["a waltz"].value
    ((action,), (config,)) = value["action_requests"], value["review_configs"]
    assert value.keys() == HITLRequest.__annotations__.keys()
    assert action.keys() == ActionRequest.__annotations__.keys()
    assert config.keys() <= ReviewConfig.__annotations__.keys()
    assert (action["name"], action["args"]) == ("producer_generate_music", {"prompt": "a waltz"})
    price = f"about {estimate(GenerateMusic(prompt='a waltz')):.3f} US dollars"
    assert price in action["description"]
    assert "prompt: a waltz" in action["description"]
    assert config == {"action_name": action["name"], "allowed_decisions": ["approve", "edit", "reject"]}
    assert is_json(value)


@every_checkpointer
async def test_each_song_has_its_own_answer(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """One is approved, one edited, one rejected, in one resume: only what was agreed to may be charged."""
    state = await run(album(), {"wishes": WISHES})
    decisions = {
        "waltz": APPROVE,
        "tango": edit("generate_custom_music", lyric="[Verse]\nOne", title="One", prompt="a slow tango"),
        "polka": {"type": "reject", "message": "Nobody likes polka."},
    }
    state = await run(album(), answers(state, **decisions))
    assert "__interrupt__" not in state
    assert error_codes(state) == [None, None, "rejected"]
    assert charged_prompts(sandbox) == {"a waltz": 1, "a slow tango": 1}
    assert state["songs"][1]["task"]["results"][0]["title"] == "One"
    rejected = state["songs"][2]
    assert rejected["error"]["message"] == "Nobody likes polka. Nothing was sent and nothing was charged."
    assert not rejected.get("files")


@sync_and_async
async def test_answers_may_come_one_by_one(run: Runner, album: MakeAlbum, sandbox: ProducerSandbox) -> None:
    """A song without an answer must stay unpaid, and its question must stay open."""
    graph = album()
    state = await run(graph, {"wishes": WISHES})
    for answered in range(1, 4):
        prompt = next(iter(questions_of(state)))
        state = await run(graph, answers(state, **{prompt.split()[-1]: APPROVE}))
        assert len(sandbox.charges) == answered
        assert len(questions_of(state)) == 3 - answered
    assert error_codes(state) == [None] * 3
    assert charged_prompts(sandbox) == dict.fromkeys(WISHES, 1)


@pytest.mark.parametrize("mode", SQLITE_MODES)
async def test_another_process_can_take_the_answer(
    mode: str, sandbox: ProducerSandbox, tmp_path: Path, directory: Path
) -> None:
    """An answer may come days later, when only the file of checkpoints is left."""

    def album(client: ProducerClient) -> Builder:
        return album_graph(client, approve=True, download_dir=directory)

    async with fast_client(sandbox) as client, open_runner(mode, tmp_path) as run:
        state = await run(album(client), WALTZ)
    async with fast_client(sandbox) as client, open_runner(mode, tmp_path) as run:
        state = await run(album(client), answers(state, waltz=APPROVE))
    assert error_codes(state) == [None]
    assert charged_prompts(sandbox) == {"a waltz": 1}


@pytest.mark.parametrize("bad", [{"prompt": "x" * 201}, {"prompt": "x", "loudness": 11}, {}], ids=str)
async def test_an_invalid_edit_is_an_error_and_costs_nothing(
    bad: dict[str, Any], run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """An invalid edit must neither end the run nor be sent."""
    state = await run(album(), WALTZ)
    state = await run(album(), answers(state, waltz=edit("generate_music", **bad)))
    assert error_codes(state) == ["bad_request"]
    assert paid_task_ids(sandbox) == []


async def test_a_request_for_an_unknown_tool_is_not_asked_for(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """A person would decide about something that cannot be submitted."""
    state = await run(album(write=lambda _: request("compose_opera", prompt="x")), WALTZ)
    assert questions_of(state) == {}
    assert error_codes(state) == ["bad_request"]
    assert paid_task_ids(sandbox) == []


async def test_a_rejected_song_is_asked_for_again_by_the_next_run(
    run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """A person who changed their mind could otherwise never get the song."""
    graph = album()
    state = await run(graph, answers(await run(graph, WALTZ), waltz={"type": "reject"}))
    assert error_codes(state) == ["rejected"]
    assert state["songs"][0]["error"]["message"].startswith("A person does not want to pay for this.")
    state = await run(graph, WALTZ)
    assert list(questions_of(state)) == ["a waltz"]
    assert paid_task_ids(sandbox) == []
    assert error_codes(await run(graph, answers(state, waltz=APPROVE))) == [None]
    assert charged_prompts(sandbox) == {"a waltz": 1}


@sync_and_async
@pytest.mark.parametrize(
    "decision", [APPROVE, {"type": "reject", "message": "One is enough."}], ids=lambda decision: decision["type"]
)
async def test_each_further_take_is_asked_for(
    decision: Any, run: Runner, album: MakeAlbum, sandbox: ProducerSandbox
) -> None:
    """Each take costs money. After a rejection, the take before it must be the song."""

    def review(song: Song) -> SongRequest | None:
        return vary(song, prompt="a slower waltz") if len(song["takes"]) == 1 else None

    graph = album(review=review)
    state = await run(graph, answers(await run(graph, WALTZ), waltz=APPROVE))
    assert len(paid_task_ids(sandbox)) == 1
    (question,) = questions_of(state).values()
    (action,) = question.value["action_requests"]
    assert action["name"] == "producer_variation_music"
    assert action["args"]["audio_id"] in action["description"]
    state = await run(graph, answers(state, waltz=decision))
    (song,) = state["songs"]
    approved = decision == APPROVE
    assert len(sandbox.charges) == len(song["takes"]) == 1 + approved
    assert song["task"]["task_id"] == sandbox.charges[-1].task_id
    assert song["error"] is None
    assert (song["take_error"] and song["take_error"]["code"]) == (None if approved else "rejected")
    assert song["files"]


async def test_a_submitted_song_is_not_asked_for_again(run: Runner, directory: Path) -> None:
    """A song that timed out is paid for already: only the wait is left to do."""
    with ProducerSandbox(render_seconds=3600, silent=True) as sandbox:
        async with fast_client(sandbox, clock=InstantClock()) as client:
            graph = album_graph(client, approve=True, download_dir=directory)
            state = await run(graph, answers(await run(graph, WALTZ), waltz=APPROVE))
            assert error_codes(state) == ["not_finished"]
            sandbox.finish_now()
            state = await run(graph, WALTZ)
        assert questions_of(state) == {}
        assert error_codes(state) == [None]
        assert len(paid_task_ids(sandbox)) == 1


async def test_a_reworded_song_is_replaced_by_the_paid_one_only_without_approval(
    run: Runner, sandbox: ProducerSandbox, directory: Path
) -> None:
    """Without approval the song that was paid for is used. With approval, a person has agreed to other words."""

    def reworded(_: Song) -> SongRequest:
        return request("generate_music", prompt="a slower waltz")

    async with fast_client(sandbox, ledger=MemoryLedger()) as client:
        first = await run(album_graph(client, download_dir=directory), WALTZ)
        for approve, code in ((False, None), (True, "key_reused")):
            graph = album_graph(client, write=reworded, approve=approve, download_dir=directory)
            state = await _run_without_checkpoints(graph)
            assert error_codes(state) == [code]
    assert first["songs"][0]["task"]["task_id"] == paid_task_ids(sandbox)[0]
    assert len(paid_task_ids(sandbox)) == 1


async def _run_without_checkpoints(builder: Builder) -> dict[str, Any]:
    """Run a graph on the same thread, but with a new checkpointer; approve what it asks."""
    fresh = Runner("ainvoke", InMemorySaver())
    state = await fresh(builder, WALTZ)
    if "__interrupt__" in state:
        state = await fresh(builder, Command(resume={"decisions": [APPROVE]}))
    return state
