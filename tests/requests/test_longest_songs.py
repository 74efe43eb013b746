"""The longest song of each model: an extension that begins after it is refused before it is paid for."""

import json
from typing import get_args

import pytest

from producer_tools import InvalidArgumentError, ProducerClient, ProducerExtendMusic, ProducerListModels
from producer_tools.requests import LONGEST_SECONDS, ExtendMusic, Model
from producer_tools.sandbox import ProducerSandbox


@pytest.mark.parametrize("model", get_args(Model))
def test_an_extension_must_begin_before_the_longest_song_ends(model: Model) -> None:
    longest = LONGEST_SECONDS[model]
    assert ExtendMusic(audio_id="a", continue_at=longest - 0.1, model=model).continue_at == longest - 0.1
    with pytest.raises(InvalidArgumentError, match=f"below {longest} s, the longest song of {model}"):
        ExtendMusic(audio_id="a", continue_at=longest, model=model)


def test_the_error_names_the_models_that_go_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model can choose one of them, and otherwise tells the user that there is none."""
    with pytest.raises(InvalidArgumentError) as caught:
        ExtendMusic(audio_id="a", continue_at=130, model="FUZZ-1.0")
    assert caught.value.message == (
        "arguments: continue_at (130 s) must be below 120 s, the longest song of FUZZ-1.0; these models make longer "
        "songs: FUZZ-2.0 Pro, FUZZ-2.0, FUZZ-2.0 Raw, FUZZ-1.1 Pro, FUZZ-1.0 Pro, FUZZ-1.1"
    )
    with pytest.raises(InvalidArgumentError, match=r"longer songs: FUZZ-2.0 Pro, FUZZ-2.0, FUZZ-2.0 Raw\. "):
        ExtendMusic(audio_id="a", continue_at=240, model="FUZZ-1.1")
    with pytest.raises(InvalidArgumentError, match="no model makes longer songs"):
        ExtendMusic(audio_id="a", continue_at=480)
    monkeypatch.setenv("PRODUCER_DEFAULT_MODEL", "FUZZ-0.8")
    with pytest.raises(InvalidArgumentError, match=r"the longest song of FUZZ-0\.8"):
        ExtendMusic(audio_id="a", continue_at=120)


def test_nothing_is_paid_for_an_extension_that_is_too_late(sandbox: ProducerSandbox, client: ProducerClient) -> None:
    tool = ProducerExtendMusic(client=client)
    message = tool.invoke(
        {"type": "tool_call", "id": "c", "name": tool.name, "args": {"audio_id": "a", "continue_at": 480}}
    )
    assert message.content.startswith("bad_request: ")
    assert sandbox.requests == ()


def test_a_model_is_told_the_longest_song_of_each_model() -> None:
    models = json.loads(ProducerListModels().invoke({}))["models"]
    assert {each["model"]: each["longest_seconds"] for each in models} == LONGEST_SECONDS
    assert list(LONGEST_SECONDS) == list(get_args(Model))
