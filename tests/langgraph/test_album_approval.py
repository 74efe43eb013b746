"""A person is asked before money is spent: in an album, and in a graph of a user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware.human_in_the_loop import ActionRequest, HITLRequest, ReviewConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from producer_tools import ProducerClient, estimate
from producer_tools.langgraph import ApproveNode, Song, SongRequest, SongState, SubmitNode, WaitNode, album_graph, vary
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.clocks import InstantClock, ManualClock
from tests.langgraph.runs import (
    AUDIOS,
    ON_DISK,
    WAYS,
    Builder,
    Runs,
    both_ways,
    client_of,
    codes,
    everywhere,
    is_plain,
    paid,
    prompts,
    request,
    running,
)

Album = Callable[..., Builder]
WISHES = ["a waltz", "a tango", "a polka"]
APPROVE = {"type": "approve"}


@pytest.fixture
def album(client: ProducerClient, directory: Path) -> Album:
    """Builds the graph of an album that asks."""
    return lambda **options: album_graph(client, approve=True, download_dir=directory, **options)


def asked(state: dict[str, Any]) -> dict[str, Any]:
    """What a person is asked, by the prompt it is about."""
    return {each.value["action_requests"][0]["args"].get("prompt"): each for each in state.get("__interrupt__", ())}


def answers(state: dict[str, Any], **decisions: Any) -> Any:
    """Decide on some of what is asked, by the last word of its prompt."""
    return Command(
        resume={
            question.id: {"decisions": [decisions[prompt.split()[-1]]]}
            for prompt, question in asked(state).items()
            if prompt.split()[-1] in decisions
        }
    )


def edit(name: str, **args: Any) -> dict[str, Any]:
    return {"type": "edit", "edited_action": request(name, **args)}


async def test_a_person_is_asked_what_would_be_made_and_what_it_costs(
    runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """In the form that LangChain has made customary: a user interface for its middleware serves this one as well."""
    state = await runs(album(), {"wishes": WISHES})
    questions = asked(state)
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
    assert is_plain(value)


@everywhere
async def test_each_song_has_its_own_answer(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """One is approved, one edited, one rejected, all in one resume: what is charged is what was agreed to."""
    state = await runs(album(), {"wishes": WISHES})
    decisions = {
        "waltz": APPROVE,
        "tango": edit("generate_custom_music", lyric="[Verse]\nOne", title="One", prompt="a slow tango"),
        "polka": {"type": "reject", "message": "Nobody likes polka."},
    }
    state = await runs(album(), answers(state, **decisions))
    assert "__interrupt__" not in state
    assert codes(state) == [None, None, "rejected"]
    assert prompts(sandbox) == {"a waltz": 1, "a slow tango": 1}
    assert state["songs"][1]["task"]["results"][0]["title"] == "One"
    rejected = state["songs"][2]
    assert rejected["error"]["message"] == "Nobody likes polka. Nothing was sent and nothing was charged."
    assert not rejected.get("files")


@both_ways
async def test_answers_may_come_one_by_one(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """What nobody has answered stays unpaid, and is asked for still."""
    graph = album()
    state = await runs(graph, {"wishes": WISHES})
    for answered in range(1, 4):
        prompt = next(iter(asked(state)))
        state = await runs(graph, answers(state, **{prompt.split()[-1]: APPROVE}))
        assert len(sandbox.charges) == answered
        assert len(asked(state)) == 3 - answered
    assert codes(state) == [None] * 3
    assert prompts(sandbox) == dict.fromkeys(WISHES, 1)


@pytest.mark.parametrize("way", ON_DISK)
async def test_the_answer_may_come_days_later(
    way: str, sandbox: ProducerSandbox, tmp_path: Path, directory: Path
) -> None:
    """To another process, that has nothing of the first but its file."""

    def album(client: ProducerClient) -> Builder:
        return album_graph(client, approve=True, download_dir=directory)

    async with client_of(sandbox) as client, running(way, tmp_path) as runs:
        state = await runs(album(client), {"wishes": ["a waltz"]})
    async with client_of(sandbox) as client, running(way, tmp_path) as runs:
        state = await runs(album(client), answers(state, waltz=APPROVE))
    assert codes(state) == [None]
    assert prompts(sandbox) == {"a waltz": 1}


@pytest.mark.parametrize("bad", [{"prompt": "x" * 201}, {"prompt": "x", "loudness": 11}, {}], ids=str)
async def test_an_edit_that_makes_no_sense_is_an_error_and_costs_nothing(
    bad: dict[str, Any], runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    state = await runs(album(), {"wishes": ["a waltz"]})
    state = await runs(album(), answers(state, waltz=edit("generate_music", **bad)))
    assert codes(state) == ["bad_request"]
    assert paid(sandbox) == []


async def test_what_cannot_be_submitted_is_not_asked(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """Nobody need decide on a tool that there is not."""
    state = await runs(album(write=lambda _: request("compose_opera", prompt="x")), {"wishes": ["a waltz"]})
    assert asked(state) == {}
    assert codes(state) == ["bad_request"]
    assert paid(sandbox) == []


async def test_whoever_rejected_is_asked_again(runs: Runs, album: Album, sandbox: ProducerSandbox) -> None:
    """When the album is gone on with: and then the song can be had."""
    graph = album()
    state = await runs(graph, answers(await runs(graph, {"wishes": ["a waltz"]}), waltz={"type": "reject"}))
    assert codes(state) == ["rejected"]
    assert state["songs"][0]["error"]["message"].startswith("A person does not want to pay for this.")
    state = await runs(graph, {"wishes": ["a waltz"]})
    assert list(asked(state)) == ["a waltz"]
    assert paid(sandbox) == []
    assert codes(await runs(graph, answers(state, waltz=APPROVE))) == [None]
    assert prompts(sandbox) == {"a waltz": 1}


@both_ways
@pytest.mark.parametrize(
    "decision", [APPROVE, {"type": "reject", "message": "One is enough."}], ids=lambda it: it["type"]
)
async def test_each_further_take_is_asked_for(
    decision: Any, runs: Runs, album: Album, sandbox: ProducerSandbox
) -> None:
    """Each costs money; rejected, the take before it is the song."""

    def review(song: Song) -> SongRequest | None:
        return vary(song, prompt="a slower waltz") if len(song["takes"]) == 1 else None

    graph = album(review=review)
    state = await runs(graph, answers(await runs(graph, {"wishes": ["a waltz"]}), waltz=APPROVE))
    assert len(paid(sandbox)) == 1
    (question,) = asked(state).values()
    (action,) = question.value["action_requests"]
    assert action["name"] == "producer_variation_music"
    assert action["args"]["audio_id"] in action["description"]
    state = await runs(graph, answers(state, waltz=decision))
    (song,) = state["songs"]
    approved = decision == APPROVE
    assert len(sandbox.charges) == len(song["takes"]) == 1 + approved
    assert song["task"]["task_id"] == sandbox.charges[-1].task_id
    assert song["error"] is None
    assert (song["take_error"] and song["take_error"]["code"]) == (None if approved else "rejected")
    assert song["files"]


async def test_nobody_is_asked_again_for_what_was_submitted(runs: Runs, directory: Path) -> None:
    """A song that was not waited for to its end is paid for: only the waiting is left to do."""
    clock = ManualClock()
    with ProducerSandbox(render_seconds=60, clock=clock) as sandbox:
        async with client_of(sandbox, clock=InstantClock()) as client:
            graph = album_graph(client, approve=True, download_dir=directory)
            state = await runs(graph, answers(await runs(graph, {"wishes": ["a waltz"]}), waltz=APPROVE))
            assert codes(state) == ["not_finished"]
            clock.advance(60)
            state = await runs(graph, {"wishes": ["a waltz"]})
        assert asked(state) == {}
        assert codes(state) == [None]
        assert len(paid(sandbox)) == 1


def asking_graph(client: ProducerClient) -> Builder:
    """A user's own: ask, submit, wait."""
    graph: Builder = StateGraph(SongState)
    graph.add_node("approve", ApproveNode(client))
    graph.add_node("submit", SubmitNode(client))
    graph.add_node("wait", WaitNode(client))
    graph.add_edge(START, "approve")
    graph.add_conditional_edges("approve", lambda state: END if state["error"] else "submit", ["submit", END])
    graph.add_conditional_edges("submit", lambda state: END if state["error"] else "wait", ["wait", END])
    return graph


@both_ways
@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
async def test_the_node_asks_in_any_graph(
    decision: str, runs: Runs, client: ProducerClient, sandbox: ProducerSandbox
) -> None:
    """Async on every Python, too, where LangGraph's own interrupt in an async function needs 3.11."""
    graph = asking_graph(client)
    state = await runs(graph, {"request": request("generate_music", prompt="a waltz")})
    assert paid(sandbox) == []
    (question,) = state["__interrupt__"]
    decisions = {
        "approve": APPROVE,
        "edit": edit("generate_music", prompt="a tango"),
        "reject": {"type": "reject", "message": "Too dear."},
    }
    state = await runs(graph, Command(resume={"decisions": [decisions[decision]]}))
    assert question.value["action_requests"][0]["args"] == {"prompt": "a waltz"}
    assert prompts(sandbox) == {"approve": {"a waltz": 1}, "edit": {"a tango": 1}, "reject": {}}[decision]
    if decision == "reject":
        assert state["error"]["code"] == "rejected"
        assert "Too dear." in state["error"]["message"]
        assert not state.get("task")
    else:
        assert (state["error"], state["task"]["success"]) == (None, True)


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_service_would_refuse_is_told_before_a_person_decides(
    way: str, client: ProducerClient, sandbox: ProducerSandbox, tmp_path: Path
) -> None:
    async with running(way, tmp_path) as runs:
        state = await runs(asking_graph(client), {"request": request("generate_music", prompt="x" * 201)})
        (question,) = state["__interrupt__"]
        assert "will refuse, at no cost" in question.value["action_requests"][0]["description"]
        sandbox.fail_next("forbidden", endpoint=AUDIOS)  # nothing is sent that could meet it
        state = await runs(asking_graph(client), Command(resume={"decisions": [APPROVE]}))
    assert state["error"]["code"] == "bad_request"
    assert paid(sandbox) == []
