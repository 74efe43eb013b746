"""Rendering: WAV files and stems that can be listened to."""

from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from producer_tools.sandbox.music import Song, compose
from producer_tools.sandbox.music.render import backing, vocals
from tests.sandbox.songs import INSTRUMENTAL, LYRIC, RATE, SONG, loudness, samples_of, stems_of


@pytest.mark.parametrize("song", [SONG, INSTRUMENTAL])
def test_a_wav_has_the_duration_of_its_song_and_names_the_sandbox(song: Song) -> None:
    samples = samples_of(song.wav())
    assert len(samples) / RATE == song.duration
    assert 8 <= song.duration <= 20
    assert b"INFOICMT" in song.wav()[:100]
    assert b"ProducerSandbox" in song.wav()[:100]


@pytest.mark.parametrize("song", [SONG, INSTRUMENTAL, INSTRUMENTAL.with_new_vocals(LYRIC, "b")])
def test_a_song_is_neither_silent_nor_clipped(song: Song) -> None:
    samples = samples_of(song.wav())
    assert 10_000 < max(map(abs, samples)) < 32_767
    assert all(loudness(samples[start : start + RATE]) > 500 for start in range(0, len(samples) - 3 * RATE, RATE))


def test_a_song_starts_and_ends_without_a_click() -> None:
    """Only the drums may start at full level."""
    vocals, backing = stems_of(SONG)
    assert max(map(abs, vocals[:5])) < 100
    assert max(map(abs, vocals[-5:] + backing[-5:])) < 20


def test_the_stems_add_up_to_the_song() -> None:
    vocals, backing = stems_of(SONG)
    assert loudness(vocals) > 500
    assert loudness(backing) > 500
    assert array("h", map(int.__add__, vocals, backing)) == samples_of(SONG.wav())


def test_an_instrumental_has_a_melody_but_no_vocals() -> None:
    vocals, backing = stems_of(INSTRUMENTAL)
    assert not any(vocals)
    bare = stems_of(compose("happy orchestral", "", "seed"))[1]
    assert len(bare) == len(backing)
    assert bare != backing


def test_several_threads_can_render_the_same_song() -> None:
    """A user may call the music from several threads, and the caches are shared."""
    song = compose("thread", LYRIC, "a")
    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(lambda _: song.wav(), range(2)))) == 1


def test_stems_are_cut_from_the_sound_that_the_wav_has_rendered() -> None:
    """Otherwise a client that asks for several files of a song would wait for the rendering each time."""
    song = compose("", LYRIC, "rendered once")
    song.wav()
    rendered = vocals.cache_info().misses, backing.cache_info().misses
    song.stems()
    assert (vocals.cache_info().misses, backing.cache_info().misses) == rendered


def test_a_silenced_song_keeps_its_length_and_plan() -> None:
    silent = SONG.silenced()
    assert (silent.duration, silent.tempo, silent.clips) == (SONG.duration, SONG.tempo, SONG.clips)
    assert not any(samples_of(silent.wav()))
    assert len(samples_of(silent.wav())) == len(samples_of(SONG.wav()))
