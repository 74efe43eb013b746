"""Waves: the steady sound of a voice at a pitch, as a stretch of samples that repeats without a seam."""

import math
from array import array
from functools import lru_cache

from producer_tools.sandbox.music.track import RATE, packed, unpacked
from producer_tools.sandbox.music.voices import Partials, Voice

LOUD = 4000  # root mean square of a wave

_TABLE = 2048  # samples in the table of one period; a power of two
_ONE = 1 << 16
_SINE = 1 << 15  # a harmonic at its loudest; divided away again once the harmonics are mixed
_STRETCH = 1500  # samples of a stretch, about: enough for whole periods to fit it within half a cent
_VIBRATO = 5.4  # swings per second
_TOP = 9000  # Hz; overtones above it are left out
_CONCERT_A, _A4 = 440.0, 69  # in Hz, and as a MIDI note
_BREATH = 0.03  # how much of a sound passes the throat at any frequency


@lru_cache(maxsize=256)
def wave(voice: Voice, partials: Partials, pitch: float, decay: float = 0.0, vibrato: float = 0.0) -> "array[int]":
    """Make one stretch of sound: whole periods and, with vibrato, one whole swing.

    Args:
        voice: Who sounds.
        partials: The voice's own partials, or its bite.
        pitch: The MIDI note.
        decay: Seconds in which it falls to about a third; 0 to go on as it starts.
        vibrato: How far the pitch swings, in semitones. Stretches with and without it have the same phase at both ends,
            so one can follow the other.
    """
    frequency = _CONCERT_A * 2 ** ((pitch - _A4) / 12)
    period = RATE / frequency
    periods = max(1, round((RATE / _VIBRATO if vibrato else _STRETCH) / period))
    samples = round(periods * period)
    # Phases are counted in steps of the table, as integers with 16 bits behind the point: that is quicker than floats.
    step = round(periods * _TABLE * _ONE / samples)
    table = _table(voice, partials, frequency)
    if vibrato:
        # A swing of d semitones changes the speed by the factor 2 ** (d / 12); this is how far the phase then strays.
        stray = round((2 ** (vibrato / 12) - 1) * periods * _TABLE / (2 * math.pi))
        swing = enumerate(_swing(samples))
        sound = [table[index * step + stray * lean >> 16 & _TABLE - 1] for index, lean in swing]
    else:
        sound = [table[index * step >> 16 & _TABLE - 1] for index in range(samples)]
    if decay:
        sound = [int(sample * math.exp(-index / (decay * RATE))) for index, sample in enumerate(sound)]
    return array("q", sound)


@lru_cache(maxsize=64)
def _swing(samples: int) -> "array[int]":
    """How far a phase leans forward, from not at all to 2 and back."""
    turn = 2 * math.pi / samples
    return array("q", [round(_ONE * (1 - math.cos(turn * index))) for index in range(samples)])


@lru_cache(maxsize=64)
def _table(voice: Voice, partials: Partials, frequency: float) -> "array[int]":
    """One period of a voice; all voices are equally loud at all pitches while their note lasts."""
    audible = max(1, int(_TOP / frequency))
    lasting, heard = (
        [strength * _throat(voice, number, frequency) for number, strength in enumerate(strengths[:audible], 1)]
        for strengths in (voice.partials, partials)
    )
    scale = LOUD / math.sqrt(math.fsum(strength**2 for strength in lasting) / 2)
    harmonics = (round(scale * strength) * _harmonic(number) for number, strength in enumerate(heard, 1))
    return array("q", [sample // _SINE for sample in unpacked(sum(harmonics), _TABLE)])


def _throat(voice: Voice, number: int, frequency: float) -> float:
    """How much of a harmonic the throat lets out."""
    if not voice.formants:
        return 1.0
    # Nobody's resonances stay below the note: singers open their mouths as they go up.
    resonances = ((max(centre, frequency), strength) for centre, strength in voice.formants)
    return _BREATH + math.fsum(
        strength / (1 + ((number * frequency - centre) / (60 + centre / 16)) ** 2) for centre, strength in resonances
    )


@lru_cache(maxsize=32)
def _harmonic(number: int) -> int:
    """A sine with so many periods in a table, as a track."""
    turn = 2 * math.pi * number / _TABLE
    # Each starts at another phase; if all started together, the wave would have a needless peak there.
    return packed(array("q", [int(_SINE * math.sin(turn * index + number * number)) for index in range(_TABLE)]))
