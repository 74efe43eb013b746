"""The backing of a tune: chords, bass and drums, and also the melody if the piece is instrumental."""

import math
from collections.abc import Iterator
from random import Random

from producer_tools.sandbox.music.chance import pick, seeded_random
from producer_tools.sandbox.music.score import Note, Score
from producer_tools.sandbox.music.style import COMMON, WALTZ
from producer_tools.sandbox.music.voices import BANDS

DRUMS = ("kick", "snare", "hat", "cymbal")

_SLOW, _FAST = 80, 135  # beats per minute below and above which drums and bass have other patterns
_CHORD_FLOOR = 52  # E3; all chord tones are in the octave above it, so that successive chords are close together
_BASS_FLOOR = 36
_OCTAVE = 12

# How a chord is played in one bar: (beat, beats held, which tones). Tones 0, 1 and 2 are the chord's, lowest first;
# 3, 4 and 5 are the same an octave higher.
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

# How the bass plays one bar: (beat, beats held, semitones above the root).
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

# How the drums play one bar: drum -> (beat, loudness).
_Groove = dict[str, tuple[tuple[float, int], ...]]
_WALTZ_GROOVE: _Groove = {
    "kick": ((0, 80),),
    "snare": ((1, 22), (2, 30)),
    "hat": ((0, 30), (1, 50), (2, 45), (2.5, 20)),
}
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


def backing_notes(score: Score) -> list[Note]:
    """All notes of the backing, unordered."""
    rng = seeded_random("arrangement", score.arrangement)
    metre, band = score.style.metre, BANDS[score.style.sound]
    notes = [*_chords(score, rng), *_bass(score, rng), *_drums(score, rng)]
    for bar in range(score.bars + 1):
        held = metre if bar < score.bars else score.ending
        notes.append(Note(band.pad, bar * metre, held, _tones(score, bar)[:3], 12))
    if score.instrumental:
        notes += [note._replace(loudness=note.loudness * 6 // 10) for note in score.melody(band.lead)]
    return notes


def _chords(score: Score, rng: Random) -> Iterator[Note]:
    voice, metre = BANDS[score.style.sound].chords, score.style.metre
    figure = pick(rng, _FIGURES[metre])
    other = pick(rng, [choice for choice in _FIGURES[metre] if choice != figure])
    for bar in range(score.bars):
        # The second half of the piece has another pattern, as a second verse would.
        for beat, beats, which in figure if bar < score.bars // 2 else other:
            tones = _tones(score, bar)
            loudness = (50 if beat % 1 == 0 else 42) + rng.random() * 8
            # Tones played together are softer, so that a chord is as loud as a single tone.
            each = int(loudness / math.sqrt(len(which)))
            yield Note(voice, bar * metre + beat, beats, tuple(tones[tone] for tone in which), each)
    end = score.bars * metre
    for delay, tone in enumerate(_tones(score, score.bars)[:4]):
        yield Note(voice, end + delay * 0.06, score.ending, (tone,), 26)


def _bass(score: Score, rng: Random) -> Iterator[Note]:
    voice, metre = BANDS[score.style.sound].bass, score.style.metre
    walk = pick(rng, _WALKS[metre])
    if score.style.tempo > _FAST and metre == COMMON:
        walk = pick(rng, (_DRIVING_WALK, *_WALKS[metre]))
    for bar in range(score.bars):
        for beat, beats, above in walk:
            yield Note(voice, bar * metre + beat, beats, (_root(score, bar) + above,), 52 + int(rng.random() * 8))
    yield Note(voice, score.bars * metre, score.ending, (_root(score, score.bars),), 55)


def _drums(score: Score, rng: Random) -> Iterator[Note]:
    metre, level = score.style.metre, BANDS[score.style.sound].drums
    groove = _choose_groove(score, rng)
    for bar in range(score.bars):
        for drum, hits in groove.items():
            for beat, loudness in hits:
                yield _drum_note(drum, bar * metre + beat, loudness * level * (0.9 + rng.random() * 0.2))
        if bar == score.bars - 1 or (bar + 1) % 4 == 0:
            for beat in (metre - 0.75, metre - 0.5, metre - 0.25):
                yield _drum_note("snare", bar * metre + beat, 45 * level * (0.8 + rng.random() * 0.4))
    yield _drum_note("kick", score.bars * metre, 85 * level)
    for bar in (0, score.bars):
        yield _drum_note("cymbal", bar * metre, 40 * level)


def _choose_groove(score: Score, rng: Random) -> _Groove:
    if score.style.metre == WALTZ:
        return _WALTZ_GROOVE
    if score.style.tempo < _SLOW:
        return _BALLAD
    if score.style.sound == "electronic":
        return _DANCE
    return pick(rng, _GROOVES)


def _drum_note(drum: str, beat: float, loudness: float) -> Note:
    return Note(drum, beat, 0, (), max(1, int(loudness)))


def _tones(score: Score, bar: int) -> tuple[int, ...]:
    """The three tones of a bar's chord, lowest first, and the same tones an octave higher."""
    degree = score.chord(bar)
    low = sorted(_in_octave_above(_CHORD_FLOOR, score.pitch(degree + third)) for third in (0, 2, 4))
    return (*low, *(tone + _OCTAVE for tone in low))


def _root(score: Score, bar: int) -> int:
    return _in_octave_above(_BASS_FLOOR, score.pitch(score.chord(bar)))


def _in_octave_above(floor: int, pitch: int) -> int:
    """``pitch`` moved by octaves into the octave above ``floor``."""
    return floor + (pitch - floor) % _OCTAVE
