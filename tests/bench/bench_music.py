"""How fast the sandbox's music and its files are. `make bench` runs it; the suite does not."""

import time
from collections.abc import Callable
from functools import partial

from producer_tools.sandbox.covers import cover
from producer_tools.sandbox.music import compose, encoding
from tests.sandbox.songs import LYRIC


def test_composing_takes_less_than_half_a_millisecond() -> None:
    """The server composes while it answers a submit."""
    start = time.process_time()
    for number in range(300):
        compose("a slow sad waltz with strings and a long description of everything", LYRIC, str(number))
    assert (time.process_time() - start) / 300 < 0.0005


def test_rendering_takes_less_than_a_second() -> None:
    """A client that requests a file waits for this."""

    def seconds(render: Callable[[], bytes]) -> float:
        start = time.process_time()
        render()
        return time.process_time() - start

    songs = [compose("", LYRIC, f"fast {number}") for number in range(2)]
    assert min(seconds(song.wav) for song in songs) < 1
    assert min(seconds(song.stems) for song in songs) < 0.3
    for song in songs:
        samples = song.samples()
        assert seconds(partial(encoding.m4a, samples)) < 0.3
        assert seconds(partial(encoding.mp4, samples, cover("a"))) < 0.3
