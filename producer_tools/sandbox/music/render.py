"""Renders a score: its vocals and its backing, as 16-bit samples."""

from array import array
from collections import defaultdict
from functools import lru_cache

from producer_tools.sandbox.music.accompaniment import DRUMS, backing_notes
from producer_tools.sandbox.music.score import Note, Score
from producer_tools.sandbox.music.synth import drum, tone
from producer_tools.sandbox.music.track import RATE, delay, pcm
from producer_tools.sandbox.music.voices import VOICES

# The sum of the two stays within 16 bits for every combination of vocals and backing.
_VOCAL_PEAK = 12_500
_BACKING_PEAK = 20_000

_SCORES = 32  # cached vocals and cached backings, each; about 20 MB
_FADE = int(0.9 * RATE)  # samples in which the last chord fades out

# Reverberation. Each entry doubles the number of echoes: it adds all earlier ones again, that many samples later. The
# near ones are subtracted, which removes the bass from the echoes; the far ones are scaled by that many eighths. The
# delays have no common divisor, so that the room has no resonance at one pitch.
_NEAR_ECHOES = (97, 211, 389, 751)
_FAR_ECHOES = ((1481, 7), (2903, 6), (5501, 4))


@lru_cache(maxsize=_SCORES)
def vocals(score: Score) -> "array[int]":
    """Render the vocals of a score; silence if it is instrumental. The result is cached: do not change it."""
    if score.instrumental:
        return array("h", bytes(2 * score.length))
    return _rendered(score.melody(), score, _VOCAL_PEAK, wet=3)


@lru_cache(maxsize=_SCORES)
def backing(score: Score) -> "array[int]":
    """Render the backing of a score, with the melody if it is instrumental. The result is cached: do not change it."""
    return _rendered(backing_notes(score), score, _BACKING_PEAK, wet=2)


def _rendered(notes: list[Note], score: Score, peak: int, wet: int) -> "array[int]":
    samples = pcm(_add_reverb(_mixed(notes, score), wet), score.length, peak)
    for index in range(_FADE):
        samples[-1 - index] = samples[-1 - index] * index // _FADE
    return samples


def _mixed(notes: list[Note], score: Score) -> int:
    """Mix the notes into one track. Each bar is mixed separately, because adding to a short track is cheap."""
    sounds: dict[tuple[str, tuple[float, ...], float], int] = {}
    bars: defaultdict[int, int] = defaultdict(int)
    for note in notes:
        key = (note.voice, note.pitches, note.beats)
        if key not in sounds:
            sounds[key] = _sound(note, score)
        bar = int(note.beat // score.style.metre)
        start = round(note.beat * score.beat) - round(bar * score.bar)
        bars[bar] += delay(sounds[key] * note.loudness, start)
    return sum(delay(track, round(bar * score.bar)) for bar, track in bars.items())


def _sound(note: Note, score: Score) -> int:
    if note.voice in DRUMS:
        return drum(note.voice)
    return tone(VOICES[note.voice], note.pitches, int(note.beats * score.beat))


def _add_reverb(dry: int, wet: int) -> int:
    """Add the reverberation of a small hall; ``wet`` is the level of each echo, where the dry sound has 256."""
    # Echoes have less treble: a sum of four neighbouring samples is a low-pass filter.
    echoes = dry + delay(dry, 1)
    echoes += delay(echoes, 2)
    for distance in _NEAR_ECHOES:
        echoes -= delay(echoes, distance)
    for distance, eighths in _FAR_ECHOES:
        echoes = 8 * echoes + eighths * delay(echoes, distance)
    return (256 * dry << 3 * len(_FAR_ECHOES)) + wet * echoes
