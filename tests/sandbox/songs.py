"""Songs for the tests of the music, and measurements of their sound."""

import io
import math
import wave
import zipfile
from array import array
from itertools import pairwise

from producer_tools.sandbox.music import Song, compose

RATE = 22050
LYRIC = "Hello my darling, how are you\nI am fine and so is the moon\nHello my darling, how are you\nSing with me"
SONG = compose("folk guitar in 4/4", LYRIC, "seed")
WALTZ = compose("a waltz in minor on the piano, 100 bpm", LYRIC, "a")
MARCH = compose("a march in major on the guitar, 110 bpm", LYRIC, "a")
INSTRUMENTAL = compose("happy orchestral", "", "seed", instrumental=True)


def samples_of(wav: bytes) -> "array[int]":
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return array("h", file.readframes(file.getnframes()))


def stems_of(song: Song) -> tuple["array[int]", "array[int]"]:
    """The samples of the vocals and of the backing."""
    with zipfile.ZipFile(io.BytesIO(song.stems())) as archive:
        assert archive.namelist() == ["vocals.wav", "instrumental.wav"]
        return samples_of(archive.read("vocals.wav")), samples_of(archive.read("instrumental.wav"))


def loudness(samples: "array[int]") -> float:
    """The root mean square."""
    return math.sqrt(math.fsum(sample * sample for sample in samples) / len(samples))


def power_at(samples: "array[int]", hertz: float) -> float:
    """The power at one frequency (Goertzel's algorithm)."""
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last, before = 0.0, 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    return last * last + before * before - factor * last * before


def onsets_of(samples: "array[int]", hop: int = 441) -> list[float]:
    """The increase in loudness, measured fifty times a second."""
    levels = [math.log10(1 + loudness(samples[start : start + hop])) for start in range(0, len(samples) - hop, hop)]
    return [max(0.0, after - before) for before, after in pairwise(levels)]


def pulse(onsets: list[float], per_minute: float) -> float:
    """How much of the onsets is periodic at ``per_minute``: 1 if there are no others."""
    turns = [2 * math.pi * per_minute / 60 / 50 * index for index in range(len(onsets))]
    across = math.fsum(onset * math.cos(turn) for onset, turn in zip(onsets, turns, strict=True))
    along = math.fsum(onset * math.sin(turn) for onset, turn in zip(onsets, turns, strict=True))
    return math.hypot(across, along) / math.fsum(onsets)


def pitches_of(song: Song) -> list[float]:
    """The MIDI notes of the melody."""
    return [note.pitches[0] for note in song.clips[0].vocals.melody()]
