"""A score made to sound: its vocals and its backing, as 16-bit samples."""

from array import array
from collections import defaultdict
from functools import lru_cache

from producer_tools.sandbox.music.accompaniment import DRUMS, played
from producer_tools.sandbox.music.score import Note, Score
from producer_tools.sandbox.music.synth import drum, tone
from producer_tools.sandbox.music.track import RATE, delayed, pcm
from producer_tools.sandbox.music.voices import VOICES

# Together they stay below what 16 bits hold, whatever sings over whatever.
_VOCAL_PEAK = 12_500
_BACKING_PEAK = 20_000

_SCORES = 32  # kept once they have been played, of each kind; about 20 MB
_FADE = int(0.9 * RATE)  # samples in which the last chord fades to nothing

# The room. Each wall doubles the number of echoes: to all there are, it adds the same again so many samples later. Near
# walls turn them over, which keeps the bass out of the echoes; far walls make them fainter, by so many eighths. Uneven
# distances keep the room from ringing at a pitch of its own.
_NEAR_WALLS = (97, 211, 389, 751)
_FAR_WALLS = ((1481, 7), (2903, 6), (5501, 4))


@lru_cache(maxsize=_SCORES)
def vocals(score: Score) -> "array[int]":
    """Sing a score; silence if it is instrumental. Callers share the result and must not change it."""
    if score.instrumental:
        return array("h", bytes(2 * score.length))
    return _recorded(score.melody(), score, _VOCAL_PEAK, wet=3)


@lru_cache(maxsize=_SCORES)
def backing(score: Score) -> "array[int]":
    """Play a score's accompaniment, and its melody if it is instrumental. Callers must not change the result."""
    return _recorded(played(score), score, _BACKING_PEAK, wet=2)


def _recorded(notes: list[Note], score: Score, peak: int, wet: int) -> "array[int]":
    samples = pcm(_in_a_room(_mixed(notes, score), wet), score.length, peak)
    for index in range(_FADE):
        samples[-1 - index] = samples[-1 - index] * index // _FADE
    return samples


def _mixed(notes: list[Note], score: Score) -> int:
    """Mix the notes into one track, bar by bar so that adding a note touches no more than its own bar."""
    sounds: dict[tuple[str, tuple[float, ...], float], int] = {}
    bars: defaultdict[int, int] = defaultdict(int)
    for note in notes:
        key = (note.voice, note.pitches, note.beats)
        if key not in sounds:
            sounds[key] = _sound(note, score)
        bar = int(note.beat // score.style.metre)
        start = round(note.beat * score.beat) - round(bar * score.bar)
        bars[bar] += delayed(sounds[key] * note.loudness, start)
    return sum(delayed(track, round(bar * score.bar)) for bar, track in bars.items())


def _sound(note: Note, score: Score) -> int:
    if note.voice in DRUMS:
        return drum(note.voice)
    return tone(VOICES[note.voice], note.pitches, int(note.beats * score.beat))


def _in_a_room(dry: int, wet: int) -> int:
    """Add the reverberation of a small hall: ``wet`` is how loud each echo is, the dry sound being 256."""
    # Walls swallow the highs: what comes back is the sum of four neighbouring samples.
    echoes = dry + delayed(dry, 1)
    echoes += delayed(echoes, 2)
    for distance in _NEAR_WALLS:
        echoes -= delayed(echoes, distance)
    for distance, eighths in _FAR_WALLS:
        echoes = 8 * echoes + eighths * delayed(echoes, distance)
    return (256 * dry << 3 * len(_FAR_WALLS)) + wet * echoes
