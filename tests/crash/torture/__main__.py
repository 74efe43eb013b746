"""``make torture``: 200 kills and 10,000 calls. It prints what it counted, and fails if anything was wrong."""

import sys
import tempfile
import time
from pathlib import Path

from tests.crash.torture import kills, soak

KILLS = 200
SONGS_PER_RUN = 18
CALLS = 10_000
# Allowed growth: connections that are kept for the next call, and memory that Python keeps for itself.
SPARE_DESCRIPTORS = 8
SPARE_MEGABYTES = 10.0


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
    print(f"seed {seed}", flush=True)
    wrong = [*_kills(seed), *_soak(seed)]
    if wrong:
        sys.exit("\n".join(["WRONG:", *wrong[:20]]))
    print("nothing was charged twice, and nothing was lost")


def _kills(seed: int) -> list[str]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = kills.torture(KILLS, SONGS_PER_RUN, Path(directory), seed)
    print(f"kills: {found.kills} processes killed in {found.runs} graphs, {time.monotonic() - began:.0f} s")
    print(f"  {found.songs} songs: {found.once} charged once, and the graph has the task")
    _print_others(found)
    return found.wrong


def _soak(seed: int) -> list[str]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = soak.soak(CALLS, Path(directory), seed)
    warm, end = found.warm, found.end
    print(f"soak: {found.calls} calls for {found.songs} songs, and {found.looks} looks,", end=" ")
    print(f"from {soak.THREADS} threads and {soak.LOOPS} event loops, {time.monotonic() - began:.0f} s")
    print(f"  {found.faults} requests met a fault; {found.failed_looks} looks failed for that")
    print(f"  {found.once} songs charged once, and both callers have the task")
    _print_others(found)
    print(f"  after a fifth: {warm.megabytes:.1f} MB, {warm.descriptors} descriptors, {warm.sockets} sockets")
    print(f"  in the end:    {end.megabytes:.1f} MB, {end.descriptors} descriptors, {end.sockets} sockets", flush=True)
    wrong = list(found.wrong)
    if end.descriptors > warm.descriptors + SPARE_DESCRIPTORS:
        wrong.append("descriptors are left open")
    if end.megabytes > warm.megabytes + SPARE_MEGABYTES:
        wrong.append("memory grows")
    return wrong


def _print_others(found: kills.Kills | soak.Soak) -> None:
    print(f"  {found.unknown_charged} reported as unknown and charged once,", end=" ")
    print(f"{found.unknown_not_charged} reported as unknown and not charged")
    print(f"  {len(found.wrong)} charged twice, or lost", flush=True)


if __name__ == "__main__":
    main()
