"""Compare the account's charges with the songs that were made, and settle submits whose outcome is unknown."""

from collections import Counter
from collections.abc import Sequence

from producer_tools import Ledger, ProducerClient
from producer_tools.langgraph import Song
from producer_tools.sandbox import Charge


async def settle(client: ProducerClient, songs: Sequence[Song], charges: Sequence[Charge], ledger: Ledger) -> list[str]:
    """Decide about each submit whose outcome is unknown, as a person with the account's statement would.

    A submit that was charged is adopted: the ledger is told its task. One that was not charged is released, so that
    it may be sent again.

    Args:
        client: Used to adopt and to release.
        songs: The songs as the graph left them.
        charges: The account's statement: each charged request and its task.
        ledger: The ledger that the decisions are written to.

    Returns:
        One line for each decision.
    """
    decisions = []
    known = {take["task_id"] for song in songs for take in song["takes"]}
    for song in songs:
        error, request = song.get("error"), song.get("request")
        if not error or not request or error["code"] != "unknown_outcome":
            continue
        wanted = {str(value) for value in request["args"].values()}
        charged = [charge for charge in charges if wanted <= {str(value) for value in charge.request.values()}]
        found = next((charge.task_id for charge in charged if charge.task_id not in known), None)
        if found:
            known.add(found)
            await client.adopt(error["key"], found, ledger=ledger)
            decisions.append(f"{song['wish']}: charged, so its task was adopted")
        else:
            await client.release(error["key"], ledger=ledger)
            decisions.append(f"{song['wish']}: not charged, so it was released")
    return decisions


def differences(songs: Sequence[Song], charges: Sequence[Charge]) -> list[str]:
    """What contradicts "every take was charged once, every charge made a take, every song is saved".

    Args:
        songs: The songs as the graph left them.
        charges: The account's statement.

    Returns:
        One line for each contradiction; none if all is well.
    """
    charged = Counter(charge.task_id for charge in charges)
    requests = Counter((charge.action, *map(str, charge.request.values())) for charge in charges)
    made = {take["task_id"] for song in songs for take in song["takes"]}
    wrong = [f"charged {count} times: {request}" for request, count in requests.items() if count != 1]
    wrong += [f"charged, but in no song: task {task_id}" for task_id in charged if task_id not in made]
    wrong += [f"in a song, but not charged: task {task_id}" for task_id in made if task_id not in charged]
    return wrong + [f"not saved: {song['wish']}: {song.get('error')}" for song in songs if not song.get("files")]
