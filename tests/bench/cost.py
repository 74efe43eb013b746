"""What one song costs a model."""

from typing import NamedTuple


class Cost(NamedTuple):
    """What one song has cost.

    Attributes:
        turns: how often the model was called, including the last time, when it answers the user.
        characters: all that was sent to the model: in each turn the tools, and everything so far.
    """

    turns: int
    characters: int
