"""A score: everything that decides what is played and sung. Writing one is cheap; `render` makes it sound."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from producer_tools.sandbox.music.dice import dice
from producer_tools.sandbox.music.melody import PHRASE_BARS, Tune, progression, sung
from producer_tools.sandbox.music.style import Mode, Style, imagined
from producer_tools.sandbox.music.track import RATE

ENDING = 2.2  # seconds that the last chord rings

_ARTICULATION = 0.9  # share of its time that a melody's note is held, so that one is told from the next
_TYPICAL = 11.0  # seconds before the ending
_LEAST_BARS = 4
_SCALES: dict[Mode, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# A tune that changes mode would meet a diminished chord, or in minor a dominant that does not lead home; these share
# two of their three tones with the chord they replace. The progressions of a mode itself have none of them.
_SUBSTITUTES: dict[Mode, dict[int, int]] = {"major": {6: 4}, "minor": {1: 3, 4: 6}}


class Note(NamedTuple):
    """``voice`` plays the MIDI ``pitches`` together from ``beat``, held for ``beats``, at ``loudness`` 1 to 100."""

    voice: str
    beat: float
    beats: float
    pitches: tuple[float, ...]
    loudness: int


@dataclass(frozen=True)
class Score:
    """One piece from its first beat to the end of its last chord.

    Args:
        tune: The melody and the chords under it.
        style: How it goes and who plays.
        words: The lyric that is sung to the tune.
        arrangement: The seed of the accompaniment.
        bars: How many there are before the last chord; an even number.
        instrumental: Whether an instrument plays the melody, as part of the backing, and nobody sings.
    """

    tune: Tune
    style: Style
    words: str
    arrangement: str
    bars: int
    instrumental: bool

    @property
    def beat(self) -> float:
        """Samples in a beat."""
        return 60 * RATE / self.style.tempo

    @property
    def bar(self) -> float:
        """Samples in a bar."""
        return self.beat * self.style.metre

    @cached_property
    def length(self) -> int:
        """Samples in the whole piece."""
        return round(self.bars * self.bar + ENDING * RATE)

    @property
    def ending(self) -> float:
        """Beats that the last chord is held."""
        return ENDING * RATE / self.beat

    def lasting(self, samples: float) -> "Score":
        """Give it as many bars as fit its last chord at or after ``samples``."""
        phrases = math.ceil((samples - ENDING * RATE) / (self.bar * PHRASE_BARS))
        return replace(self, bars=max(_LEAST_BARS, phrases * PHRASE_BARS))

    def chord(self, bar: int) -> int:
        """The degree of the scale, counted from 0, on which the chord of a bar stands."""
        if bar == self.bars:
            return 0
        degree = self.tune.chords[bar % len(self.tune.chords)]
        return _SUBSTITUTES[self.style.mode].get(degree, degree)

    def pitch(self, step: int) -> int:
        """The MIDI note of a scale step above (or below) the tonic."""
        octave, degree = divmod(step, 7)
        return self.style.key + 12 * octave + _SCALES[self.style.mode][degree]

    def melody(self, voice: str = "") -> list[Note]:
        """The tune as notes, each for the given voice or, without one, for a singer of its vowel."""
        chance = dice("singing", self.tune.seed, self.words)
        notes = [
            Note(
                voice or note.vowel,
                note.beat,
                note.beats * _ARTICULATION,
                (self.pitch(note.step),),
                78 + int(chance.random() * 22),
            )
            for note in sung(self.tune, self.words, self.style.metre, self.bars)
        ]
        return [*notes[:-1], notes[-1]._replace(beats=self.ending)]


def written(prompt: str, lyric: str, seed: str, *, instrumental: bool) -> Score:
    """Write a score of typical length from nothing but a request."""
    score = styled(imagined(prompt, seed), lyric, seed, instrumental=instrumental)
    phrases = round(_TYPICAL * RATE / (score.bar * PHRASE_BARS))
    return replace(score, bars=max(_LEAST_BARS, phrases * PHRASE_BARS))


def styled(style: Style, lyric: str, seed: str, *, instrumental: bool) -> Score:
    """Write a short score with a new tune in a style that is already known."""
    tune = Tune(seed, lyric, progression(seed, style.mode), style.metre)
    return Score(tune, style, lyric, seed, _LEAST_BARS, instrumental)
