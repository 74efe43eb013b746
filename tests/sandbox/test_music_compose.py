"""Composing: what a prompt, a lyric and a seed decide, and that it can be heard in the sound."""

import hashlib
import math
import os
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

import producer_tools
from producer_tools.sandbox.music import Song, compose, uploaded
from producer_tools.sandbox.music.melody import syllables
from producer_tools.sandbox.music.render import backing, vocals
from tests.sandbox.songs import (
    LYRIC,
    MARCH,
    RATE,
    SONG,
    WALTZ,
    onsets_of,
    pitches_of,
    power_at,
    pulse,
    samples_of,
    stems_of,
)

ROOT = str(Path(producer_tools.__file__).parent)
# The music needs nothing else of the package, whose import would take two seconds.
MUSIC = f"""
import hashlib, sys, types
for name, folder in (("producer_tools", {ROOT!r}), ("producer_tools.sandbox", {ROOT + "/sandbox"!r})):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from producer_tools.sandbox.music import compose
song = compose("dance", "la li lu", "x").covered("fast punk", "", "y")
print(hashlib.sha256(song.wav()).hexdigest())
"""


def test_a_song_is_the_same_in_every_process() -> None:
    """Otherwise a restarted server would send other bytes for the same URL."""
    song = compose("dance", "la li lu", "x").covered("fast punk", "", "y")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"}
    run = subprocess.run([sys.executable, "-c", MUSIC], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(song.wav()).hexdigest()


def test_the_request_and_the_seed_decide_the_song() -> None:
    assert compose("folk guitar in 4/4", LYRIC, "seed") == SONG
    assert len({SONG, compose("folk guitar in 4/4", LYRIC, "seed"), compose("folk guitar in 4/4", LYRIC, "other")}) == 2
    assert pitches_of(compose("folk guitar in 4/4", LYRIC, "other")) != pitches_of(SONG)
    assert uploaded("https://example.com/a.mp3") != uploaded("https://example.com/b.mp3")


def test_another_lyric_has_another_melody() -> None:
    other = compose("folk guitar in 4/4", "A\nB b b\nHere are many many syllables in one line", "seed")
    assert pitches_of(other) != pitches_of(SONG)


def test_a_repeated_line_has_the_same_rhythm() -> None:
    """Otherwise the music would have no refrain where the lyric has one."""
    song = compose("slow", "Hello my darling\nHello my darling", "seed")
    notes = song.clips[0].vocals.melody()[:-1]
    assert [note.beats for note in notes[: len(notes) // 2]] == [note.beats for note in notes[len(notes) // 2 :]]


@pytest.mark.parametrize(
    ("lyric", "lines"),
    [
        ("[Verse 1]\nOh my love\n\n  \n[Chorus]\nLa", ("oio", "a")),
        ("Olá rhythm 99", ("oai",)),
        ("", ()),
        ("[Intro]", ()),
    ],
)
def test_syllables_are_counted_and_section_markers_are_not_sung(lyric: str, lines: tuple[str, ...]) -> None:
    assert syllables(lyric) == lines


@pytest.mark.parametrize("text", ["你好世界\n再见", "\ud800", "\0", "Ω" * 5000, "🎵", "привет как дела"])
def test_any_text_makes_a_song(text: str) -> None:
    song = compose(text, text, text).covered(text, text, text)
    assert song.duration >= 8
    assert len(pitches_of(song)) > 4


@pytest.mark.parametrize(
    ("prompt", "tempo", "mode", "metre"),
    [
        ("a slow sad waltz", range(60, 78), "minor", 3),
        ("A SLOW, SAD WALTZ!", range(60, 78), "minor", 3),
        ("lullaby", range(60, 78), None, None),
        ("energetic punk", range(138, 162), None, None),
        ("happy dance music in 4/4", range(138, 162), "major", 4),
        ("fast but sad", range(138, 162), "minor", None),
        ("a sad song in a major key", range(60, 78), "major", None),
        ("joyful tune at 100 bpm", range(100, 101), "major", None),
        ("9 BPM", range(85, 130), None, None),
        ("999bpm", range(180, 181), None, None),
        ("", range(85, 130), None, None),
    ],
)
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_words_in_the_prompt_decide_tempo_mode_and_metre(
    prompt: str, tempo: range, mode: str | None, metre: int | None, seed: str
) -> None:
    song = compose(prompt, LYRIC, seed)
    assert song.tempo in tempo
    assert mode in (None, song.mode)
    assert metre in (None, song.metre)


@pytest.mark.parametrize("song", [WALTZ, MARCH, compose("slow electronic", LYRIC, "a")])
def test_the_sound_has_the_tempo(song: Song) -> None:
    """Otherwise the tempo would only be a label."""
    onsets = onsets_of(samples_of(song.wav()))[: -2 * 50]
    pace = {tempo: pulse(onsets, tempo) + pulse(onsets, 2 * tempo) for tempo in range(60, 180)}
    strongest = max(pace, key=lambda tempo: pace[tempo])
    assert min(abs(strongest - tempo) for tempo in (song.tempo, 2 * song.tempo)) <= 1


@pytest.mark.parametrize(("song", "mode"), [(WALTZ, "minor"), (MARCH, "major")])
def test_the_sound_has_the_mode(song: Song, mode: str) -> None:
    _, backing = stems_of(song)
    # The thirds in the tonic's octave and the next are far below 2 kHz, so every fifth sample is enough.
    few = array("h", [sum(backing[start : start + 5]) // 5 for start in range(0, len(backing), 5)])
    blocks = [few[start : start + RATE // 5] for start in range(0, len(few), RATE // 5)]
    third = {}
    for name, semitones in (("minor", 3), ("major", 4)):
        low = 440 * 2 ** ((song.key + semitones - 12 - 69) / 12) * 5
        third[name] = math.fsum(power_at(block, hertz) for block in blocks for hertz in (low, 2 * low))
    assert song.mode == mode
    assert max(third, key=lambda name: third[name]) == mode


@pytest.mark.parametrize(("song", "metre"), [(WALTZ, 3), (MARCH, 4)])
def test_the_sound_has_the_metre(song: Song, metre: int) -> None:
    """In the bass and the bass drum, which play on the first beat of each bar."""
    _, backing = stems_of(song)
    bass = array("h", [sum(backing[start : start + 63]) // 63 for start in range(0, len(backing), 63)])
    onsets = onsets_of(bass, hop=7)[: -2 * 50]
    two, three = pulse(onsets, song.tempo / 2), pulse(onsets, song.tempo / 3)
    assert song.metre == metre
    assert three > 1.5 * two if metre == 3 else two > 1.5 * three


def test_composing_renders_nothing() -> None:
    """The server composes while it answers a submit, and renders only when a file is requested."""
    rendered = vocals.cache_info().misses, backing.cache_info().misses
    for number in range(20):
        compose("a slow sad waltz with strings", LYRIC, f"composed only {number}").extended(5, "", "", "b")
    assert (vocals.cache_info().misses, backing.cache_info().misses) == rendered
