"""All situations."""

from tests.scenarios import of_edits, of_refusals, of_tasks, of_unknown_outcomes
from tests.scenarios.play import Situation

SITUATIONS: tuple[Situation, ...] = (
    *of_tasks.SITUATIONS,
    *of_refusals.SITUATIONS,
    *of_unknown_outcomes.SITUATIONS,
    *of_edits.SITUATIONS,
)
