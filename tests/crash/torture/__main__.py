"""``make torture``: 200 kills and 10,000 calls, with a service that lists an account's tasks and with one that refuses.

It prints what it counted, and fails if anything was wrong.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from tests.crash.torture import soak
from tests.crash.torture.aftermath import Kills
from tests.crash.torture.callers import LOOPS, THREADS
from tests.crash.torture.kills import torture
from tests.crash.torture.service import ListingAnswer

KILLS = 200
SONGS_PER_RUN = 18
CALLS = 10_000
# Allowed growth: connections that are kept for the next call, what Python keeps for itself, and what the callers note.
SPARE_DESCRIPTORS = 8
SPARE_MEGABYTES = 25.0


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
    logging.getLogger("producer_tools").setLevel(logging.CRITICAL)  # faults are normal here, and would hide the report
    print(f"seed {seed}", flush=True)
    wrong: list[str] = []
    for listing in get_args(ListingAnswer):
        print(f"\nThe listing of tasks {'works' if listing == 'works' else 'is refused'}:", flush=True)
        wrong += [*_kills(seed, listing), *_soak(seed, listing)]
    if wrong:
        sys.exit("\n".join(["WRONG:", *wrong[:20]]))
    print("\nnothing was charged twice, and nothing was lost")


def _kills(seed: int, listing: ListingAnswer) -> list[str]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = torture(KILLS, SONGS_PER_RUN, Path(directory), seed, listing)
    print(f"kills: {found.kills} processes killed in {found.runs} graphs, {time.monotonic() - began:.0f} s")
    print(f"  {found.songs} songs: {found.once} charged once, and the graph has the task")
    _print_unknown(found)
    wrong = list(found.wrong)
    if listing == "works" and found.still_unknown:
        wrong.append(f"{found.still_unknown} outcomes are unknown, though the service lists the tasks")
    return wrong


def _soak(seed: int, listing: ListingAnswer) -> list[str]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = soak.soak(CALLS, Path(directory), seed, listing)
    warm, end = found.warm, found.end
    print(f"soak: {found.calls} calls for {found.songs} songs, and {found.looks} looks,", end=" ")
    print(f"from {THREADS} threads and {LOOPS} event loops, {time.monotonic() - began:.0f} s")
    print(f"  {found.faults} requests met a fault; {found.failed_looks} looks failed for that")
    print(f"  {found.once} songs charged once, and both callers have the task;", end=" ")
    print(f"{found.refused} refused to a caller at no cost")
    _print_unknown(found)
    print(f"  after a fifth: {warm.megabytes:.1f} MB, {warm.descriptors} descriptors, {warm.sockets} sockets")
    print(f"  in the end:    {end.megabytes:.1f} MB, {end.descriptors} descriptors, {end.sockets} sockets", flush=True)
    wrong = list(found.wrong)
    if end.descriptors > warm.descriptors + SPARE_DESCRIPTORS:
        wrong.append("descriptors are left open")
    if end.megabytes > warm.megabytes + SPARE_MEGABYTES:
        wrong.append("memory grows")
    return wrong


def _print_unknown(found: Kills | soak.Soak) -> None:
    print(f"  {found.unknown} reported as unknown. Then settled: {found.found} found,", end=" ")
    print(f"{found.not_found} probably never begun, {found.still_unknown} still unknown")
    print(f"  {len(found.wrong)} charged twice, or lost", flush=True)


if __name__ == "__main__":
    main()
