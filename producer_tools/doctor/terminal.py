"""What both programs do with the terminal."""

import io
import sys


def allow_any_text() -> None:
    """Let stdout print a question mark for a character that the terminal does not have, where Python would raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def is_confirmed(question: str) -> bool:
    """Whether a person types yes. The question goes to stderr, because stdout may be a file.

    Args:
        question: what will be done, and what it means.
    """
    print(f"{question}\nType yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
