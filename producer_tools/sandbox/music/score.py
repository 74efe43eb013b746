"""A score: everything that determines what is played and sung. Making one is cheap; `render` turns it into sound."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from producer_tools.sandbox.music.chance import seeded_random
from producer_tools.sandbox.music.melody import PHRASE_BARS, Tune, progression, sung_notes
from producer_tools.sandbox.music.style import Mode, Style, style_for
from producer_tools.sandbox.music.track import RATE

ENDING = 2.2  # seconds that the last chord is held

_ARTICULATION = 0.9  # share of its length that a melody note sounds, so that repeated notes are separate
_TYPICAL_SECONDS = 11.0  # seconds before the ending
_MIN_BARS = 4
_SCALES: dict[Mode, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# In the other mode, a tune's progression can contain a diminished chord, or in minor a dominant without a leading tone.
# They are replaced by chords that share two of three tones with them. No progression has them in its own mode.
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
    """One piece, from its first beat to the end of its last chord.

    Args:
        tune: The melody and the chords under it.
        style: Tempo, mode, metre, key and band.
        words: The lyric that is sung to the tune.
        arrangement: The seed of the accompaniment.
        bars: The number of bars before the last chord; even.
        instrumental: Whether an instrument plays the melody, as part of the backing, in place of the singer.
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
        """Beats for which the last chord is held."""
        return ENDING * RATE / self.beat

    def lasting(self, samples: float) -> "Score":
        """A copy with enough bars to last at least ``samples`` samples."""
        phrases = math.ceil((samples - ENDING * RATE) / (self.bar * PHRASE_BARS))
        return replace(self, bars=max(_MIN_BARS, phrases * PHRASE_BARS))

    def chord(self, bar: int) -> int:
        """The root of a bar's chord, as a degree of the scale counted from 0."""
        if bar == self.bars:
            return 0
        degree = self.tune.chords[bar % len(self.tune.chords)]
        return _SUBSTITUTES[self.style.mode].get(degree, degree)

    def pitch(self, step: int) -> int:
        """The MIDI note of a scale step above (or, if negative, below) the tonic."""
        octave, degree = divmod(step, 7)
        return self.style.key + 12 * octave + _SCALES[self.style.mode][degree]

    def melody(self, voice: str = "") -> list[Note]:
        """The tune as notes for the given voice; without one, for the singing voice of each note's vowel."""
        rng = seeded_random("singing", self.tune.seed, self.words)
        notes = [
            Note(
                voice or note.vowel,
                note.beat,
                note.beats * _ARTICULATION,
                (self.pitch(note.step),),
                78 + int(rng.random() * 22),
            )
            for note in sung_notes(self.tune, self.words, self.style.metre, self.bars)
        ]
        return [*notes[:-1], notes[-1]._replace(beats=self.ending)]


def score_for(prompt: str, lyric: str, seed: str, *, instrumental: bool) -> Score:
    """Make a score of typical length from a request."""
    score = score_in_style(style_for(prompt, seed), lyric, seed, instrumental=instrumental)
    phrases = round(_TYPICAL_SECONDS * RATE / (score.bar * PHRASE_BARS))
    return replace(score, bars=max(_MIN_BARS, phrases * PHRASE_BARS))


def score_in_style(style: Style, lyric: str, seed: str, *, instrumental: bool) -> Score:
    """Make a short score with a new tune in a given style."""
    tune = Tune(seed, lyric, progression(seed, style.mode), style.metre)
    return Score(tune, style, lyric, seed, _MIN_BARS, instrumental)
