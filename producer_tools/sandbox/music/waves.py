"""Waves: the steady sound of a voice at one pitch, as samples that can be repeated without a click."""

import math
from array import array
from functools import lru_cache

from producer_tools.sandbox.music.track import RATE, pack, unpack
from producer_tools.sandbox.music.voices import Partials, Voice

LOUD = 4000  # root mean square of a wave

_TABLE = 2048  # samples in the table of one period; a power of two
_FIXED_ONE = 1 << 16
_SINE = 1 << 15  # amplitude of a harmonic; the mix of harmonics is divided by it
_STRETCH = 1500  # approximate samples of a wave; whole periods then fit it within half a cent
_VIBRATO = 5.4  # Hz
_TOP = 9000  # Hz; overtones above it are left out
_CONCERT_A, _A4 = 440.0, 69  # in Hz, and as a MIDI note
_FORMANT_FLOOR = 0.03  # gain of the formants at every frequency


@lru_cache(maxsize=256)
def wave(voice: Voice, partials: Partials, pitch: float, decay: float = 0.0, vibrato: float = 0.0) -> "array[int]":
    """Make a wave of whole periods and, with vibrato, of one whole vibrato cycle.

    Args:
        voice: The voice.
        partials: The voice's partials, or its transient.
        pitch: The MIDI note.
        decay: Seconds in which it falls to about a third; 0 for a steady wave.
        vibrato: Depth of the vibrato in semitones. Waves with and without vibrato have the same phase at both ends, so
            one can follow the other.
    """
    frequency = _CONCERT_A * 2 ** ((pitch - _A4) / 12)
    period = RATE / frequency
    periods = max(1, round((RATE / _VIBRATO if vibrato else _STRETCH) / period))
    samples = round(periods * period)
    # Phases are positions in the table, as fixed-point integers with 16 fractional bits: faster than floats.
    step = round(periods * _TABLE * _FIXED_ONE / samples)
    table = _table(voice, partials, frequency)
    if vibrato:
        # Vibrato of d semitones changes the frequency by the factor 2 ** (d / 12). This is the largest phase deviation.
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
    """The phase deviation during one vibrato cycle, from 0 to 2 and back."""
    turn = 2 * math.pi / samples
    return array("q", [round(_FIXED_ONE * (1 - math.cos(turn * index))) for index in range(samples)])


@lru_cache(maxsize=64)
def _table(voice: Voice, partials: Partials, frequency: float) -> "array[int]":
    """One period of a voice, scaled so that all voices are equally loud at all pitches."""
    audible = max(1, int(_TOP / frequency))
    sustained, strengths = (
        [strength * _formant_gain(voice, number, frequency) for number, strength in enumerate(source[:audible], 1)]
        for source in (voice.partials, partials)
    )
    scale = LOUD / math.sqrt(math.fsum(strength**2 for strength in sustained) / 2)
    harmonics = (round(scale * strength) * _harmonic(number) for number, strength in enumerate(strengths, 1))
    return array("q", [sample // _SINE for sample in unpack(sum(harmonics), _TABLE)])


def _formant_gain(voice: Voice, number: int, frequency: float) -> float:
    """The gain that the formants give a harmonic."""
    if not voice.formants:
        return 1.0
    # A resonance is never below the note: singers open their mouths wider for high notes.
    resonances = ((max(centre, frequency), strength) for centre, strength in voice.formants)
    return _FORMANT_FLOOR + math.fsum(
        strength / (1 + ((number * frequency - centre) / (60 + centre / 16)) ** 2) for centre, strength in resonances
    )


@lru_cache(maxsize=32)
def _harmonic(number: int) -> int:
    """A sine with ``number`` periods in the table, as a track."""
    turn = 2 * math.pi * number / _TABLE
    # Each harmonic has another start phase; with equal phases, the wave would have a high peak.
    return pack(array("q", [int(_SINE * math.sin(turn * index + number * number)) for index in range(_TABLE)]))
