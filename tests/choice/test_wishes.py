"""The wishes that `make choice` counts with."""

from collections import Counter

from producer_tools.tools.catalog import ALL_TOOLS
from tests.choice.__main__ import NOT_COMPARED, confusion, read_wishes

TOOLS = {tool.model_fields["name"].default for tool in ALL_TOOLS} - NOT_COMPARED
WISHES = [*read_wishes("working"), *read_wishes("reported")]


def test_each_tool_is_wished_for_in_both_parts() -> None:
    """Otherwise a part could not tell how well a tool is found; a wish for a tool that is gone could never be met."""
    for part in ("working", "reported"):
        wishes = Counter(wish.tool for wish in read_wishes(part))
        assert wishes.keys() == TOOLS
        assert min(wishes.values()) >= 3


def test_no_wish_is_counted_twice_or_names_its_tool() -> None:
    """A wish in both parts would be worked on and reported; a tool's name in a wish would find it by itself."""
    assert len({wish.text for wish in WISHES}) == len(WISHES) >= 150
    assert not [wish for wish in WISHES if "producer_" in wish.text]


def test_a_table_counts_each_miss_once() -> None:
    """A person decides by it which two descriptions to tell apart."""
    missed = Counter({("producer_stems_music", "producer_swap_vocals"): 2, ("producer_swap_vocals", "producer_wav"): 1})
    assert confusion(missed) == [
        "               b  c",
        "a stems_music  2  .",
        "b swap_vocals  .  1",
        "c wav          .  .",
    ]
