"""Single notes as tracks: a wave that goes on or dies away, eased in and out; and drums, which are mostly noise."""

import math
from array import array
from collections.abc import Callable
from functools import lru_cache

from producer_tools.sandbox.music.dice import dice
from producer_tools.sandbox.music.track import RATE, advanced, cut, delayed, packed, unpacked
from producer_tools.sandbox.music.voices import Partials, Voice
from producer_tools.sandbox.music.waves import LOUD, wave

_FULL = 4096  # the level of a note at its loudest
_FINDING = 3  # times that a wave is repeated before vibrato begins: a fifth of a second
_BITE = 0.09  # seconds in which the bite of a note falls to about a third
_PIECE = RATE // 2  # dying notes are made in whole pieces, so that many lengths can be cut from one; a bite needs one


def tone(voice: Voice, pitches: tuple[float, ...], samples: int) -> int:
    """Play MIDI pitches together for so many samples and their release; returns a track."""
    whole = samples + int(voice.release * RATE)
    players = (-voice.detune / 2, voice.detune / 2) if voice.detune else (0.0,)
    track = 0
    for pitch in (pitch + detune for pitch in pitches for detune in players):
        if voice.decay:
            track += _dying(voice, voice.partials, pitch, voice.decay, -(-whole // _PIECE) * _PIECE)
        else:
            track += _lasting(voice, pitch, whole)
        if voice.bite:
            track += _dying(voice, voice.bite, pitch, _BITE, _PIECE)
    return _eased(track, voice.attack, voice.release, whole)


@lru_cache(maxsize=8)
def drum(name: str) -> int:
    """One stroke of a drum, as a track."""
    chance = dice("drum", name)
    if name == "kick":
        # The pitch drops quickly from a thump to a hum; its phase is the integral of that.
        return _struck(0.35, 0.09, lambda t: math.sin(2 * math.pi * (48 * t + 2.2 * (1 - math.exp(-t / 0.03)))))
    if name == "snare":
        return _struck(0.25, 0.06, lambda t: 0.6 * (chance.random() * 2 - 1) + 0.5 * math.sin(2 * math.pi * 185 * t))
    length, decay = (0.08, 0.022) if name == "hat" else (1.2, 0.3)
    noise = _struck(length, decay, lambda _: 0.5 * (chance.random() * 2 - 1))
    return noise - delayed(noise, 1)  # the difference of neighbours leaves the highs


def _struck(length: float, decay: float, sound: Callable[[float], float]) -> int:
    times = [index / RATE for index in range(int(length * RATE))]
    # Over the last fifth it goes to nothing, so that even the long tail of a cymbal ends in silence.
    levels = (2 * LOUD * _FULL * math.exp(-t / decay) * min(1.0, 5 * (1 - t / length)) for t in times)
    return packed(array("q", [int(level * sound(t)) for level, t in zip(levels, times, strict=True)]))


def _lasting(voice: Voice, pitch: float, samples: int) -> int:
    """Hold a note for so many samples at least."""
    once = wave(voice, voice.partials, pitch)
    if not voice.vibrato:
        return _repeated(once, samples)
    # A player finds the note first and then lets it swing.
    found = len(once) * _FINDING
    if found >= samples:
        return _repeated(once, samples)
    swing = wave(voice, voice.partials, pitch, vibrato=voice.vibrato)
    return packed(once * _FINDING) * _FULL + delayed(_repeated(swing, samples - found), found)


def _repeated(once: "array[int]", samples: int) -> int:
    track, length = packed(once) * _FULL, len(once)
    while length < samples:
        track += delayed(track, length)
        length *= 2
    return track


@lru_cache(maxsize=48)  # about 12 MB
def _dying(voice: Voice, partials: Partials, pitch: float, decay: float, samples: int) -> int:
    """Repeat a wave for so many samples at least, each time as much fainter as its end is fainter than its start."""
    once, sound = wave(voice, partials, pitch, decay), array("q")
    track = packed(once)
    for start in range(0, samples, len(once)):
        sound += unpacked(track * int(_FULL * math.exp(-start / (decay * RATE))), len(once))
    return packed(sound)


def _eased(track: int, attack: float, release: float, samples: int) -> int:
    """Let a note swell and die away; it never starts or ends with a jump, so never with a click."""
    whole = cut(track, samples)
    rise, fall = (min(int(seconds * RATE), samples // 2) for seconds in (attack, release))
    # What is too loud at either end is taken off; between them nothing needs to be touched.
    start = _lowered(unpacked(whole, rise), _hush(rise))
    end = _lowered(unpacked(advanced(whole, samples - fall), fall), _hush(fall)[::-1])
    return whole - start - delayed(end, samples - fall)


def _lowered(sound: "array[int]", levels: "array[int]") -> int:
    return packed(array("q", [sample * level // _FULL for sample, level in zip(sound, levels, strict=True)]))


@lru_cache(maxsize=16)
def _hush(samples: int) -> "array[int]":
    """How much is missing while a note swells to its full level, from all to nothing."""
    return array("q", [int(_FULL * (1 + math.cos(math.pi * index / samples)) / 2) for index in range(samples)])
