"""Make thousands of calls from many threads and event loops, while a share of the requests fails; count the charges.

Each song is requested twice, from any thread or loop, at any time, under one submission key. A request from a loop is
cancelled after a random time and repeated. Now and then a caller looks tasks up and tries to change a known outcome,
and a stranger posts forged callbacks.
"""

import gc
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from producer_tools import CallbackReceiver, ProducerClient, SqliteLedger
from producer_tools.concurrency.sync import run_sync
from producer_tools.http.tokens import token_id
from producer_tools.payment.entry import Entry
from producer_tools.payment.keys import ledger_key
from tests.clocks import FastClock
from tests.crash.torture.callers import Callers
from tests.crash.torture.service import ListingAnswer, Truth, serving

FAULTS = 0.05
_REQUEST_TIMEOUT = 1.0
_MOST_SETTLES = 20
_NOT_CHARGED = "Nothing was charged"
_UNKNOWN = "outcome of this paid call is unknown"


class Usage(NamedTuple):
    """What this process holds, by Linux's own figures."""

    megabytes: float
    descriptors: int
    sockets: int


_NOTHING = Usage(0, 0, 0)


@dataclass
class Soak:
    """The counts.

    Attributes:
        calls: Calls for songs.
        songs: Songs that were to be made: half as many, since each is requested twice.
        faults: Requests that met a fault.
        once: Songs charged once, whose task both callers got.
        refused: Songs that a caller was refused at no cost, because the service was busy for too long.
        unknown: Songs reported as unknown to a caller.
        found: Of these, the songs whose task a later call or `settle` found.
        not_found: Of these, the songs of which `settle` says that they were probably never begun.
        still_unknown: Of these, the songs about which `settle` found out nothing.
        looks: Look-ups of tasks.
        failed_looks: Look-ups that failed.
        warm: What this process held after the first fifth.
        end: What it held in the end.
        wrong: Everything else, a line each. It must be empty.
    """

    calls: int = 0
    songs: int = 0
    faults: int = 0
    once: int = 0
    refused: int = 0
    unknown: int = 0
    found: int = 0
    not_found: int = 0
    still_unknown: int = 0
    looks: int = 0
    failed_looks: int = 0
    warm: Usage = _NOTHING
    end: Usage = _NOTHING
    wrong: list[str] = field(default_factory=list)


def soak(calls: int, directory: Path, seed: int, listing: ListingAnswer) -> Soak:
    """Make ``calls`` calls, settle what is unknown, and compare with what the service charged.

    Args:
        calls: How many calls for songs.
        directory: For the ledger.
        seed: Decides the faults, and the order of the calls.
        listing: Whether the service lists an account's tasks.
    """
    random, songs = Random(seed), [f"song {number}" for number in range(calls // 2)]
    found, ledger = Soak(songs=len(songs)), SqliteLedger(directory / "ledger.sqlite")
    with serving(listing, render_seconds=0, fault_rate=FAULTS, seed=seed, clock=FastClock()) as service:
        account = token_id(service.api_token)
        receiver = CallbackReceiver("http://127.0.0.1:9/callbacks")
        addresses = [receiver.address(ledger_key(song, account)).rpartition("/")[2] for song in songs]
        client = ProducerClient(
            service.api_token,
            service.base_url,
            request_timeout=_REQUEST_TIMEOUT,
            poll_interval=0,
            ledger=ledger,
            callbacks=receiver,
            clock=FastClock(),
            failures_until_down=calls,  # the faults are random: they do not mean that the service is down
        )
        with client:
            callers, warm = Callers(client, receiver, addresses), len(songs) // 5
            callers.call(_twice(songs[:warm], random))
            found.warm = usage()
            callers.call(_twice(songs[warm:], random))
            found.end = usage()
            for _ in range(_MOST_SETTLES):  # the search meets faults too
                if all(settled.finding.state != "unclear" for settled in client.settle_sync()):
                    break
        entries = {entry.key: entry for entry in run_sync(ledger.entries)}
        _compare(found, callers, service.truth(), {song: entries.get(ledger_key(song, account)) for song in songs})
    return found


def usage() -> Usage:
    """What this process holds now; zeros where there is no ``/proc``."""
    gc.collect()
    if not Path("/proc/self/statm").exists():
        return _NOTHING
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    links = [_target(link) for link in Path("/proc/self/fd").iterdir()]
    return Usage(pages * 4096 / 2**20, len(links), sum(link.startswith("socket:") for link in links))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the listed directory's own descriptor, closed by now
        return ""


def _twice(songs: list[str], random: Random) -> list[str]:
    mixed = [*songs, *songs]
    random.shuffle(mixed)
    return mixed


def _compare(found: Soak, callers: Callers, truth: Truth, entries: dict[str, Entry | None]) -> None:
    """Count the songs, by what the callers got, what the ledger has, and what was charged.

    A song that both callers were refused has no entry.
    """
    charges: defaultdict[str, list[str]] = defaultdict(list)
    for charge in truth.charges:
        charges[charge.request["prompt"]].append(charge.task_id)
    found.faults = truth.faults
    found.looks, found.failed_looks = callers.looks, callers.failed_looks
    found.calls = sum(map(len, callers.answers.values()))
    found.wrong += [f"{song}: its known outcome was changed" for song in callers.changed]
    for song, entry in entries.items():
        charged, answers = charges[song], callers.answers[song]
        known = None if entry is None or entry.answer is None else str(entry.answer["task_id"])
        got = {answer for answer in answers if _UNKNOWN not in answer and _NOT_CHARGED not in answer}
        if (
            len(answers) != 2
            or len(charged) > (entry is not None)
            or not got <= set(charged)
            or known not in (None, *charged)
        ):
            found.wrong.append(f"{song}: charged {charged}; the callers got {answers}, and the ledger has {known}")
        elif len(got) == 1 and answers == charged * 2:
            found.once += 1
        elif not any(_UNKNOWN in answer for answer in answers):
            found.refused += 1
        else:
            found.unknown += 1
            if known is not None:
                found.found += 1
            elif entry is not None and (entry.finding or {}).get("state") == "not_found":
                found.not_found += 1
            else:
                found.still_unknown += 1
