"""After a run: settle what is unknown, resume, decide as a person would, and compare with what was charged."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from producer_tools import OutcomeKnownError, ProducerClient, SubmissionUnknownError, api_token
from producer_tools.concurrency.sync import run_sync
from producer_tools.http.tokens import token_id
from producer_tools.langgraph import SubmitNode
from producer_tools.payment.entry import Entry
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.crash.torture.worker import Job, make_client, open_ledger, request_of


@dataclass
class Kills:
    """The counts.

    Attributes:
        kills: Processes killed.
        runs: Graphs run to their end.
        songs: Songs that were to be made.
        once: Songs charged once whose task id the graph has.
        unknown: Songs that the graph has as unknown.
        found: Of these, the songs whose task `settle` found.
        not_found: Of these, the songs of which `settle` says that they were probably never begun.
        still_unknown: Of these, the songs about which `settle` found out nothing.
        wrong: What must not happen, a line each: charged twice, lost, another's task, a process that failed.
    """

    kills: int = 0
    runs: int = 0
    songs: int = 0
    once: int = 0
    unknown: int = 0
    found: int = 0
    not_found: int = 0
    still_unknown: int = 0
    wrong: list[str] = field(default_factory=list)


class Aftermath:
    """What one user's graph and the ledger have, beside what the user was charged.

    Args:
        job: What the worker was given.
        sandbox: The service.
    """

    def __init__(self, job: Job, sandbox: ProducerSandbox) -> None:
        self._job = job
        self._sandbox = sandbox
        self._ledger = open_ledger(job.directory)

    def count(self, results: Mapping[str, Any], found: Kills) -> None:
        """Settle, and count the songs.

        Args:
            results: What the graph has for each prompt.
            found: The counts, to which these are added.
        """
        with api_token(self._job.api_token), make_client(self._job.base_url, self._ledger) as client:
            client.settle_sync()
            entries, charges = self._entries(), self._charges()
            for prompt in self._job.prompts():
                result, entry, charged = results.get(prompt), entries.get(prompt), charges[prompt]
                if entry is None or len(charged) > 1 or result is None:
                    found.wrong.append(f"{prompt}: charged {charged}; the graph has {result!r}, the ledger {entry}")
                elif [result] == charged == [_task_of(entry)]:
                    found.once += 1
                    self._change_known(client, entry, found)
                elif _is_unknown(result):
                    found.unknown += 1
                    self._count_unknown(client, entry, charged, result, found)
                else:
                    found.wrong.append(f"{prompt}: charged {charged}; the graph has {result!r}, the ledger {entry}")

    def _count_unknown(
        self, client: ProducerClient, entry: Entry, charged: list[str], result: Any, found: Kills
    ) -> None:
        if _task_of(entry) is not None:
            found.found += 1
        elif (entry.finding or {}).get("state") == "not_found":
            found.not_found += 1
        else:
            found.still_unknown += 1
        self._resume(client, entry, charged, result, found)

    def _resume(self, client: ProducerClient, entry: Entry, charged: list[str], result: Any, found: Kills) -> None:
        """Run the request again: as it is now, and once a person has decided. It must be charged once in the end."""
        prompt, key = str(entry.request["prompt"]), _key_of(entry)
        again = [_submit_again(client, prompt, key, result)]
        expected = [_task_of(entry)]
        if _task_of(entry) is None:
            if charged:
                client.adopt_sync(key, charged[0])
            else:
                client.release_sync(key)
            again.append(_submit_again(client, prompt, key, result))
            expected.append(None if not again[-1] else self._charges()[prompt][0])
        in_the_end = self._charges()[prompt]
        if again != expected or in_the_end != [again[-1]] or (charged and in_the_end != charged):
            found.wrong.append(f"{prompt}: charged {charged}, then {in_the_end}; run again, it got {again}")

    def _change_known(self, client: ProducerClient, entry: Entry, found: Kills) -> None:
        """Try to change a known outcome, which must be refused: it could be paid for again, or lost."""
        key = _key_of(entry)
        for change in (partial(client.release_sync, key), partial(client.adopt_sync, key, "another task")):
            try:
                change()
            except OutcomeKnownError:
                continue
            found.wrong.append(f"{key}: the known outcome was changed")

    def _entries(self) -> dict[str, Entry]:
        """This user's entries of this thread, by prompt."""
        own = run_sync(lambda: self._ledger.entries(account=token_id(self._job.api_token)))
        return {str(entry.request["prompt"]): entry for entry in own if "prompt" in entry.request}

    def _charges(self) -> dict[str, list[str]]:
        """The ids of the tasks that this user was charged for, by prompt."""
        charges: defaultdict[str, list[str]] = defaultdict(list)
        for charge in self._sandbox.charges:
            if charge.user_id == self._job.user:
                charges[charge.request["prompt"]].append(charge.task_id)
        return charges


def _submit_again(client: ProducerClient, prompt: str, key: str, result: Any) -> str | None:
    """The task that a request gets when it is run again, by a node if a node has sent it; ``None`` if it is unknown."""
    if isinstance(result, Mapping):
        state = SubmitNode(client).invoke({"request": request_of(prompt), "error": result})
        return state["task"].get("task_id") if state["error"] is None else None
    try:
        return client.submit_sync(GenerateMusic(prompt=prompt), key=key).task_id
    except SubmissionUnknownError:
        return None


def _key_of(entry: Entry) -> str:
    """The caller's key, without the account before it."""
    return entry.key.removeprefix(f"{entry.account}/")


def _task_of(entry: Entry) -> str | None:
    return None if entry.answer is None else str(entry.answer.get("task_id"))


def _is_unknown(result: Any) -> bool:
    text = result["code"] if isinstance(result, Mapping) else str(result)
    return text.startswith("unknown_outcome")
