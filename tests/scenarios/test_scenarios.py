"""All situations with the model that takes every liberty; ``make scenarios`` plays them with the other ones too."""

from collections.abc import Iterator

import pytest

import producer_tools.errors
from producer_tools import ProducerToolError
from tests.scenarios.play import Situation, play, stage
from tests.scenarios.reader import CARELESS
from tests.scenarios.reading import read
from tests.scenarios.situations import SITUATIONS


@pytest.fixture(autouse=True, scope="module")
def _stage() -> Iterator[None]:
    with stage():
        yield


@pytest.mark.parametrize("situation", SITUATIONS, ids=[each.name for each in SITUATIONS])
async def test_a_careless_model_does_no_harm(situation: Situation) -> None:
    """A text has let a model pay twice, hand out a preview, go on for ever, or end without telling the user why."""
    outcome = await play(situation, CARELESS)
    assert not outcome.wrong, "\n".join(outcome.texts)


@pytest.mark.parametrize("name", producer_tools.errors.__all__)
def test_every_error_says_when_to_stop(name: str) -> None:
    """A stubborn model would make the call again and again, until its run ends without an answer to the user."""
    kind = getattr(producer_tools.errors, name)
    if issubclass(kind, ProducerToolError) and kind is not ProducerToolError:
        reading = read(f"code: What happened. {kind.advice_to_model or kind.advice}", wants_files=False)
        assert reading.forbids or reading.is_limited or reading.tools


def test_there_are_enough_situations_and_no_two_have_one_name() -> None:
    """A row of the table must say which situation it is about."""
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) >= 40


@pytest.mark.parametrize(
    ("text", "tools", "repeats", "forbids"),
    [
        ("c: m. Call producer_a (or producer_b) now.", ("producer_a", "producer_b"), False, False),
        ("c: m. Do not call producer_get_task again.", (), False, True),
        ("c: m. Call again later.", (), True, False),
        ("c: m. Try again only if the user asks for it.", (), False, False),
        ("c: please try again later. Do not retry.", (), True, True),
        ("c: m. If it fails again, tell the user.", (), False, False),
    ],
)  # fmt: skip
def test_how_a_text_is_read(text: str, tools: tuple[str, ...], repeats: bool, forbids: bool) -> None:
    """A reader that misses an order, or sees one that is not there, would find no fault with any text."""
    reading = read(text, wants_files=False)
    assert (reading.tools, reading.repeats, reading.forbids) == (tools, repeats, forbids)
