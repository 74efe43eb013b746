"""Asks a person before something that cannot be undone."""

import sys


def is_confirmed(question: str) -> bool:
    """Whether a person types yes. The question goes to stderr, because stdout may be a file.

    Args:
        question: what will be done, and what it means.
    """
    print(f"{question}\nType yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
