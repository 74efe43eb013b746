"""``make scenarios``: plays all situations with all characters, and says how each one has ended.

A row is a situation and the characters with whom it ended in the same way. Words after the options print the messages
of the situations whose names contain them: ``python -m tests.scenarios "429"``.
"""

import asyncio
import logging
import sys
from collections import defaultdict

from tests.scenarios.play import Outcome, Situation, play, stage
from tests.scenarios.situations import SITUATIONS

_AT_ONCE = 2


async def main(wanted: str = "") -> int:
    """Play the situations whose names contain a text, print the table, and return the number that ended wrongly."""
    logging.disable()  # faults are what is wanted here
    chosen = [each for each in SITUATIONS if wanted in each.name]
    places = asyncio.Semaphore(_AT_ONCE)
    print(f"{'situation':58} {'turns':>5} {'paid':>4} {'given':>5}  {'it ended':22} verdict")
    with stage():
        outcomes = await asyncio.gather(*[_outcomes(each, places) for each in chosen])
    wrong = 0
    for situation, played in zip(chosen, outcomes, strict=True):
        for outcome, names in played.items():
            wrong += bool(outcome.wrong)
            _print(situation, outcome, names if len(played) > 1 else [], with_texts=bool(wanted))
    print(f"\n{len(chosen)} situations, {sum(map(len, outcomes))} different ends, {wrong} WRONG")
    return wrong


async def _outcomes(situation: Situation, places: asyncio.Semaphore) -> dict[Outcome, list[str]]:
    """How the situation ended, and with which characters."""
    names: dict[tuple[object, ...], list[str]] = defaultdict(list)
    outcomes: dict[tuple[object, ...], Outcome] = {}
    for character in situation.characters:
        async with places:
            outcome = await play(situation, character)
        same = (outcome.paid, len(outcome.given), outcome.end, outcome.wrong, outcome.paid_calls)
        outcomes.setdefault(same, outcome)
        names[same].append(character.name)
    return {outcome: names[same] for same, outcome in outcomes.items()}


def _print(situation: Situation, outcome: Outcome, names: list[str], *, with_texts: bool) -> None:
    name = situation.name + (f" ({', '.join(names)})" if names else "")
    verdict = f"WRONG: {'; '.join(outcome.wrong)}" if outcome.wrong else "ok"
    print(f"{name:58} {outcome.turns:5} {outcome.paid:4} {len(outcome.given):5}  {outcome.end:22} {verdict}")
    for text in outcome.texts if with_texts else ():
        print(f"    {text}")


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main(*sys.argv[1:2]))))
