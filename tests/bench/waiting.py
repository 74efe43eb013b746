"""How many look-ups a thousand waits take, and how soon each of them is told that its song is finished."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from random import Random
from statistics import median
from typing import NamedTuple

from producer_tools import ProducerClient
from producer_tools.progress import Progress
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from tests.bench.section import Section
from tests.clocks import VirtualClock
from tests.virtual_time import requests_take_no_time, running

SONGS = 1000
SHORTEST, LONGEST = 20.0, 120.0
LOOK_SECONDS = 5.0
SECONDS_BETWEEN_SUBMITS = 0.1
TIMEOUT = 600.0
SEED = 7


class Waited(NamedTuple):
    """How the songs were waited for.

    Attributes:
        requests: the look-ups that the service was asked for.
        delays: for each song, the seconds from its end to the moment when somebody was told of it.
    """

    requests: int
    delays: list[float]


class Songs:
    """Songs that are submitted and waited for with one client, and when somebody was told of the end of each.

    Args:
        sandbox: makes the songs.
        client: has the clock of the sandbox.
        clock: of both.
    """

    def __init__(self, sandbox: ProducerSandbox, client: ProducerClient, clock: VirtualClock) -> None:
        self._sandbox = sandbox
        self._client = client
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._told: dict[str, float] = {}

    async def submit(self, seconds: float, pause: float = 0.0) -> str:
        """The task id of a new song that takes this time, submitted after a pause."""
        await self._clock.sleep(pause)
        self._sandbox.render_seconds = seconds
        task_id = str((await self._client.submit(GenerateMusic(prompt="a song"))).task_id)
        self._ends[task_id] = self._clock.now() + seconds
        return task_id

    async def wait(self, *task_ids: str) -> None:
        """Wait for these tasks with one call."""
        batch = await self._client.wait(task_ids, TIMEOUT, self._on_progress)
        assert all(task.success for task in batch.tasks)

    def waited(self) -> Waited:
        """What came of it."""
        looked = sum(request.endpoint == "/producer/tasks" for request in self._sandbox.requests)
        return Waited(looked, [self._told[task_id] - end for task_id, end in self._ends.items()])

    def _on_progress(self, progress: Progress) -> None:
        if progress["state"] == "complete":
            self._told[progress["task_id"]] = self._clock.now()


Way = Callable[[Songs, list[float]], Awaitable[None]]


async def one_wait(songs: Songs, lengths: list[float]) -> None:
    """Submit all, and wait for all with one call."""
    await songs.wait(*[await songs.submit(seconds) for seconds in lengths])


async def a_wait_for_each(songs: Songs, lengths: list[float]) -> None:
    """Submit all, and wait for each with a call of its own, all at the same time."""
    task_ids = [await songs.submit(seconds) for seconds in lengths]
    await asyncio.gather(*map(songs.wait, task_ids))


async def one_after_another(songs: Songs, lengths: list[float]) -> None:
    """Submit one song after another, and wait for each at once, as for the users of a server."""

    async def one(number: int, seconds: float) -> None:
        await songs.wait(await songs.submit(seconds, pause=number * SECONDS_BETWEEN_SUBMITS))

    await asyncio.gather(*(one(number, seconds) for number, seconds in enumerate(lengths)))


def a_loop_for_each(lengths: list[float]) -> Waited:
    """What loops would need that look each song up every five seconds: this follows from the lengths of the songs."""
    looks = [math.ceil(seconds / LOOK_SECONDS) for seconds in lengths]
    delays = [number * LOOK_SECONDS - seconds for number, seconds in zip(looks, lengths, strict=True)]
    return Waited(sum(looks), delays)


async def waited(way: Way, lengths: list[float]) -> Waited:
    """Submit a song of each length, and wait for all of them.

    Time jumps from one sleep of the client to the next, and does not pass while a request is under way. So the delays
    are those of the client alone, and do not depend on the machine.
    """
    with requests_take_no_time(), running() as clock, ProducerSandbox(clock=clock, silent=True) as sandbox:
        async with ProducerClient(sandbox.api_token, sandbox.base_url, clock=clock) as client:
            songs = Songs(sandbox, client, clock)
            await way(songs, lengths)
        return songs.waited()


async def measure() -> Section:
    """The same songs, waited for in each way."""
    random = Random(SEED)
    lengths = [random.uniform(SHORTEST, LONGEST) for _ in range(SONGS)]
    loops = a_loop_for_each(lengths)
    ways = [
        (f"a loop for each song that looks every {LOOK_SECONDS:.0f} s", loops),
        (f"one `client.wait` for {SONGS:,} songs", await waited(one_wait, lengths)),
        (f"{SONGS:,} calls of `client.wait`", await waited(a_wait_for_each, lengths)),
        (
            f"{SONGS:,} submits {SECONDS_BETWEEN_SUBMITS} s apart, a `client.wait` after each",
            await waited(one_after_another, lengths),
        ),
    ]
    return Section(
        "Waiting for a thousand songs",
        f"{SONGS:,} songs take {SHORTEST:.0f} to {LONGEST:.0f} s. Unless the table says otherwise, they are submitted "
        "at the same time. How many look-ups are sent, and how long after the end of its song does the one who waits "
        "hear of it? The client looks a song up 5 s after its submit, again 20 s after it, since hardly any song is "
        "complete earlier, and then every 5 s. All songs here take 20 s or longer, so this saves it two look-ups of "
        "each song and delays nothing.\n\n"
        "The seconds are those of the songs. Their clock stands still while a request is under way, so a real network "
        "adds the time of one request to each delay. The figures of the loops are computed: they would send "
        f"{SONGS / LOOK_SECONDS:.0f} look-ups a second, where the service allows 60.",
        ("way to wait", "look-ups", "share", "median delay", "worst delay"),
        [
            (
                name,
                f"{way.requests:,}",
                f"1/{loops.requests / way.requests:.0f}",
                f"{median(way.delays):.1f} s",
                f"{max(way.delays):.1f} s",
            )
            for name, way in ways
        ],
    )
