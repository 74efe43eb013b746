"""How fast the sandbox's music and its files are: the demo and the tests wait for them."""

import time
from collections.abc import Callable
from functools import partial

from producer_tools.sandbox.covers import cover
from producer_tools.sandbox.music import compose, encoding
from tests.bench.section import Section
from tests.sandbox.songs import LYRIC

COMPOSED = 300


async def measure() -> Section:
    """CPU time of each step for one song."""
    start = time.process_time()
    for number in range(COMPOSED):
        compose("a slow sad waltz with strings and a long description of everything", LYRIC, str(number))
    composing = (time.process_time() - start) / COMPOSED
    songs = [compose("", LYRIC, f"fast {number}") for number in range(2)]
    samples = songs[0].samples()
    steps: list[tuple[str, float]] = [
        ("compose, while a submit is answered", composing),
        ("render a WAV", min(_seconds(song.wav) for song in songs)),
        ("render the stems, after the WAV", min(_seconds(song.stems) for song in songs)),
        ("encode an M4A", _seconds(partial(encoding.m4a, samples))),
        ("encode an MP4", _seconds(partial(encoding.mp4, samples, cover("a")))),
    ]
    return Section(
        "The sandbox's music",
        "CPU time for one song of the sandbox. It stands in for the service; the package's own cost has no part in it.",
        ("step", "time"),
        [(step, f"{seconds * 1000:.1f} ms") for step, seconds in steps],
    )


def _seconds(render: Callable[[], bytes]) -> float:
    start = time.process_time()
    render()
    return time.process_time() - start
