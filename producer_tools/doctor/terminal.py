"""What both programs do with the terminal."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from producer_tools.telemetry import logger


def allow_any_text() -> None:
    """Let stdout print a question mark for a character that the terminal does not have, where Python would raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep warnings of the log from the terminal during the block: what they say stands in what is printed.

    A request that fails is sent again for half a minute, with a warning each time.
    """
    before = logger.logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def is_confirmed(question: str) -> bool:
    """Whether a person types yes. The question goes to stderr, because stdout may be a file.

    Args:
        question: what will be done, and what it means.
    """
    print(f"{question}\nType yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
