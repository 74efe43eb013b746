"""All situations that can be played with this Python."""

import sys

from tests.scenarios import of_edits, of_refusals, of_tasks, of_unknown_outcomes
from tests.scenarios.play import Situation

_ALL = (*of_tasks.SITUATIONS, *of_refusals.SITUATIONS, *of_unknown_outcomes.SITUATIONS, *of_edits.SITUATIONS)

# LangGraph needs Python 3.11 to ask a person in async code.
SITUATIONS: tuple[Situation, ...] = tuple(
    each for each in _ALL if each.is_approved is None or sys.version_info >= (3, 11)
)
