"""The backing: chords, bass and drums under a tune, and its melody too when nobody sings."""

import math
from collections.abc import Iterator
from random import Random

from producer_tools.sandbox.music.dice import dice, pick
from producer_tools.sandbox.music.score import Note, Score
from producer_tools.sandbox.music.style import COMMON, WALTZ
from producer_tools.sandbox.music.voices import BANDS

DRUMS = ("kick", "snare", "hat", "cymbal")

_SLOW, _FAST = 80, 135  # beats per minute below and above which the rhythm section plays otherwise
_CHORD_FLOOR = 52  # E3: chord tones are taken from the octave above it, so that neighbouring chords lie close together
_BASS_FLOOR = 36
_OCTAVE = 12

# How a bar's chord is figured: (beat, beats held, which tones). Tones 0, 1, 2 are the chord's own from the lowest up,
# 3, 4, 5 the same an octave higher.
_Figure = tuple[tuple[float, float, tuple[int, ...]], ...]
_ALL = (0, 1, 2)


def _arpeggio(*tones: int) -> _Figure:
    return tuple((index / 2, 1.5, (tone,)) for index, tone in enumerate(tones))


_FIGURES: dict[int, tuple[_Figure, ...]] = {
    COMMON: (
        _arpeggio(0, 1, 2, 3, 2, 1, 2, 1),
        _arpeggio(0, 2, 1, 2, 3, 2, 1, 2),
        _arpeggio(0, 1, 2, 4, 3, 2, 1, 2),
        ((0, 1.4, _ALL), (1.5, 0.5, _ALL), (2, 0.9, _ALL), (3, 0.9, (1, 2, 3))),
        ((0, 0.9, _ALL), (1, 0.5, (1, 2)), (1.5, 0.9, _ALL), (2.5, 0.5, (1, 2)), (3, 0.5, _ALL), (3.5, 0.5, (1, 2, 3))),
        ((0, 0.5, (0,)), (0.5, 0.4, _ALL), (1.5, 0.4, _ALL), (2.5, 0.4, _ALL), (3.5, 0.4, (1, 2, 3))),
    ),
    WALTZ: (
        ((1, 0.8, _ALL), (2, 0.7, _ALL)),
        _arpeggio(0, 1, 2, 3, 2, 1),
        ((0, 0.9, (0,)), (1, 0.8, (1, 2)), (2, 0.4, (1, 2)), (2.5, 0.4, (1, 2, 3))),
    ),
}

# Where the bass plays: (beat, beats held, semitones above the root).
_Walk = tuple[tuple[float, float, int], ...]
_WALKS: dict[int, tuple[_Walk, ...]] = {
    COMMON: (
        ((0, 1.9, 0), (2, 1.9, 7)),
        ((0, 1.4, 0), (1.5, 0.5, 0), (2, 1.4, 7), (3.5, 0.5, 0)),
        ((0, 2.4, 0), (2.5, 0.5, 0), (3, 0.9, 12)),
    ),
    WALTZ: (((0, 2.6, 0),), ((0, 1.9, 0), (2, 0.9, 7))),
}
_DRIVING_WALK: _Walk = tuple((index / 2, 0.45, 0) for index in range(8))

# What the drummer plays: drum -> (beat, loudness).
_Groove = dict[str, tuple[tuple[float, int], ...]]
_TURNING: _Groove = {"kick": ((0, 80),), "snare": ((1, 22), (2, 30)), "hat": ((0, 30), (1, 50), (2, 45), (2.5, 20))}
_BALLAD: _Groove = {"kick": ((0, 75), (2.5, 45)), "snare": ((2, 45),), "hat": tuple((beat, 40) for beat in range(4))}
_EIGHTHS = tuple((index / 2, 30 if index % 2 else 50) for index in range(8))
_GROOVES: tuple[_Groove, ...] = (
    {"kick": ((0, 90), (2, 80), (2.5, 55)), "snare": ((1, 70), (3, 75)), "hat": _EIGHTHS},
    {"kick": ((0, 90), (1.5, 60), (2, 75)), "snare": ((1, 70), (3, 75), (3.75, 22)), "hat": _EIGHTHS},
)
_DANCE: _Groove = {
    "kick": tuple((beat, 95) for beat in range(4)),
    "snare": ((1, 65), (3, 70)),
    "hat": ((0.5, 65), (1.5, 65), (2.5, 65), (3.5, 65), (1.75, 20), (3.75, 25)),
}


def played(score: Score) -> list[Note]:
    """Write out every note of the backing, in no particular order."""
    chance = dice("arrangement", score.arrangement)
    metre, band = score.style.metre, BANDS[score.style.sound]
    notes = [*_chords(score, chance), *_bass(score, chance), *_drums(score, chance)]
    for bar in range(score.bars + 1):
        held = metre if bar < score.bars else score.ending
        notes.append(Note(band.pad, bar * metre, held, _tones(score, bar)[:3], 12))
    if score.instrumental:
        notes += [note._replace(loudness=note.loudness * 6 // 10) for note in score.melody(band.lead)]
    return notes


def _chords(score: Score, chance: Random) -> Iterator[Note]:
    voice, metre = BANDS[score.style.sound].chords, score.style.metre
    figure = pick(chance, _FIGURES[metre])
    other = pick(chance, [choice for choice in _FIGURES[metre] if choice != figure])
    for bar in range(score.bars):
        # The second half of the piece moves differently, as a second verse would.
        for beat, beats, which in figure if bar < score.bars // 2 else other:
            tones = _tones(score, bar)
            loudness = (50 if beat % 1 == 0 else 42) + chance.random() * 8
            # Each tone of several is played softer, so that all of them are as loud as one.
            each = int(loudness / math.sqrt(len(which)))
            yield Note(voice, bar * metre + beat, beats, tuple(tones[tone] for tone in which), each)
    end = score.bars * metre
    for delay, tone in enumerate(_tones(score, score.bars)[:4]):
        yield Note(voice, end + delay * 0.06, score.ending, (tone,), 26)


def _bass(score: Score, chance: Random) -> Iterator[Note]:
    voice, metre = BANDS[score.style.sound].bass, score.style.metre
    walk = pick(chance, _WALKS[metre])
    if score.style.tempo > _FAST and metre == COMMON:
        walk = pick(chance, (_DRIVING_WALK, *_WALKS[metre]))
    for bar in range(score.bars):
        for beat, beats, above in walk:
            yield Note(voice, bar * metre + beat, beats, (_root(score, bar) + above,), 52 + int(chance.random() * 8))
    yield Note(voice, score.bars * metre, score.ending, (_root(score, score.bars),), 55)


def _drums(score: Score, chance: Random) -> Iterator[Note]:
    metre, level = score.style.metre, BANDS[score.style.sound].drums
    groove = _groove(score, chance)
    for bar in range(score.bars):
        for drum, hits in groove.items():
            for beat, loudness in hits:
                yield _hit(drum, bar * metre + beat, loudness * level * (0.9 + chance.random() * 0.2))
        if bar == score.bars - 1 or (bar + 1) % 4 == 0:
            for beat in (metre - 0.75, metre - 0.5, metre - 0.25):
                yield _hit("snare", bar * metre + beat, 45 * level * (0.8 + chance.random() * 0.4))
    yield _hit("kick", score.bars * metre, 85 * level)
    for bar in (0, score.bars):
        yield _hit("cymbal", bar * metre, 40 * level)


def _groove(score: Score, chance: Random) -> _Groove:
    if score.style.metre == WALTZ:
        return _TURNING
    if score.style.tempo < _SLOW:
        return _BALLAD
    if score.style.sound == "electronic":
        return _DANCE
    return pick(chance, _GROOVES)


def _hit(drum: str, beat: float, loudness: float) -> Note:
    return Note(drum, beat, 0, (), max(1, int(loudness)))


def _tones(score: Score, bar: int) -> tuple[int, ...]:
    """The three tones of a bar's chord from the lowest up, and the same an octave higher."""
    degree = score.chord(bar)
    low = sorted(_above(_CHORD_FLOOR, score.pitch(degree + third)) for third in (0, 2, 4))
    return (*low, *(tone + _OCTAVE for tone in low))


def _root(score: Score, bar: int) -> int:
    return _above(_BASS_FLOOR, score.pitch(score.chord(bar)))


def _above(floor: int, pitch: int) -> int:
    """The same note in the octave above ``floor``."""
    return floor + (pitch - floor) % _OCTAVE
