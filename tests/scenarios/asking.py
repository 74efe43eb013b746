"""What users say in many situations."""

from typing import Any

from tests.scenarios.reader import Ask, Call


def ask(text: str, *steps: Call | tuple[Call, ...]) -> Ask:
    """What a user says, and the steps that a model takes for it, each one call or several at once."""
    return Ask(text, tuple(step if not isinstance(step, Call) else (step,) for step in steps))


def call(tool: str, **arguments: Any) -> Call:
    """A call of the tool ``producer_<tool>``."""
    return Call(tool, arguments)


GENERATE = call("generate_music", prompt="a happy song about summer")
SONG = (ask("Make a happy song about summer.", GENERATE),)
THREE_SONGS = (ask("Make three songs.", tuple(call("generate_music", prompt=f"song {n}") for n in range(3))),)
