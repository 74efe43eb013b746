"""Repeatable randomness: everything random about a song is decided by its seeds."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def seeded_random(*seeds: str | int) -> random.Random:
    """Return a random source that depends only on the seeds: the same in every process and Python version."""
    # JSON can contain lone surrogates, so a seed may have them.
    text = "\0".join(map(str, seeds)).encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.sha256(text).digest(), "big"))


def pick(rng: random.Random, options: Sequence[T]) -> T:
    """Take one of the options. Uses only ``random()``, because Python guarantees its sequence for a seed."""
    return options[int(rng.random() * len(options))]
