"""Chance that falls the same way every time: whatever is random about a song comes from its seeds."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def dice(*seeds: str | int) -> random.Random:
    """Return a random source that these seeds decide, in every process and on every Python version."""
    # Lone surrogates can reach us through JSON; they are as good a seed as any other text.
    text = "\0".join(map(str, seeds)).encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.sha256(text).digest(), "big"))


def pick(source: random.Random, options: Sequence[T]) -> T:
    """Take one of the options, using only ``random()``: the one method Python promises never to change."""
    return options[int(source.random() * len(options))]
