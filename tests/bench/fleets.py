"""How many songs a fleet of workers makes, and where more workers stop helping."""

import time
from typing import NamedTuple
from unittest.mock import patch

from langgraph.store.postgres import AsyncPostgresStore

from producer_tools.sandbox import ProducerSandbox
from tests.bench.fleet_worker import Work, Workplace, fleet
from tests.bench.section import Section
from tests.clocks import FastClock
from tests.crash.fleet.postgres import temporary_cluster

WORKERS = (1, 2, 4, 8)
SONG_SECONDS = 20.0


class Service(NamedTuple):
    """A service, and how it is measured.

    Attributes:
        at_once: how many unfinished songs of a token it takes.
        waves: how many songs are made in each place, one after the other.
        speed: how fast the clock is. The more songs, the slower, since the work for each song takes its real time.
    """

    at_once: int
    waves: int
    speed: float


SERVICES = (Service(5, 4, 20), Service(50, 2, 8), Service(500, 2, 3))


async def measure() -> Section:
    """Each fleet with each service."""
    with temporary_cluster() as database:
        async with AsyncPostgresStore.from_conn_string(database) as store:
            await store.setup()
        measured = [
            (service, workers, *await _measured(service, workers, database))
            for service in SERVICES
            for workers in WORKERS
        ]
    first_service, _, first_work, _ = measured[0]
    base = _songs_a_minute(first_service, first_work)
    return Section(
        "Fleets",
        f"Songs of {SONG_SECONDS:.0f} s, made by worker processes that share a token and a ledger in PostgreSQL. "
        "Between them the workers have as many songs in work as the service takes of a token at once; each song is "
        "submitted, waited for (`poll_interval=5`), and followed by the next one. The clock runs "
        f"{', '.join(f'{service.speed:.0f}' for service in SERVICES)} times as fast, and a minute is one of that "
        "clock. The ratio compares with the first row. The work of the processes takes its real time, so it weighs "
        "that much more here.\n\n"
        "One worker fills the places of the service, so its limit decides, and more workers add nothing. What is "
        "missing to the most possible: a worker sees up to 5 s late that a song is finished; a submit that is refused "
        "because all places are taken waits 1 to 8 s; and the first places are filled one submit after the other. A "
        "worker has five submits under way at most (`max_paid_in_flight=5`). The sandbox answers them at once; if a "
        "service took 1 s for each, a worker would make at most 300 songs a minute, and 500 places would need "
        "five workers, or a higher `max_paid_in_flight`.",
        (
            "songs at once",
            "workers",
            "songs a minute",
            "ratio",
            "of the most possible",
            "CPU of the workers for a song",
            "their CPU",
            "sandbox's CPU",
        ),
        [_row(*each, base) for each in measured],
    )


async def _measured(service: Service, workers: int, database: str) -> tuple[Work, float]:
    clock = FastClock(service.speed)
    # The service allows as many unfinished songs as open requests.
    with (
        patch("producer_tools.sandbox.app.IN_FLIGHT", service.at_once),
        ProducerSandbox(render_seconds=SONG_SECONDS, max_unfinished=service.at_once, clock=clock) as sandbox,
    ):
        before = time.process_time()
        place = Workplace(sandbox.base_url, sandbox.api_token, database, service.speed)
        work = await fleet(place, service.waves, service.at_once, workers)
        assert len(sandbox.charges) == work.songs
        return work, time.process_time() - before


def _songs_a_minute(service: Service, work: Work) -> float:
    return work.songs / (work.seconds * service.speed) * 60


def _row(service: Service, workers: int, work: Work, sandbox: float, base: float) -> tuple[str, ...]:
    rate = _songs_a_minute(service, work)
    most = service.at_once / SONG_SECONDS * 60
    return (
        str(service.at_once),
        str(workers),
        f"{rate:.0f}",
        f"{rate / base:.1f}",
        f"{rate / most:.0%}",
        f"{work.cpu_seconds / work.songs * 1000:.1f} ms",
        f"{work.cpu_seconds / work.seconds:.2f} cores",
        f"{sandbox / work.seconds:.2f} cores",
    )
