"""What a person does with the account's statement: compare it with what was made, and settle what is unknown."""

from collections import Counter
from collections.abc import Sequence

from producer_tools import Ledger, ProducerClient
from producer_tools.langgraph import Song
from producer_tools.sandbox import Charge


async def settle(client: ProducerClient, songs: Sequence[Song], charges: Sequence[Charge], ledger: Ledger) -> list[str]:
    """Decide about each paid call whose outcome is unknown: was it charged, its task is known; if not, it may go again.

    Args:
        client: writes the decision down.
        songs: what became of the wishes.
        charges: the account's statement: what was charged, and for which task.
        ledger: where it is written down.

    Returns:
        What was decided.
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
            decisions.append(f"{song['wish']}: charged, and its task adopted")
        else:
            await client.release(error["key"], ledger=ledger)
            decisions.append(f"{song['wish']}: not charged, and allowed again")
    return decisions


def differences(songs: Sequence[Song], charges: Sequence[Charge]) -> list[str]:
    """Every take was charged once, every charge made a take, and every song is saved; or what is wrong.

    Args:
        songs: what became of the wishes.
        charges: the account's statement.
    """
    charged = Counter(charge.task_id for charge in charges)
    asked = Counter((charge.action, *map(str, charge.request.values())) for charge in charges)
    made = {take["task_id"] for song in songs for take in song["takes"]}
    wrong = [f"asked for and charged {count} times: {what}" for what, count in asked.items() if count != 1]
    wrong += [f"charged, but nobody has it: task {task_id}" for task_id in charged if task_id not in made]
    wrong += [f"handed over, but not charged: task {task_id}" for task_id in made if task_id not in charged]
    return wrong + [f"not saved: {song['wish']}: {song.get('error')}" for song in songs if not song.get("files")]
